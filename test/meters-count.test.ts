import { expect, test } from "vitest";
import {
  AnchorSearch,
  bookedTotal,
  modulusOf,
  readLife,
  readMeter,
  type Reading,
  type Register,
  updateMeter,
} from "../ingest/meters/index.js";
import {
  at,
  electricity,
  entry,
  hourMs,
  left,
  meterOf,
  minuteMs,
  noonMs,
  options,
  quarters,
  rows,
  water,
} from "./support/meter.js";

test("books what a register counts between two readings, and names both", () => {
  const account = meterOf(electricity, quarters(1_000, 1_002.5, 1_002.5, 1_006));
  expect(rows(account)).toEqual([
    ["0-15", 2.5, "measured", "normal"],
    ["15-30", 0, "measured", "normal"],
    ["30-45", 3.5, "measured", "normal"],
  ]);
  expect(account.intervals[2]).toMatchObject({
    from: { value: 1_002.5, sequence: 3 },
    to: { value: 1_006, sequence: 4 },
    serial: "E-1",
  });
});

test("counts pulses and transformer ratios by the multiplier", () => {
  // A pulse is 10 litres: 37 pulses are 0.37 m³. Most in 15 min: (3.125 / 0.01) × 0.25 × 1.1 + 2 = 87.9 pulses.
  const pulses: Register = {
    ...water,
    multiplier: 0.01,
    resolution: 1,
    modulus: modulusOf({ bits: 16, resolution: 1 }),
  };
  expect(rows(meterOf(pulses, quarters(100, 137)))).toEqual([["0-15", 0.37, "measured", "normal"]]);
  // 65,530 to 65,536 are 6 pulses, and 14 more: 20 × 0.01 m³.
  expect(rows(meterOf(pulses, quarters(65_530, 14, 20)))).toEqual([
    ["0-15", 0.2, "measured", "rollover"],
    ["15-30", 0.06, "measured", "normal"],
  ]);
  // Transformers 200/5: 40 times 1.25 kWh. Most: (400 / 40) × 0.25 × 1.1 + 0.002 = 2.752 on the register.
  const transformer: Register = { ...electricity, multiplier: 40, maxRate: 400 };
  expect(rows(meterOf(transformer, quarters(10, 11.25)))).toEqual([["0-15", 50, "measured", "normal"]]);
});

test("knows how far the usual registers count", () => {
  expect(modulusOf({ digits: 6, resolution: 1 })).toBe(1_000_000);
  // Five digits and three decimals: eight drums of 0.001.
  expect(modulusOf({ digits: 8, resolution: 0.001 })).toBe(100_000);
  expect(modulusOf({ bits: 24, resolution: 1 })).toBe(16_777_216);
  expect(modulusOf({ bits: 32, resolution: 0.001 })).toBeCloseTo(4_294_967.296, 6);
});

test("counts on through a rollover near the modulus, and only there", () => {
  // 99,998 to 100,000 are 2 kWh, and 3 more.
  expect(rows(meterOf(electricity, quarters(99_998, 3, 5)))).toEqual([
    ["0-15", 5, "measured", "rollover"],
    ["15-30", 2, "measured", "normal"],
  ]);
  // From 99,980 it would be 20 + 3 = 23 kWh, more than the 11.002 that can flow: a reset.
  expect(rows(meterOf(electricity, quarters(99_980, 3, 5)))).toEqual([
    ["0-15", 3, "estimated", "reset"],
    ["15-30", 2, "measured", "normal"],
  ]);
  // A width that nobody knows proves nothing.
  const { modulus: _, ...endless } = electricity;
  expect(rows(meterOf(endless, quarters(99_998, 3, 5)))[0]).toEqual(["0-15", 3, "estimated", "reset"]);
});

test("doubts an amount when the register may have turned more than once", () => {
  // 16 bits of 0.01 m³ are 655.36 m³; at 3.125 m³/h × 1.1 a turn takes 191 h: after 300 h it may have turned (1031 m³).
  const pulses: Register = { ...water, multiplier: 0.01, resolution: 1, modulus: 65_536 };
  const readings: Reading[] = [
    { timeMs: noonMs, value: 1_000, sequence: 1 },
    { timeMs: noonMs + 300 * hourMs, value: 3_000, sequence: 2 },
  ];
  expect(rows(meterOf(pulses, readings))).toEqual([["0-18000", 20, "suspect", "turns-unknown"]]);
});

test("counts from zero after a reset, and says that it is the least", () => {
  // What flowed after 5,003 and before the reset is lost; 1.5 kWh since.
  const account = meterOf(electricity, quarters(5_000, 5_003, 1.5, 4));
  expect(rows(account)).toEqual([
    ["0-15", 3, "measured", "normal"],
    ["15-30", 1.5, "estimated", "reset"],
    ["30-45", 2.5, "measured", "normal"],
  ]);
  expect(account.intervals.map(({ lowerBound }) => lowerBound)).toEqual([false, true, false]);
});

test("a glitch to zero and back doesn't add the meter again", () => {
  // 5,001 to 5,004: 3 kWh in two quarters.
  const once = meterOf(electricity, quarters(5_000, 5_001, 0, 5_004, 5_006));
  expect(rows(once)).toEqual([
    ["0-15", 1, "measured", "normal"],
    ["15-45", 3, "estimated", "gap"],
    ["45-60", 2, "measured", "normal"],
  ]);
  expect(left(once)).toEqual([[0, "glitch"]]);
  // Zeros that agree look like a reset, until the register goes on.
  const zeros = quarters(5_000, 5_001, 0, 0, 0);
  expect(rows(meterOf(electricity, zeros)).slice(1)).toEqual([
    ["15-30", 0, "estimated", "reset"],
    ["30-45", 0, "measured", "normal"],
    ["45-60", 0, "measured", "normal"],
  ]);
  const { account, change } = updateMeter(meterOf(electricity, zeros), {
    readings: [{ timeMs: at(5), value: 5_009, sequence: 6 }],
  });
  expect(rows(account)).toEqual([
    ["0-15", 1, "measured", "normal"],
    ["15-75", 8, "estimated", "gap"],
  ]);
  expect([change.withdrawn.length, change.booked.length]).toEqual([3, 1]);
});

test("faults within faults are taken back one by one", () => {
  // Zeros, then 700 that stays for three readings, then zero again, then what was before all of it: 5,009 - 5,001.
  const values = [5_000, 5_001, 0, 0, 700, 700, 700];
  expect(rows(meterOf(electricity, quarters(...values))).map(([, amount, , why]) => [amount, why])).toEqual([
    [1, "normal"],
    [0, "reset"],
    [0, "normal"],
    [0, "jump"],
    [0, "normal"],
    [0, "normal"],
  ]);
  for (const { more, omitted } of [
    { more: [0, 5_009], omitted: 6 },
    { more: [5_007, 5_009], omitted: 5 },
  ]) {
    const account = meterOf(electricity, quarters(...values, ...more));
    expect(account.intervals.reduce((sum, { amount }) => sum + amount, 0)).toBe(9);
    expect(account.skipped).toHaveLength(omitted);
  }
});

test("a wild value between the last good one and a reset is told", () => {
  // 5,000, nonsense, then 1 and 2 kWh after the reset. Most in 30 min: 22.002.
  const account = meterOf(electricity, quarters(5_000, 65_535, 1, 2));
  expect(rows(account).map(([, amount, , why]) => [amount, why])).toEqual([
    [1, "reset"],
    [1, "normal"],
  ]);
  expect(left(account)).toEqual([[65_535, "spike"]]);
});

test("a glitch to zero just before the modulus is no rollover", () => {
  // 99,995 → 0 could be 5 kWh; 99,997 says it was none: 2.
  expect(rows(meterOf(electricity, quarters(99_995, 0, 99_997, 99_999)))).toEqual([
    ["0-30", 2, "estimated", "gap"],
    ["30-45", 2, "measured", "normal"],
  ]);
});

test("a spike and back counts for nothing", () => {
  const account = meterOf(electricity, quarters(5_000, 65_535, 65_535, 5_003, 5_004));
  expect(rows(account)).toEqual([
    ["0-45", 3, "estimated", "gap"],
    ["45-60", 1, "measured", "normal"],
  ]);
  expect(left(account)).toEqual([
    [65_535, "spike"],
    [65_535, "spike"],
  ]);
});

test("a dip is held back until the next value decides, or until the wait is over", () => {
  const readings = quarters(5_000, 5_002, 4_990);
  const held = meterOf(electricity, readings);
  expect(rows(held)).toEqual([["0-15", 2, "measured", "normal"]]);
  expect(held.held).toEqual({ readings: [readings[2]], untilMs: at(2) + options.waitMs });
  // Two hours later nothing came: the time is booked with nothing, in doubt.
  const { account: overdue } = updateMeter(held, { asOfMs: at(2) + options.waitMs });
  expect(overdue.held).toBeUndefined();
  expect(rows(overdue)[1]).toEqual(["15-30", 0, "suspect", "fall"]);
  // The next value decides: 5,005 - 5,002.
  const next = { readings: [{ timeMs: at(3), value: 5_005, sequence: 4 }] };
  for (const before of [held, overdue]) {
    const { account, change } = updateMeter(before, next);
    expect(rows(account).slice(1)).toEqual([["15-45", 3, "estimated", "gap"]]);
    expect(change.withdrawn).toHaveLength(before === held ? 0 : 1);
    expect(left(account)).toEqual([[4_990, "glitch"]]);
  }
});

test("a fall to nearly nothing is held back, then booked in doubt, then for certain", () => {
  const held = meterOf(electricity, quarters(5_000, 1.5));
  expect(rows(held)).toEqual([]);
  const { account: overdue } = updateMeter(held, { asOfMs: at(1) + options.waitMs });
  expect(rows(overdue)).toEqual([["0-15", 1.5, "suspect", "reset"]]);
  const { account } = updateMeter(overdue, { readings: [{ timeMs: at(2), value: 2, sequence: 3 }] });
  expect(rows(account)).toEqual([
    ["0-15", 1.5, "estimated", "reset"],
    ["15-30", 0.5, "measured", "normal"],
  ]);
});

test("what was believed by what came after it is looked at anew when something comes between", () => {
  const jump = quarters(5_000, 5_100, 5_101, 5_102);
  // The jump took three readings that agree; one that doesn't comes late between the second and the third.
  const late: Reading = { timeMs: at(2) + 5 * minuteMs, value: 4_990, sequence: 5 };
  const before = meterOf(electricity, jump);
  expect(rows(before)[0]).toEqual(["0-15", 0, "suspect", "jump"]);
  const { account } = updateMeter(before, { readings: [late] });
  expect(rows(account)).toEqual([]);
  expect(account).toEqual(meterOf(electricity, [...jump, late]));
});

test("a jump that stays is no flow: it stands apart once two more readings agree", () => {
  const jump = quarters(5_000, 5_100, 5_101);
  expect(meterOf(electricity, jump).held?.readings.map(({ value }) => value)).toEqual([5_100, 5_101]);
  // 100 kWh can't flow in 15 min (11.002): apart; 1 and 2 kWh flow after it.
  const account = meterOf(electricity, quarters(5_000, 5_100, 5_101, 5_103));
  expect(rows(account)).toEqual([
    ["0-15", 0, "suspect", "jump"],
    ["15-30", 1, "measured", "normal"],
    ["30-45", 2, "measured", "normal"],
  ]);
  expect(account.intervals.map(({ apart }) => apart)).toEqual([100, 0, 0]);
  expect(bookedTotal(account)).toBe(5_103 - 5_000);
});

test("a fall that stays, neither rollover nor reset, stands apart too", () => {
  const account = meterOf(electricity, quarters(5_000, 4_000, 4_001, 4_003));
  expect(rows(account).map(([, amount]) => amount)).toEqual([0, 1, 2]);
  expect(account.intervals.map(({ apart }) => apart)).toEqual([-1_000, 0, 0]);
  expect(bookedTotal(account)).toBe(4_003 - 5_000);
});

test("water that flows back is taken off; energy that falls by a digit is noise", () => {
  // 12.000 → 12.300 → 12.270 (30 l back) → 12.400.
  expect(rows(meterOf(water, quarters(12, 12.3, 12.27, 12.4)))).toEqual([
    ["0-15", 0.3, "measured", "normal"],
    ["15-30", -0.03, "measured", "backflow"],
    ["30-45", 0.13, "measured", "normal"],
  ]);
  // Back across zero: 0.010 → 9,999.990 is 20 l back, and 0.015 is 25 l forward again.
  expect(rows(meterOf(water, quarters(0.01, 9_999.99, 0.015)))).toEqual([
    ["0-15", -0.02, "measured", "backflow"],
    ["15-30", 0.025, "measured", "rollover"],
  ]);
  // 2 Wh down is twice the last digit: left out, the register stays at 100.5.
  const jitter = meterOf(electricity, quarters(100, 100.5, 100.498, 101));
  expect(rows(jitter).slice(1)).toEqual([["15-45", 0.5, "estimated", "gap"]]);
  expect(left(jitter)).toEqual([[100.498, "jitter"]]);
});

test("a value that the register can't show counts for nothing", () => {
  const account = meterOf(electricity, quarters(5_000, 100_000, -1, 5_003));
  expect(left(account)).toEqual([
    [100_000, "out-of-range"],
    [-1, "out-of-range"],
  ]);
  expect(rows(account)).toEqual([["0-45", 3, "estimated", "gap"]]);
});

/** Steps of the last digit above 600: what came before a run and after a wild 0, the run, and which of it is an anchor. */
const runs: { run: string; before: number[]; steps: number[]; anchor?: number }[] = [
  { run: "of three readings that rise, and rise again", before: [], steps: [0, 6, 12, 18], anchor: 3 },
  { run: "of two readings that rise, and end below what is believed", before: [0, 0, 14], steps: [0, 7, 13] },
  { run: "that rises once, to what is believed", before: [0, 0, 8], steps: [0, 0, 7, 7] },
  { run: "that rises twice, to what was believed before it fell", before: [6, 4, 2], steps: [0, 4, 4, 8] },
  { run: "that rises clear of what it fell from", before: [6, 4, 2], steps: [0, 6, 6, 12], anchor: 3 },
];

test.each(runs)(
  "a run $run is an anchor only where nothing can be taken back",
  ({ before, steps, anchor }) => {
    const values = [0, ...[...before, ...steps].map((step) => (600_000 + step) / 1_000), 0];
    const all = values.map((value, index): Reading => {
      return { timeMs: noonMs + index * 15 * minuteMs, value, sequence: index };
    });
    const entries = [entry.installed(0, electricity)];
    const since = all.slice(1 + before.length);
    const [fromMs, toMs] = [since[0]?.timeMs ?? 0, at(40)];
    const search = new AnchorSearch(readLife(entries).spans, { fromMs, toMs });
    search.take(since);
    expect(since.findIndex(({ timeMs }) => timeMs === search.foundMs)).toBe(anchor ?? -1);
    const after = (readings: readonly Reading[]) => {
      const { intervals } = readMeter(entries, readings, at(40), options);
      return intervals.filter((one) => one.fromMs >= (since[anchor ?? 0]?.timeMs ?? 0));
    };
    // What isn't an anchor would have given something else.
    if (anchor === undefined) expect(after(since)).not.toEqual(after(all));
    else expect(after(since)).toEqual(after(all));
  },
);
