import { expect, test } from "vitest";
import { gathered, noonMs, openTestHistory, valueAt } from "./support/stores-history.js";
import type { EmbeddedHistory } from "../ingest/stores/history.js";
import type { IncomingValue } from "./support/stores-history.js";

const dayMs = 86_400_000;
const devices = Array.from({ length: 901 }, (_, n) => `d${n}`);
/** Rows of `d0`, more than are sorted at once, and of each other device. */
const [busy, usual] = [1_100_000, 1_000];
const batchRows = 10_000;

async function store(history: EmbeddedHistory, values: readonly IncomingValue[]): Promise<void> {
  const batch = gathered(history, values);
  await history.identify(batch);
  const position = history.position + values.length;
  await history.commit({ position, values: batch, ledger: [], quarantine: [] });
  history.release(batch);
}

const tenths = (n: number): number => (n % 1_013) / 10;

test("a day of two million values is sealed and resealed in little memory, while it is exported and commits go on", async () => {
  const { history, clock } = await openTestHistory({ memoryLimit: "48MB", devices: () => devices });
  const firstMs = noonMs - 2 * busy;
  for (let from = 0; from < busy; from += batchRows)
    await store(
      history,
      Array.from({ length: batchRows }, (_, i) => valueAt(firstMs + from + i, tenths(from + i))),
    );
  for (let n = 0; n < usual; n += 10)
    await store(
      history,
      devices
        .slice(1)
        .flatMap((device) =>
          Array.from({ length: 10 }, (_, i) => valueAt(firstMs + (n + i) * 1_000, tenths(n + i), { device })),
        ),
    );
  clock.nowMs = noonMs + 4 * dayMs;

  let isOver = false;
  const exported = [0, 1].map(async (): Promise<number> => {
    let rows = 0;
    let cursor: string | undefined;
    do {
      const asked = { devices: ["d0"], limit: 10_000 };
      const page = await history.readings(cursor === undefined ? asked : { ...asked, cursor });
      rows += page.items.length;
      cursor = page.next;
    } while (cursor !== undefined);
    return rows;
  });
  const committed = (async (): Promise<number> => {
    let commits = 0;
    while (!isOver) {
      await store(history, [valueAt(clock.nowMs + commits, commits, { device: "d1" })]);
      commits += 1;
    }
    return commits;
  })();
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-10"]);
  isOver = true;
  expect(await Promise.all(exported)).toEqual([busy, busy]);
  expect(await committed).toBeGreaterThan(10);

  const late = devices.map((device) => valueAt(firstMs - 1, 0.5, { device }));
  await store(history, [...late, valueAt(firstMs, tenths(0))]);
  expect((await history.maintain(clock.nowMs)).resealedDays).toEqual(["2026-06-10"]);

  const day = {
    step: "day" as const,
    timeZone: "Europe/Warsaw",
    fromMs: noonMs - dayMs,
    toMs: noonMs + dayMs,
  };
  const sumOf = (rows: number): number =>
    Array.from({ length: rows }, (_, n) => tenths(n)).reduce((sum, value) => sum + value, 0.5);
  for (const [device, rows] of [
    ["d0", busy],
    ["d900", usual],
  ] as const) {
    const points = await history.series({ devices: [device], quantity: "energy_import_kwh", ...day });
    expect(points).toMatchObject([{ count: rows + 1 }]);
    expect((points[0]?.mean ?? 0) * (rows + 1)).toBeCloseTo(sumOf(rows), 3);
  }
  const page = await history.readings({ devices: ["d7"], limit: usual + 2 });
  expect(page.items.map(({ value }) => value)).toEqual([
    0.5,
    ...Array.from({ length: usual }, (_, n) => tenths(n)),
  ]);
  await history.close();
});

test("a day of two hundred thousand series is sealed and resealed in little memory", async () => {
  const homes = Array.from({ length: 50_000 }, (_, n) => `home-${n}`);
  const quantities = ["energy_import_kwh", "power_w", "voltage_v", "current_a"];
  const { history, clock } = await openTestHistory({ memoryLimit: "48MB", devices: () => homes });
  const report = async (timeMs: number, late: number): Promise<void> => {
    for (let from = 0; from < homes.length; from += 2_500)
      await store(
        history,
        homes
          .slice(from, from + 2_500)
          .flatMap((device, i) =>
            quantities.map((quantity) => valueAt(timeMs, tenths(from + i) + late, { device, quantity })),
          ),
      );
  };
  await report(noonMs, 0);
  clock.nowMs = noonMs + 4 * dayMs;
  expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-10"]);
  await report(noonMs + 60_000, 1);
  expect((await history.maintain(clock.nowMs)).resealedDays).toEqual(["2026-06-10"]);

  expect(await history.status()).toMatchObject({ hotRows: 0, sealedDays: 1 });
  for (const n of [0, 31_415, homes.length - 1]) {
    const { items } = await history.readings({ devices: [`home-${n}`], quantity: "power_w", limit: 3 });
    expect(items.map(({ value }) => value)).toEqual([tenths(n), tenths(n) + 1]);
  }
  await history.close();
});

test("pages of a crowded stretch of time come in order, each value once, whatever else is far away", async () => {
  const { history, clock } = await openTestHistory({ devices: () => devices });
  const moments = 100;
  for (let n = 0; n < moments; n += 10)
    await store(
      history,
      devices.flatMap((device) =>
        Array.from({ length: 10 }, (_, i) => valueAt(noonMs + n + i, tenths(n + i), { device })),
      ),
    );
  const rows = devices.length * moments;
  await store(history, [valueAt(noonMs - dayMs, 1), valueAt(noonMs + dayMs, 2, { receivedMs: clock.nowMs })]);
  for (const limit of [3_000, 10_000]) {
    const seen = new Set<string>();
    let [last, cursor]: [number, string | undefined] = [0, undefined];
    do {
      const page = await history.readings(cursor === undefined ? { limit } : { limit, cursor });
      for (const { device, timeMs } of page.items) {
        expect(timeMs).toBeGreaterThanOrEqual(last);
        last = timeMs;
        seen.add(`${device} ${timeMs}`);
      }
      cursor = page.next;
      if (cursor !== undefined) expect(page.items).toHaveLength(limit);
    } while (cursor !== undefined);
    expect(seen.size).toBe(rows + 2);
  }
  await history.close();
});
