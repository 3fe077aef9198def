import { expect, test } from "vitest";
import { beginningOf, readMeter, type Reading, type Register, updateMeter } from "../ingest/meters/index.js";
import {
  at,
  electricity,
  entry,
  left,
  meterOf,
  minuteMs,
  noonMs,
  options,
  quarters,
  rows,
} from "./support/meter.js";

test("an exchange with a protocol loses nothing", () => {
  // Old: 5,003 at 12:15, taken out at 12:20 with 5,003.8; new: begins with 0.2, shows 1.7 at 12:30. 0.8 + 1.5 in that quarter.
  const entries = [
    entry.installed(0, electricity),
    entry.exchanged(at(1) + 5 * minuteMs, { ...electricity, serial: "E-2" }, 5_003.8, 0.2),
  ];
  const account = readMeter(entries, quarters(5_000, 5_003, 1.7, 4), at(3), options);
  expect(rows(account)).toEqual([
    ["0-15", 3, "measured", "normal"],
    ["15-20", 0.8, "measured", "normal"],
    ["20-30", 1.5, "measured", "normal"],
    ["30-45", 2.3, "measured", "normal"],
  ]);
  expect(account.intervals.map(({ serial }) => serial)).toEqual(["E-1", "E-1", "E-2", "E-2"]);
  expect(account.intervals[1]?.to).toMatchObject({ value: 5_003.8, entry: `ex-${at(1) + 5 * minuteMs}` });
});

test("an exchange without a protocol counts the new register from zero where that can be", () => {
  const exchangeMs = at(1) + 5 * minuteMs;
  const next: Register = { ...electricity, serial: "E-2" };
  const account = (readings: Reading[], final?: number, start?: number) =>
    rows(
      readMeter(
        [entry.installed(0, electricity), entry.exchanged(exchangeMs, next, final, start)],
        readings,
        at(3),
        options,
      ),
    ).slice(1);
  // Nothing known: 1.7 kWh can have flowed in 15 min.
  expect(account(quarters(5_000, 5_003, 1.7, 4))).toEqual([
    ["15-30", 1.7, "estimated", "exchange"],
    ["30-45", 2.3, "measured", "normal"],
  ]);
  // A used meter that shows 700 counted no 700 kWh in 15 min.
  expect(account(quarters(5_000, 5_003, 700, 702))).toEqual([
    ["15-30", 0, "suspect", "exchange"],
    ["30-45", 2, "measured", "normal"],
  ]);
  // The final reading alone: 0.8 until then; 1.7 in the 10 min after (most 40 / 6 × 1.1 + 0.002 = 7.335).
  expect(account(quarters(5_000, 5_003, 1.7, 4), 5_003.8)).toEqual([
    ["15-20", 0.8, "measured", "normal"],
    ["20-30", 1.7, "estimated", "exchange"],
    ["30-45", 2.3, "measured", "normal"],
  ]);
  // The first reading alone: nothing is known of the 5 min before; 1.7 - 0.2 after.
  expect(account(quarters(5_000, 5_003, 1.7, 4), undefined, 0.2)).toEqual([
    ["15-20", 0, "estimated", "exchange"],
    ["20-30", 1.5, "measured", "normal"],
    ["30-45", 2.3, "measured", "normal"],
  ]);
});

test("each register counts by its own multiplier", () => {
  // 3 × 40 kWh, then 0.5 × 1 and 1.5 × 1.
  const old: Register = { ...electricity, multiplier: 40, maxRate: 1_000 };
  const entries = [entry.installed(0, old, 0), entry.exchanged(at(1), electricity, 13, 0)];
  const account = readMeter(entries, quarters(10, undefined, 0.5, 2), at(3), options);
  expect(rows(account).slice(1)).toEqual([
    ["0-15", 120, "measured", "normal"],
    ["15-30", 0.5, "measured", "normal"],
    ["30-45", 1.5, "measured", "normal"],
  ]);
});

test("a register that says it began again is a new one, protocol or not", () => {
  const since = (epoch: string, readings: Reading[]) => readings.map((reading) => ({ ...reading, epoch }));
  const readings = [
    ...since("2025-02-01", quarters(617, 618)),
    ...since("2026-11-23", quarters(undefined, undefined, 0.4, 1)),
  ];
  // 0.4 kWh since it began again; then 0.6.
  expect(rows(meterOf(electricity, readings)).slice(1)).toEqual([
    ["15-30", 0.4, "estimated", "new-epoch"],
    ["30-45", 0.6, "measured", "normal"],
  ]);
  // Set to 300 by hand: nobody knows what of it flowed.
  const set = [...since("2025-02-01", quarters(617)), ...since("2026-11-23", quarters(undefined, 300, 301))];
  expect(rows(meterOf(electricity, set))).toEqual([
    ["0-15", 0, "suspect", "new-epoch"],
    ["15-30", 1, "measured", "normal"],
  ]);
});

test("order and copies don't matter, and of two values of one moment the first stays", () => {
  const readings = quarters(1_000, 1_002, 1_003, 1_007);
  const expected = meterOf(electricity, readings);
  const copies = readings.map((reading) => ({ ...reading, sequence: reading.sequence + 100 }));
  expect(meterOf(electricity, [...copies, ...readings].reverse())).toEqual(expected);
  const other = { timeMs: at(1), value: 1_001, sequence: 9 };
  const account = meterOf(electricity, [other, ...readings]);
  expect(account.intervals).toEqual(expected.intervals);
  expect(left(account)).toEqual([[1_001, "conflict"]]);
});

test("readings of a time when no register counted are kept apart", () => {
  const entries = [entry.installed(at(1), electricity, 0), entry.removed(at(3), 4)];
  // 0 at 12:15, 2.5 at 12:30, 4 at 12:45 by the protocol; 12:00, 12:45 and 13:00 are nobody's.
  const account = readMeter(entries, quarters(77, 1, 2.5, 88, 99), at(4), options);
  expect(rows(account)).toEqual([
    ["15-30", 2.5, "measured", "normal"],
    ["30-45", 1.5, "measured", "normal"],
  ]);
  expect(account.outside.map(({ value }) => value)).toEqual([77, 88, 99]);
  // Installed again at the moment of the removal, whichever was written down first: 88 begins, 99 is 11 more.
  const { account: again } = updateMeter(account, {
    entries: [{ ...entry.installed(at(3), electricity), recordedMs: 0 }],
  });
  expect(rows(again).slice(2)).toEqual([["45-60", 11, "measured", "normal"]]);
});

test("late readings change the intervals that they touch, and no other", () => {
  const values = Array.from({ length: 40 }, (_, quarter) => 1_000 + quarter);
  const readings = quarters(...values);
  const late = readings[20] as Reading;
  const without = meterOf(
    electricity,
    readings.filter((reading) => reading !== late),
  );
  // 1,019 at quarter 19 and 1,021 at quarter 21: 2 kWh over a gap of 30 min; then 1 and 1.
  const { account, change } = updateMeter(without, { readings: [late] });
  expect(change.withdrawn.map(({ fromMs, toMs, amount, mark }) => [fromMs, toMs, amount, mark])).toEqual([
    [at(19), at(21), 2, "estimated"],
  ]);
  expect(change.booked.map(({ fromMs, toMs, amount, mark }) => [fromMs, toMs, amount, mark])).toEqual([
    [at(19), at(20), 1, "measured"],
    [at(20), at(21), 1, "measured"],
  ]);
  expect(account).toEqual(meterOf(electricity, readings));
  // What lies outside of it isn't even followed again.
  const [before, after] = [without.tracks[0]?.track.points, account.tracks[0]?.track.points];
  expect(after?.[10]).toBe(before?.[10]);
  expect(after?.[30]).toBe(before?.[29]);
});

test("a late reading may put what follows it in doubt, or take it out of doubt", () => {
  // Zeros from the first reading on are what the meter shows; after 5,000 they may be a fault.
  const zeros = quarters(undefined, 0, 0, 0, 0);
  const first = quarters(5_000);
  const next = { timeMs: at(5), value: 5_009, sequence: 6 };
  const doubted = updateMeter(meterOf(electricity, zeros, at(5)), { readings: first }).account;
  expect(doubted).toEqual(meterOf(electricity, [...first, ...zeros], at(5)));
  const { account } = updateMeter(doubted, { readings: [next] });
  expect(rows(account)).toEqual([["0-75", 9, "estimated", "gap"]]);
  // A register that says it began again in between is at zero.
  const [old, began] = [
    { ...first[0], epoch: "a" } as Reading,
    { timeMs: at(0) + minuteMs, value: 0, sequence: 9, epoch: "b" },
  ];
  const before = meterOf(electricity, [old, ...zeros], at(5));
  const sure = updateMeter(before, { readings: [began] }).account;
  expect(sure).toEqual(meterOf(electricity, [old, began, ...zeros], at(5)));
  expect(updateMeter(sure, { readings: [next] }).account.held?.readings).toEqual([next]);
});

test("an entry that comes late reads the life again", () => {
  const before = meterOf(electricity, quarters(5_000, 5_003, 1.7, 4));
  expect(rows(before)[1]).toEqual(["15-30", 1.7, "estimated", "reset"]);
  const next = entry.exchanged(at(1) + 5 * minuteMs, { ...electricity, serial: "E-2" }, 5_003.8, 0.2);
  const { account, change } = updateMeter(before, { entries: [next] });
  expect(rows(account).map(([, amount]) => amount)).toEqual([3, 0.8, 1.5, 2.3]);
  expect([change.withdrawn.length, change.booked.length]).toEqual([2, 3]);
  // Withdrawn, it is as it was.
  const gone = {
    id: "w",
    kind: "withdrawn",
    entry: next.id,
    recordedMs: noonMs,
    who: "ewa",
    why: "wrong house",
  } as const;
  expect(rows(updateMeter(account, { entries: [gone] }).account)).toEqual(rows(before));
});

test("a life that contradicts itself is refused", () => {
  const read = (...entries: Parameters<typeof readMeter>[0]) => readMeter(entries, [], noonMs, options);
  const life = expect.objectContaining({ code: "meter-life" });
  expect(() => read(entry.exchanged(5, electricity))).toThrow(life);
  expect(() => read(entry.removed(5))).toThrow(life);
  expect(() => read(entry.installed(5, electricity), entry.installed(6, electricity))).toThrow(life);
  expect(() => read(entry.installed(5, electricity), entry.removed(5))).toThrow(life);
  expect(() => read(entry.corrected(7, 7, 1))).toThrow(life);
  expect(() =>
    read(entry.installed(5, electricity), { ...entry.installed(5, electricity), who: "ewa" }),
  ).toThrow(life);
  const register = expect.objectContaining({ code: "meter-register" });
  expect(() => read(entry.installed(5, { ...electricity, maxRate: 0 }))).toThrow(register);
  expect(() => read(entry.installed(5, electricity, 100_000))).toThrow(register);
});

test("a life begins as the registry describes the meter", () => {
  // Five digits count to 100,000; 32 bits of 0.001 kWh to 4,294,967.296.
  const said = { serial: "30-1", resolution: 0.001, multiplier: 1, maxRate: 40, installed: noonMs };
  const registers = {
    energy_import_kwh: { ...said, digits: 5, start: 99_998 },
    energy_export_kwh: { ...said, bits: 32 },
  };
  const device = {
    id: "em-1",
    class: "electricity-meter",
    place: "krakow",
    sinceMs: 7,
    meter: { registers },
  };
  const life = beginningOf(device, "energy_import_kwh", "kWh");
  // 2 kWh to the end of the register and 3 more; then 2.
  expect(rows(readMeter([life], quarters(undefined, 3, 5), at(2), options))).toEqual([
    ["0-15", 5, "measured", "rollover"],
    ["15-30", 2, "measured", "normal"],
  ]);
  expect(beginningOf(device, "energy_export_kwh", "kWh")).toMatchObject({
    id: "em-1/energy_export_kwh/30-1",
    register: { modulus: 4_294_967.296, unit: "kWh" },
  });
  // Of what nobody described: 160 A × 3 × 230 V = 110 kW, in 15 min at most 110 × 0.25 × 1.1 + 0.002 = 30.252.
  const unsaid = beginningOf(device, "energy_import_t1_kwh", "kWh");
  expect(rows(readMeter([unsaid], quarters(500, 530), at(1), options))).toEqual([
    ["0-15", 30, "measured", "normal"],
  ]);
  expect(readMeter([unsaid], quarters(500, 531), at(1), options).held?.readings).toHaveLength(1);
});
