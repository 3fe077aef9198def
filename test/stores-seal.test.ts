import { copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type EmbeddedHistory, openHistory } from "../ingest/stores/history.js";
import type { SeriesQuery } from "../ingest/stores/port.js";
import { noonMs, openTestHistory, take, valueAt } from "./support/stores-history.js";

const dayMs = 86_400_000;
const steps: SeriesQuery["step"][] = [600_000, 3_600_000, 7_200_000, "hour", "day", "week", "month", "year"];

/** Everything a reader can ask, as one comparable answer. */
const hourMs = 3_600_000;

async function answers(history: EmbeddedHistory, fromMs: number, toMs: number): Promise<unknown> {
  const readings = await history.readings({ limit: 10_000 });
  const series = await Promise.all(
    steps.flatMap((step) =>
      ["Europe/Warsaw", "Asia/Kolkata"].map((timeZone) =>
        history.series({
          devices: ["d0", "d1"],
          quantity: "energy_import_kwh",
          step,
          timeZone,
          fromMs,
          toMs,
        }),
      ),
    ),
  );
  return {
    readings: readings.items.map(({ sequence: _sequence, ...item }) => item),
    series: series.map((points) =>
      points.map((point) => ({ ...point, mean: Math.round(point.mean * 1e6) / 1e6 })),
    ),
    latest: (await history.latest()).map(({ sequence: _sequence, ...item }) => item),
  };
}

const someValues = fc.uniqueArray(
  fc.record({
    device: fc.constantFrom("d0", "d1"),
    minute: fc.integer({ min: 0, max: 6 * 24 * 60 }),
    value: fc.integer({ min: -50, max: 50 }),
  }),
  { minLength: 1, maxLength: 60, selector: ({ device, minute }) => `${device} ${minute}` },
);

test("sealing and resealing change no answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      someValues,
      someValues,
      fc.integer({ min: 0, max: 4 * dayMs }),
      fc.integer({ min: 1, max: 4 * dayMs }),
      async (early, later, offset, length) => {
        const { history, clock } = await openTestHistory();
        const base = Date.parse("2026-03-26T00:00:00+01:00");
        clock.nowMs = base + 9 * dayMs;
        const range = [base + offset, base + offset + length] as const;
        for (const batch of [early, later]) {
          await take(
            history,
            batch.map(({ device, minute, value }) => valueAt(base + minute * 60_000, value, { device })),
          );
          const before = await answers(history, ...range);
          await history.maintain(clock.nowMs);
          expect((await history.status()).hotRows).toBe(0);
          expect(await answers(history, ...range)).toEqual(before);
        }
        await history.close();
      },
    ),
    { numRuns: 8 },
  );
});

test("where two devices report at the same moments, sealing and resealing change no answer", async () => {
  const { history, clock } = await openTestHistory();
  const base = Date.parse("2026-03-26T00:00:00+01:00");
  clock.nowMs = base + 9 * dayMs;
  const both = (hours: readonly number[], devices: readonly string[]): ReturnType<typeof valueAt>[] =>
    hours.flatMap((hour) =>
      devices.map((device) => valueAt(base + hour * hourMs, hour + (device === "d0" ? 0.5 : 0), { device })),
    );
  const hours = Array.from({ length: 36 }, (_, n) => n * 4);
  for (const batch of [both(hours, ["d1", "d0"]), both([1, 50, 143], ["d0", "d1"])]) {
    await take(history, batch);
    const before = await answers(history, base + hourMs, base + 5.5 * dayMs);
    await history.maintain(clock.nowMs);
    expect((await history.status()).hotRows).toBe(0);
    expect(await answers(history, base + hourMs, base + 5.5 * dayMs)).toEqual(before);
  }
  await history.close();
});

test("days are sealed when their hot days are over, and late data makes a new revision", async () => {
  const { history, clock, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs - 3 * dayMs, 1), valueAt(noonMs - 2 * dayMs, 2), valueAt(noonMs, 3)]);
  expect(await history.maintain(clock.nowMs)).toMatchObject({ sealedDays: ["2026-06-07"], resealedDays: [] });
  await take(history, [valueAt(noonMs - 3 * dayMs + 1, 4)]);
  expect(await history.maintain(clock.nowMs)).toMatchObject({ sealedDays: [], resealedDays: ["2026-06-07"] });
  await history.maintain(clock.nowMs);
  expect(readdirSync(join(dir, "history", "2026")).sort()).toEqual([
    "2026-06-07.r2.parquet",
    "2026-06-07.r2.parquet.sha256",
  ]);
  await history.close();
});

test("numbers come back from sealed days as they were, decimals and doubles of any size, and stay so when resealed", async () => {
  const { history, clock, options } = await openTestHistory();
  const base = Date.parse("2026-03-26T00:00:00+01:00");
  const decimals = fc.sample(
    fc
      .tuple(fc.integer({ min: -1e12, max: 1e12 }), fc.integer({ min: 0, max: 8 }))
      .map(([n, d]) => n / 10 ** d),
    { numRuns: 400, seed: 5 },
  );
  const doubles = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 200, seed: 5 });
  const edges = [
    0.1 + 0.2,
    1 / 3,
    5e-324,
    1.797e308,
    999_999_999_999_999.9,
    2 ** 53,
    1e15 - 1,
    229.7,
    1e-6,
    1e-7,
  ];
  const devices = [
    edges,
    decimals,
    doubles,
    [...decimals, ...doubles],
    decimals.map((n) => Math.round(n) / 10),
  ];
  const given = devices.flatMap((values, d) =>
    values.map((value, n) => valueAt(base + n * 60_000, value === 0 ? 0 : value, { device: `d${d}` })),
  );
  await take(history, given);
  const read = async (): Promise<number[]> =>
    (
      await Promise.all(devices.map((_, d) => history.readings({ devices: [`d${d}`], limit: 10_000 })))
    ).flatMap(({ items }) => items.map(({ value }) => value));
  clock.nowMs = base + 9 * dayMs;
  await history.maintain(clock.nowMs);
  expect((await history.status()).hotRows).toBe(0);
  expect(await read()).toEqual(given.map(({ value }) => value));
  await take(history, [valueAt(base + 23 * 3_600_000, 0.123_456_789, { device: "d0" })]);
  expect((await history.maintain(clock.nowMs)).resealedDays).toHaveLength(1);
  await history.close();
  const reopened = await openTestHistory({ dir: options.dir });
  const again = (await reopened.history.readings({ devices: ["d0"], limit: 100 })).items;
  expect(again.map(({ value }) => value)).toEqual([...edges, 0.123_456_789]);
  await reopened.history.close();
});

test("a damaged or missing sealed day is named, refused where its rows are needed, and served again once restored", async () => {
  const { history, clock, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs - 4 * dayMs, 1), valueAt(noonMs, 2)]);
  await history.maintain(clock.nowMs);
  const file = join(dir, "history", "2026", "2026-06-06.r1.parquet");
  copyFileSync(file, join(dir, "kept"));
  writeFileSync(file, "not parquet");
  await expect(history.readings({ limit: 10 })).rejects.toMatchObject({ code: "sealed-day-damaged" });
  expect((await history.readings({ limit: 10, fromMs: noonMs - dayMs })).items.length).toBe(1);
  expect((await history.status()).faults).toMatchObject([
    { code: "sealed-day-damaged", file: "history/2026/2026-06-06.r1.parquet" },
  ]);
  const [again] = await take(history, [valueAt(noonMs - 4 * dayMs, 5)]);
  expect(again?.verdict).toBe("stored");
  rmSync(file);
  expect((await history.maintain(clock.nowMs)).resealedDays).toEqual([]);
  renameSync(join(dir, "kept"), file);
  expect((await history.maintain(clock.nowMs)).resealedDays).toEqual(["2026-06-06"]);
  expect((await history.readings({ limit: 10 })).items.map((item) => item.value)).toEqual([1, 2]);
  expect((await history.status()).faults).toEqual([]);
  await history.close();
});

test("what a crash leaves half written is cleaned, and rows that stand only in a file are not", async () => {
  const { history, clock, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs - 4 * dayMs, 1), valueAt(noonMs, 2)]);
  await history.maintain(clock.nowMs);
  const before = await history.readings({ limit: 10 });
  await history.close();
  const folder = join(dir, "history", "2026");
  writeFileSync(join(folder, "2026-06-06.r2.parquet.tmp"), "half");
  copyFileSync(join(folder, "2026-06-06.r1.parquet"), join(folder, "2026-06-06.r2.parquet"));
  copyFileSync(join(folder, "2026-06-06.r1.parquet"), join(folder, "2026-06-10.r1.parquet"));
  copyFileSync(join(folder, "2026-06-06.r1.parquet"), join(folder, "2026-05-01.r1.parquet"));
  const { history: again } = await openTestHistory({ dir });
  expect(readdirSync(folder).sort()).toEqual([
    "2026-05-01.r1.parquet",
    "2026-06-06.r1.parquet",
    "2026-06-06.r1.parquet.sha256",
  ]);
  expect(await again.readings({ limit: 10 })).toEqual(before);
  await again.close();
});

test("a lost database is rebuilt from the sealed days", async () => {
  const { history, clock, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs - 4 * dayMs, 1), valueAt(noonMs - 6 * dayMs, 2, { device: "d1" })]);
  await history.maintain(clock.nowMs);
  const range = [noonMs - 9 * dayMs, noonMs] as const;
  const before = await answers(history, ...range);
  await history.close();
  rmSync(join(dir, "history.duckdb"));
  const { history: again } = await openTestHistory({ dir });
  expect(await answers(again, ...range)).toEqual(before);
  const [same] = await take(again, [valueAt(noonMs - 4 * dayMs, 1)]);
  expect(same?.verdict).toBe("duplicate");
  await again.close();
});

test("a readable file that isn't what its checksum says is set aside when a lost database is rebuilt", async () => {
  const { history, clock, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs - 4 * dayMs, 1), valueAt(noonMs - 5 * dayMs, 2)]);
  await history.maintain(clock.nowMs);
  await history.close();
  rmSync(join(dir, "history.duckdb"));
  const folder = join(dir, "history", "2026");
  copyFileSync(join(folder, "2026-06-05.r1.parquet"), join(folder, "2026-06-06.r1.parquet"));
  const { history: again } = await openTestHistory({ dir });
  expect((await again.readings({ limit: 10 })).items.map(({ value }) => value)).toEqual([2]);
  expect(readdirSync(folder)).toContain("2026-06-06.r1.parquet.damaged");
  await again.close();
});

test("a backup taken while values come in opens with the answers of one instant", async () => {
  const { history, clock } = await openTestHistory();
  await take(history, [valueAt(noonMs - 4 * dayMs, 1), valueAt(noonMs, 2)]);
  await history.maintain(clock.nowMs);
  const dir = mkdtempSync(join(tmpdir(), "obieg-backup-"));
  const backup = history.backup(dir);
  for (let i = 1; i <= 20; i += 1) await take(history, [valueAt(noonMs + i, i)]);
  await backup;
  const { history: copy } = await openTestHistory({ dir });
  const items = (await copy.readings({ limit: 100 })).items;
  expect(items.length).toBe(copy.lastSequence);
  expect(items.slice(0, 2).map((item) => item.value)).toEqual([1, 2]);
  await expect(history.backup(dir)).rejects.toMatchObject({ code: "backup-not-empty" });
  await copy.close();
  await history.close();
});

test("days that were sealed in another time zone are refused, those of a zone whose rules changed since stay whole", async () => {
  const { history, options, dir } = await openTestHistory();
  const [winter, summer] = [Date.parse("2026-02-01T23:15:00Z"), Date.parse("2026-06-03T22:15:00Z")];
  await take(history, [valueAt(winter, 1), valueAt(summer, 2)]);
  expect((await history.maintain(noonMs)).sealedDays).toEqual(["2026-02-02", "2026-06-04"]);
  await history.close();
  await expect(openHistory({ ...options, timeZone: "America/New_York" })).rejects.toMatchObject({
    code: "history-time-zone",
    message: expect.stringMatching(/America\/New_York \(2026-02-02 begins at 2026-02-01T23:00:00\.000Z\)/),
  });
  // As Warsaw without summer time: 4 June begins an hour later.
  const again = await openTestHistory({ dir, timeZone: "Africa/Algiers" });
  const late = Date.parse("2026-06-04T10:00:00Z");
  await take(again.history, [valueAt(late, 3, { message: 3, receivedMs: noonMs })]);
  expect((await again.history.maintain(noonMs)).resealedDays).toEqual(["2026-06-04"]);
  const found = await again.history.readings({ fromMs: winter, toMs: late + 1, limit: 10 });
  const early = await again.history.readings({ fromMs: summer, toMs: summer + 1, limit: 10 });
  expect(early.items).toHaveLength(1);
  expect(new Set(found.items.map(({ timeMs }) => timeMs))).toEqual(new Set([winter, summer, late]));
  await again.history.close();
});
