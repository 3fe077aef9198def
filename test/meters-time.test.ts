import { expect, test } from "vitest";
import { type Bucket, forget, readMeter, type Reading, spread, updateMeter } from "../ingest/meters/index.js";
import { Zone } from "../ingest/stores/zone.js";
import {
  at,
  electricity,
  entry,
  hourMs,
  meterOf,
  minuteMs,
  noonMs,
  options,
  quarters,
} from "./support/meter.js";

const warsaw = new Zone("Europe/Warsaw");
const ms = (text: string) => Date.parse(text);
const reading = (time: string, value: number, sequence: number): Reading => ({
  timeMs: ms(time),
  value,
  sequence,
});
const figures = (buckets: Bucket[]) =>
  buckets.map(({ amount, measured, estimated, suspect }) =>
    [amount, measured, estimated, suspect].map((figure) => Number(figure.toFixed(6))),
  );

test("an interval that straddles an hour is divided by real time, its parts estimated", () => {
  const readings = [
    reading("2026-11-23T12:50:00+01:00", 100, 1),
    reading("2026-11-23T13:05:00+01:00", 103, 2),
    reading("2026-11-23T13:20:00+01:00", 105, 3),
  ];
  // 3 kWh in 15 min, 10 of them before one o'clock: 2 and 1; 2 more whole within the hour.
  const edges = warsaw.edges("hour", ms("2026-11-23T12:00:00+01:00"), ms("2026-11-23T14:00:00+01:00"));
  const buckets = spread(meterOf(electricity, readings), edges);
  expect(figures(buckets)).toEqual([
    [2, 0, 2, 0],
    [3, 2, 1, 0],
  ]);
  // 10 and 20 minutes of 60.
  expect(buckets.map(({ coverage }) => coverage)).toEqual([10 / 60, 20 / 60]);
});

test("a reading on the boundary belongs to both neighbours", () => {
  const readings = [
    reading("2026-11-23T12:45:00+01:00", 100, 1),
    reading("2026-11-23T13:00:00+01:00", 103, 2),
    reading("2026-11-23T13:15:00+01:00", 105, 3),
  ];
  const edges = warsaw.edges("hour", ms("2026-11-23T12:00:00+01:00"), ms("2026-11-23T14:00:00+01:00"));
  expect(figures(spread(meterOf(electricity, readings), edges))).toEqual([
    [3, 3, 0, 0],
    [2, 2, 0, 0],
  ]);
});

test("an interval that straddles a local midnight is divided there", () => {
  // 6 kWh from 23:40 to 00:10: 20 and 10 of 30 minutes; midnight in Kraków is 23:00 UTC in winter.
  const readings = [reading("2026-11-23T22:40:00Z", 500, 1), reading("2026-11-23T23:10:00Z", 506, 2)];
  const edges = warsaw.edges("day", ms("2026-11-23T12:00:00Z"), ms("2026-11-24T12:00:00Z"));
  const buckets = spread(meterOf(electricity, readings), edges);
  expect(buckets.map(({ fromMs }) => new Date(fromMs).toISOString())).toEqual([
    "2026-11-22T23:00:00.000Z",
    "2026-11-23T23:00:00.000Z",
  ]);
  expect(figures(buckets)).toEqual([
    [4, 0, 4, 0],
    [2, 0, 2, 0],
  ]);
});

test("a gap is known as a whole and estimated in its parts", () => {
  // Nothing from 12:15 to 14:15: 8 kWh in 120 min: 45 min are 3 kWh, 60 min 4 kWh, 15 min 1 kWh.
  const account = meterOf(electricity, [
    ...quarters(100, 101),
    { timeMs: at(9), value: 109, sequence: 3 },
    { timeMs: at(10), value: 110, sequence: 4 },
  ]);
  expect(account.intervals.map(({ amount, mark, why }) => [amount, mark, why])).toEqual([
    [1, "measured", "normal"],
    [8, "estimated", "gap"],
    [1, "measured", "normal"],
  ]);
  const hours = spread(account, [at(0), at(4), at(8), at(12)]);
  expect(figures(hours)).toEqual([
    [4, 1, 3, 0],
    [4, 0, 4, 0],
    [2, 1, 1, 0],
  ]);
  expect(hours.map(({ coverage }) => coverage)).toEqual([0.25, 0, 0.25]);
  // The day holds it whole.
  const [day] = spread(account, warsaw.edges("day", noonMs, noonMs + 1));
  expect(day).toMatchObject({ amount: 10, measured: 10, estimated: 0 });
  expect(day?.coverage).toBeCloseTo(0.5 / 24, 12);
});

test("the day of 25 hours holds 25 hours, and its doubled hour is two", () => {
  // One kWh an hour from Saturday noon to Monday noon: 48 + 1 hours, 12 + 25 + 12.
  const from = ms("2026-10-24T12:00:00+02:00");
  const readings = [reading("2026-10-24T10:00:00Z", 0, 1), reading("2026-10-26T11:00:00Z", 49, 2)];
  const account = meterOf({ ...electricity, maxRate: 2 }, readings);
  const days = spread(account, warsaw.edges("day", from, ms("2026-10-27T00:00:00+01:00")));
  expect(days.map(({ amount }) => Number(amount.toFixed(9)))).toEqual([12, 25, 12]);
  const hours = spread(
    account,
    warsaw.edges("hour", ms("2026-10-25T00:00:00+02:00"), ms("2026-10-26T00:00:00+01:00")),
  );
  expect(hours).toHaveLength(25);
  for (const { amount } of hours) expect(amount).toBeCloseTo(1, 9);
  // 02:30 the first time (summer, 00:30 UTC) to 02:30 the second time (winter, 01:30 UTC): an hour of 3 kWh, half in each.
  const doubled = [reading("2026-10-25T02:30:00+02:00", 7, 1), reading("2026-10-25T02:30:00+01:00", 10, 2)];
  const parts = spread(meterOf(electricity, doubled), [
    ms("2026-10-25T02:00:00+02:00"),
    ms("2026-10-25T02:00:00+01:00"),
    ms("2026-10-25T03:00:00+01:00"),
  ]);
  expect(parts.map(({ amount }) => amount)).toEqual([1.5, 1.5]);
});

test("the day of 23 hours holds 23 hours, and the missing hour is none", () => {
  // One kWh an hour from Saturday noon to Monday noon: 47 hours, 12 + 23 + 12.
  const readings = [reading("2026-03-28T11:00:00Z", 0, 1), reading("2026-03-30T10:00:00Z", 47, 2)];
  const account = meterOf({ ...electricity, maxRate: 2 }, readings);
  const days = spread(
    account,
    warsaw.edges("day", ms("2026-03-28T12:00:00+01:00"), ms("2026-03-31T00:00:00+02:00")),
  );
  expect(days.map(({ amount }) => Number(amount.toFixed(9)))).toEqual([12, 23, 12]);
  expect(warsaw.edges("hour", ms("2026-03-29T00:00:00+01:00"), ms("2026-03-30T00:00:00+02:00"))).toHaveLength(
    24,
  );
  // 01:50 to 03:10 by the wall are 20 minutes: 4 kWh, half before the leap.
  const leap = [reading("2026-03-29T01:50:00+01:00", 7, 1), reading("2026-03-29T03:10:00+02:00", 11, 2)];
  const edges = [
    ms("2026-03-29T01:00:00+01:00"),
    ms("2026-03-29T03:00:00+02:00"),
    ms("2026-03-29T04:00:00+02:00"),
  ];
  expect(spread(meterOf(electricity, leap), edges).map(({ amount }) => amount)).toEqual([2, 2]);
});

test("a correction is spread over its range and says who made it", () => {
  const entries = [entry.installed(0, electricity), entry.corrected(at(2), at(6), 8)];
  const account = readMeter(entries, quarters(100, 101, 102, 103, 104, 105, 106, 107, 108), at(8), options);
  // 4 kWh an hour as measured, 8 over the hour from 12:30: 4 in each half.
  const buckets = spread(account, [at(0), at(4), at(8)]);
  expect(buckets.map(({ amount, measured, corrected }) => [amount, measured, corrected])).toEqual([
    [8, 4, 4],
    [8, 4, 4],
  ]);
  expect(account.corrections).toMatchObject([
    { amount: 8, who: "jan", why: "protocol 17/2026", recordedMs: noonMs },
  ]);
  // Made good by its opposite, or given twice, it adds nothing.
  const again = entry.corrected(at(2), at(6), 8);
  expect(updateMeter(account, { entries: [again] }).account.corrections).toHaveLength(1);
  const { account: undone } = updateMeter(account, { entries: [entry.corrected(at(2), at(6), -8)] });
  expect(spread(undone, [at(0), at(8)])[0]).toMatchObject({ amount: 8, corrected: 0 });
});

test("what can't be measured whole stays estimated in a bucket that holds it whole", () => {
  // A reset: 1.5 kWh are the least that flowed.
  const [bucket] = spread(meterOf(electricity, quarters(5_000, 5_003, 1.5, 4)), [at(0), at(4)]);
  expect(bucket).toMatchObject({ amount: 7, measured: 5.5, estimated: 1.5 });
  const [jump] = spread(meterOf(electricity, quarters(5_000, 5_100, 5_101, 5_103)), [at(0), at(4)]);
  expect(jump).toMatchObject({ amount: 3, measured: 3, suspect: 0, apart: 100, coverage: 0.5 });
});

test("an account that forgets goes on as if it hadn't, and says what it can't reach", () => {
  const values = Array.from({ length: 40 }, (_, quarter) => 1_000 + quarter);
  const account = forget(meterOf(electricity, quarters(...values)), at(30));
  expect([account.knownFromMs, account.intervals.length]).toEqual([at(30), 9]);
  const news: Reading[] = [
    { timeMs: at(40), value: 1_041, sequence: 41 },
    { timeMs: at(12) + minuteMs, value: 1_012.5, sequence: 42 },
  ];
  const update = updateMeter(account, { readings: news });
  expect(update.unreached).toEqual([news[1]]);
  expect(update.change.booked.map(({ amount }) => amount)).toEqual([2]);
  expect(() => updateMeter(account, { entries: [entry.removed(at(41))] })).toThrow(
    expect.objectContaining({ code: "meter-forgotten" }),
  );
  expect(forget(account, at(0) - hourMs)).toBe(account);
});
