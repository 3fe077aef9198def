import { expect, test } from "vitest";
import type { QuarantineEntry } from "../ingest/stores/port.js";
import { Zone } from "../ingest/stores/zone.js";
import { accountsOf } from "./support/accounts.js";
import { noonMs, openTestHistory, take, valueAt } from "./support/stores-history.js";

const quarterMs = 900_000;

test("a day's account balances, with slots of 23, 24 and 25 hours, the same before and after sealing", async () => {
  const { history, clock } = await openTestHistory({ devices: () => ["d0"] });
  const zone = new Zone("Europe/Warsaw");
  for (const [day, slots] of [
    ["2026-03-29", 92],
    ["2026-06-10", 96],
    ["2026-10-25", 100],
  ] as const) {
    const { fromMs, toMs } = zone.day(day);
    clock.nowMs = toMs + 1;
    const values = Array.from({ length: slots }, (_, i) => valueAt(fromMs + i * quarterMs + 5_000, i));
    await take(history, values.slice(3));
    const [open] = await accountsOf(history, { fromDay: day, toDay: day });
    expect(open?.slots).toEqual({ expected: slots, covered: slots - 3, missing: 3 });
    expect(open).toMatchObject({ balanced: true, values: { stored: slots - 3 } });
    clock.nowMs = toMs + 5 * 86_400_000;
    await history.maintain(clock.nowMs);
    expect(await accountsOf(history, { fromDay: day, toDay: day })).toEqual([open]);
  }
  await history.close();
});

test("slots are expected until a device's service ends, by the day's account and by a series", async () => {
  // Out of service from half past eight on: 34 quarters since midnight, 2 since eight.
  const { history, clock } = await openTestHistory({
    devices: () => ["d0"],
    untilMsOf: () => noonMs - 14 * quarterMs,
  });
  clock.nowMs = noonMs + 86_400_000;
  await take(history, [valueAt(noonMs - 15 * quarterMs, 1), valueAt(noonMs - 3 * quarterMs, 2)]);
  const accounts = await accountsOf(history, { fromDay: "2026-06-10", toDay: "2026-06-11" });
  expect(accounts.map(({ day, slots }) => [day, slots])).toEqual([
    ["2026-06-10", { expected: 34, covered: 1, missing: 33 }],
  ]);
  const range = { fromMs: noonMs - 16 * quarterMs, toMs: noonMs };
  const series = await history.series({
    ...range,
    devices: ["d0"],
    quantity: "energy_import_kwh",
    step: "hour",
    timeZone: "Europe/Warsaw",
  });
  expect(series.map(({ count, expected }) => [count, expected])).toEqual([
    [1, 2],
    [1, 0],
  ]);
  await history.close();
});

test("slots are expected only once they have ended, and only of devices that existed", async () => {
  const { history, clock } = await openTestHistory({
    sinceMsOf: (device) => (device === "d1" ? noonMs - 2 * quarterMs : noonMs - 30 * 86_400_000),
  });
  clock.nowMs = noonMs + 60_000;
  await take(history, [valueAt(noonMs - 1, 1, { device: "d1" }), valueAt(noonMs + 1, 2, { device: "d1" })]);
  const accounts = await accountsOf(history, { fromDay: "2026-06-10", toDay: "2026-06-12" });
  expect(accounts.map(({ device, slots }) => [device, slots])).toEqual([
    ["d0", { expected: 48, covered: 0, missing: 48 }],
    ["d1", { expected: 2, covered: 1, missing: 1 }],
  ]);
  await history.close();
});

test("sums of many batches are the same before and after they are folded, and after a restart", async () => {
  const { history, clock, dir } = await openTestHistory();
  for (let i = 0; i < 5; i += 1) {
    await take(history, [valueAt(noonMs + i, i), valueAt(noonMs, 0), valueAt(noonMs, 9)]);
  }
  const query = { fromDay: "2026-06-10", toDay: "2026-06-10", device: "d0" };
  const before = await accountsOf(history, query);
  expect(before[0]).toMatchObject({
    balanced: true,
    values: { decoded: 15, stored: 5, duplicate: 5, conflict: 5 },
  });
  await history.maintain(clock.nowMs);
  expect(await accountsOf(history, query)).toEqual(before);
  await history.close();
  const { history: again } = await openTestHistory({ dir });
  expect(await accountsOf(again, query)).toEqual(before);
  expect(again.position).toBe(history.position);
  const conflicts = await again.conflicts({ fromMs: noonMs, toMs: noonMs + 1, limit: 10 });
  expect(conflicts.map((item) => item.value)).toEqual([9, 9, 9, 9, 9]);
  await again.close();
});

test("a page of accounts looks at no day that it doesn't reach; pages of any size add up to the whole", async () => {
  const ids = Array.from({ length: 40 }, (_, n) => `d${n}`);
  const asked = { times: 0 };
  const { history, clock } = await openTestHistory({
    devices: () => ids,
    everyMsOf: () => ((asked.times += 1), 900_000),
    sinceMsOf: () => noonMs - 400 * 86_400_000,
  });
  const days = [1, 5, 6, 60].flatMap((back) => [back, back + 0.3]);
  const sent = days.map((back, n) => valueAt(noonMs - back * 86_400_000, n, { device: `d${n % 5}` }));
  await take(history, [...sent, valueAt(noonMs, 7, { device: "gone" })]);
  await history.maintain(clock.nowMs);
  const year = { fromDay: "2025-06-10", toDay: "2026-06-10" };
  asked.times = 0;
  const first = await history.ledger({ ...year, limit: 1 });
  expect(first.items).toMatchObject([{ day: "2025-06-10", device: "d0", slots: { missing: 96 } }]);
  expect(asked.times).toBeLessThanOrEqual(2 * ids.length);
  const months = { fromDay: "2026-04-01", toDay: "2026-06-10" };
  const whole = await accountsOf(history, months, 100_000);
  expect(whole).toHaveLength(71 * 40 + 1);
  const places = whole.map(({ day, device }) => `${day} ${device}`);
  expect(places).toEqual(places.toSorted());
  expect(whole.reduce((sum, { slots }) => sum + slots.covered, 0)).toBe(sent.length);
  expect(whole.filter(({ values }) => values.stored > 0)).toHaveLength(sent.length + 1);
  expect(await accountsOf(history, months, 977)).toEqual(whole);
  const few = { fromDay: "2026-06-03", toDay: "2026-06-06" };
  const those = whole.filter(({ day }) => day >= few.fromDay && day <= few.toDay);
  expect(await accountsOf(history, few, 7)).toEqual(those);
  expect(await accountsOf(history, { ...few, device: "d3" }, 1)).toEqual(
    those.filter(({ device }) => device === "d3"),
  );
  await expect(history.ledger({ ...few, limit: 1, cursor: "at1" })).rejects.toMatchObject({
    code: "bad-cursor",
  });
  await history.close();
});

test("while days without an account are passed over, others have their turns", async () => {
  let inTurn = 0;
  let mostInTurn = 0;
  const { history } = await openTestHistory({
    sinceMsOf: () => noonMs,
    everyMsOf() {
      inTurn += 1;
      mostInTurn = Math.max(mostInTurn, inTurn);
      return 900_000;
    },
  });
  let goesOn = true;
  const turn = (): void => {
    inTurn = 0;
    if (goesOn) setImmediate(turn);
  };
  turn();
  expect(await accountsOf(history, { fromDay: "2025-06-10", toDay: "2026-06-10" })).toEqual([]);
  goesOn = false;
  expect(mostInTurn).toBe(2);
  await history.close();
});

test("a day's totals are what its accounts come to, open, half sealed and sealed", async () => {
  const ids = Array.from({ length: 7 }, (_, n) => `d${n}`);
  const { history, clock } = await openTestHistory({ devices: () => ids });
  const day = "2026-06-10";
  const check = async (): Promise<void> => {
    const accounts = await accountsOf(history, { fromDay: day, toDay: day }, 3);
    const sum = (of: (account: (typeof accounts)[number]) => number): number =>
      accounts.reduce((total, account) => total + of(account), 0);
    expect(await history.ledgerTotals(day)).toEqual({
      stored: sum(({ values }) => values.stored),
      quarantined: sum(({ values, messages }) => values.quarantined + messages.quarantined),
      missing: sum(({ slots }) => slots.missing),
    });
  };
  await check();
  const ofTheDay = ids
    .slice(1)
    .flatMap((device, n) =>
      Array.from({ length: 3 * n }, (_, i) => valueAt(noonMs - (i + 1) * 400_000, i, { device })),
    );
  await take(history, ofTheDay);
  const { position } = history;
  const nothing = { decoded: 0, stored: 0, duplicate: 0, conflict: 0, quarantined: 0, late: 0 };
  const ledger = ["d1", "(unknown)"].map((device, n) => ({
    day,
    device,
    messages: { received: 1, decoded: 1 - n, ignored: 0, quarantined: n },
    values: { ...nothing, decoded: 2 - 2 * n, quarantined: 2 - 2 * n },
  }));
  await history.commit({ position, ledger, quarantine: [] });
  await check();
  expect(await history.ledgerTotals(day)).toMatchObject({ stored: ofTheDay.length, quarantined: 3 });
  clock.nowMs += 5 * 86_400_000;
  await check();
  await history.maintain(clock.nowMs);
  ids.push("d9");
  await check();
  await history.close();
});

function entry(message: number, n: number, more: Partial<QuarantineEntry> = {}): QuarantineEntry {
  return {
    id: `${message}-${n}`,
    message,
    receivedMs: noonMs + message,
    device: "d0",
    user: "gateway's",
    topic: "readings/d0",
    payload: new Uint8Array([0, 255, 39, message]),
    whole: n === 0,
    reason: n === 0 ? "not-json" : "out-of-range",
    paths: n === 0 ? [] : ["/a", "/b'"],
    count: n === 0 ? 0 : 2,
    detail: "it's 'quoted'",
    status: "open",
    ...more,
  };
}

test("quarantined entries come back with their raw bytes, page by page, and change status with a batch", async () => {
  const { history } = await openTestHistory();
  const entries = [entry(1, 0), entry(2, 1), entry(2, 2), entry(3, 0)];
  await take(history, [], entries);
  const first = await history.quarantine({ limit: 3 });
  const rest = await history.quarantine({ limit: 3, cursor: first.next ?? "" });
  expect([...first.items, ...rest.items]).toEqual(entries);
  expect(rest.next).toBeUndefined();
  await history.commit({
    position: history.position,
    ledger: [],
    quarantine: [entry(3, 0, { detail: "again" })],
    resolved: [{ id: "2-1", status: "replayed", by: "admin", atMs: noonMs }],
  });
  expect((await history.quarantine({ limit: 9, status: "replayed" })).items).toEqual([
    { ...entries[1], status: "replayed", changedMs: noonMs, changedBy: "admin" },
  ]);
  expect(
    (await history.quarantine({ limit: 9, reason: "not-json" })).items.map((item) => item.detail),
  ).toEqual(["it's 'quoted'", "again"]);
  await expect(history.quarantine({ limit: 1, cursor: "x" })).rejects.toMatchObject({ code: "bad-cursor" });
  await history.close();
});

test("pages of readings add up to the whole, over hot and sealed days", async () => {
  const { history, clock } = await openTestHistory();
  const values = Array.from({ length: 50 }, (_, i) =>
    valueAt(noonMs - i * 10_000_000, i, { device: `d${i % 2}` }),
  );
  await take(history, values);
  await history.maintain(clock.nowMs);
  const whole = await history.readings({ limit: 1_000 });
  expect(whole.items.length).toBe(50);
  const paged: unknown[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await history.readings({ limit: 7, ...(cursor === undefined ? {} : { cursor }) });
    paged.push(...page.items);
    cursor = page.next;
  }
  expect(paged).toEqual(whole.items);
  await history.close();
});

test("a made-up past is sealed, marked, accounted for and answers like any other", async () => {
  const { history, clock } = await openTestHistory();
  const times = Float64Array.from({ length: 96 * 10 }, (_, i) => noonMs - i * quarterMs).reverse();
  const run = {
    quantity: "energy_import_kwh",
    attributes: "",
    timesMs: times,
    values: times.map((_, i) => i),
  };
  expect(await history.bulkLoad(["d0", "d1"].map((device) => ({ ...run, device })))).toBe(1_920);
  const { hotRows, sealedDays } = await history.status();
  expect(hotRows).toBeLessThan(3 * 96 * 2);
  expect(sealedDays).toBeGreaterThan(6);
  expect((await history.readings({ limit: 5_000, devices: ["d0"] })).items.map((item) => item.value)).toEqual(
    [...run.values],
  );
  expect((await history.latest(["d1"]))[0]).toMatchObject({ value: 959, timeMs: noonMs });
  expect([...(await history.after(0, 10))]).toEqual([]);
  const accounts = await accountsOf(history, { fromDay: "2026-06-01", toDay: "2026-06-10" });
  expect(accounts.every((account) => account.balanced)).toBe(true);
  expect(accounts.find((account) => account.day === "2026-06-05")?.slots).toEqual({
    expected: 96,
    covered: 96,
    missing: 0,
  });
  const [judged] = await take(history, [valueAt(noonMs - 5 * 86_400_000, -1)]);
  expect(judged?.verdict).toBe("conflict");
  await history.maintain(clock.nowMs);
  await history.close();
});
