import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { accountsOf } from "./support/accounts.js";
import { gathered, noonMs, openTestHistory, take, valueAt } from "./support/stores-history.js";

const dayMs = 86_400_000;

test("a day that can't be sealed is named, stays whole, and keeps the others from nothing", async () => {
  const { history, clock, dir } = await openTestHistory();
  const days = [noonMs - 5 * dayMs, noonMs - 4 * dayMs];
  await take(
    history,
    days.map((timeMs) => valueAt(timeMs, 1)),
  );
  const place = join(dir, "history/2026/2026-06-05.r1.parquet");
  mkdirSync(join(place, "in the way"), { recursive: true });
  clock.nowMs = noonMs;
  await expect(history.maintain(clock.nowMs)).rejects.toMatchObject({ code: "history-seal" });
  const { sealedDays, hotRows, upkeep } = await history.status();
  expect({ sealedDays, hotRows }).toEqual({ sealedDays: 1, hotRows: 1 });
  expect(upkeep).toEqual({
    code: "history-seal",
    message: expect.stringMatching(
      /^2026-06-05 isn't sealed, its rows stay where they are: E\w+: /,
    ) as string,
  });
  expect((await history.readings({ limit: 10 })).items).toHaveLength(2);

  rmSync(place, { recursive: true });
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-05"]);
  const after = await history.status();
  expect(after.upkeep).toBeUndefined();
  expect(after).toMatchObject({ sealedDays: 2, hotRows: 0 });
  expect((await history.readings({ limit: 10 })).items).toHaveLength(2);
  await history.close();
});

test("a consumer that has fallen behind holds its rows back from sealing, but not for ever", async () => {
  const { history, clock } = await openTestHistory({ holdDays: 10 });
  await take(history, [valueAt(noonMs - 5 * dayMs, 1)]);
  history.holdFor("influx", 0);
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual([]);
  expect((await history.after(0, 10)).count).toBe(1);
  clock.nowMs += 10 * dayMs;
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-05"]);
  await history.close();
});

test("what comes from long ago while a consumer is behind waits for it as long as what is from today", async () => {
  const { history, clock } = await openTestHistory({ holdDays: 10 });
  const then = noonMs - 40 * dayMs;
  history.holdFor("influx", 0);
  await take(history, [
    valueAt(then, 1, { receivedMs: noonMs }),
    valueAt(then + 900_000, 2, { receivedMs: noonMs }),
  ]);
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual([]);
  expect((await history.after(0, 10)).count).toBe(2);
  history.holdFor("influx", 1);
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual([]);
  history.holdFor("influx", 2);
  expect((await history.maintain(clock.nowMs)).sealedDays).toHaveLength(1);
  await history.close();
});

test("what comes for a due day while the one before is sealed stays readable by sequence for who hasn't passed it", async () => {
  let onSeal = (): void => undefined;
  const { history, clock } = await openTestHistory({
    unitOf: () => {
      onSeal();
      return "kWh";
    },
  });
  const [first, second] = [noonMs - 5 * dayMs, noonMs - 4 * dayMs];
  await take(history, [valueAt(first, 1), valueAt(second, 2)]);
  history.holdFor("influx", history.lastSequence);
  const late = gathered(history, [valueAt(second + 900_000, 3, { receivedMs: noonMs })]);
  await history.identify(late);
  const committed = new Promise<void>((resolve, reject) => {
    // The file of the first day is being written, which is published after this commit.
    onSeal = () => {
      onSeal = () => undefined;
      const batch = { position: history.position + 1, values: late, ledger: [], quarantine: [] };
      history.commit(batch).then(resolve, reject);
    };
  });
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-05", "2026-06-06"]);
  await committed;
  expect([...(await history.after(2, 10))].map(({ value }) => value)).toEqual([3]);
  expect((await history.readings({ limit: 10 })).items).toHaveLength(3);

  history.holdFor("influx", history.lastSequence);
  expect((await history.maintain(clock.nowMs)).resealedDays).toEqual(["2026-06-06"]);
  expect((await history.readings({ limit: 10 })).items).toHaveLength(3);
  await history.close();
});

test("rows of a class are dropped when its retention ends, its neighbours, the daily sums and the ledger stay", async () => {
  const { history, clock } = await openTestHistory({
    classOf: (device) => (device === "d1" ? "household" : "air"),
    retention: (deviceClass) => (deviceClass === "household" ? 10 : 1_000),
  });
  await take(history, [valueAt(noonMs - 5 * dayMs, 1), valueAt(noonMs - 5 * dayMs, 2, { device: "d1" })]);
  await history.maintain(clock.nowMs);
  const ledger = (): Promise<object[]> => accountsOf(history, { fromDay: "2026-06-05", toDay: "2026-06-05" });
  const before = await ledger();
  expect(before).toMatchObject(
    ["d0", "d1"].map((device) => ({ device, slots: { expected: 96, covered: 1 } })),
  );
  clock.nowMs += 6 * dayMs;
  expect((await history.maintain(clock.nowMs)).expiredRows).toBe(1);
  expect((await history.maintain(clock.nowMs)).expiredRows).toBe(0);
  expect(await ledger()).toEqual(before);
  expect((await history.readings({ limit: 10 })).items.map((item) => item.device)).toEqual(["d0"]);
  const query = { quantity: "energy_import_kwh", step: "day", timeZone: "Europe/Warsaw" } as const;
  const day = { fromMs: noonMs - 5.5 * dayMs, toMs: noonMs - 4.5 * dayMs };
  expect((await history.series({ ...query, ...day, devices: ["d1"] })).map((point) => point.mean)).toEqual([
    2,
  ]);
  await history.close();
});

test("a day that can't be made without what has expired stays whole, and keeps the others from nothing", async () => {
  const { history, clock, dir } = await openTestHistory({
    classOf: (device) => (device === "d1" ? "household" : "air"),
    retention: (deviceClass) => (deviceClass === "household" ? 10 : 1_000),
  });
  const times = [noonMs - 5 * dayMs, noonMs - 4 * dayMs];
  await take(
    history,
    times.flatMap((timeMs) => [valueAt(timeMs, 1), valueAt(timeMs, 2, { device: "d1" })]),
  );
  await history.maintain(noonMs);
  const place = join(dir, "history/2026/2026-06-05.r2.parquet");
  mkdirSync(join(place, "in the way"), { recursive: true });
  clock.nowMs += 8 * dayMs;
  await expect(history.maintain(clock.nowMs)).rejects.toMatchObject({
    message: expect.stringContaining("2026-06-05 isn't sealed anew, its rows stay") as string,
  });
  expect((await history.status()).upkeep?.code).toBe("history-seal");
  const devices = async (): Promise<string[]> =>
    (await history.readings({ limit: 10 })).items.map((item) => item.device);
  expect((await devices()).sort()).toEqual(["d0", "d0", "d1"]);

  rmSync(place, { recursive: true });
  expect((await history.maintain(clock.nowMs)).expiredRows).toBe(1);
  expect(await devices()).toEqual(["d0", "d0"]);
  expect((await history.status()).upkeep).toBeUndefined();
  await history.close();
});
