import fc from "fast-check";
import { expect, test } from "vitest";
import {
  AnchorSearch,
  bookedTotal,
  forget,
  type Interval,
  type MeterAccount,
  readLife,
  readMeter,
  type Reading,
  type Register,
  spread,
  updateMeter,
} from "../ingest/meters/index.js";
import { Zone } from "../ingest/stores/zone.js";
import { electricity, entry, hourMs, minuteMs, noonMs, options, water } from "./support/meter.js";

/** Readings of all kinds: values near one another, near zero, near the modulus, anywhere; times that collide. */
const readings = (register: Register) => {
  const modulus = register.modulus ?? 1_000;
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }).map((step) => 500 + step / 4) },
    { weight: 2, arbitrary: fc.constantFrom(0, 0.001, 0.5, 1, 2) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 20 }).map((step) => modulus - step / 4) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: modulus + 10 }) },
  );
  const epoch = fc.option(fc.constantFrom("a", "b"), { nil: undefined, freq: 12 });
  const sequence = fc.integer({ min: 0, max: 9 });
  const one = fc.tuple(fc.integer({ min: 0, max: 60 }), value, sequence, epoch);
  // Few moments, and values that agree with what is wrong: faults within faults.
  const few = fc.constantFrom(0, 0, 0, 0.5, 1, 700, 700, 500, 500, 501, 502, 503);
  const crowded = fc.tuple(fc.integer({ min: 0, max: 14 }), few, sequence, epoch);
  const either = fc.oneof(fc.array(one, { maxLength: 40 }), fc.array(crowded, { maxLength: 16 }));
  return either.map((all) =>
    all.map(([quarter, value, sequence, epoch]): Reading => {
      const timeMs = noonMs + quarter * 15 * minuteMs;
      return { timeMs, value, sequence, ...(epoch === undefined ? {} : { epoch }) };
    }),
  );
};

const lives = fc.constantFrom(
  [entry.installed(0, electricity)],
  [entry.installed(0, water)],
  [
    entry.installed(0, water, 3),
    entry.exchanged(noonMs + 5 * hourMs, { ...water, serial: "W-2" }, 510, 0),
    entry.exchanged(noonMs + 9 * hourMs, electricity),
    entry.removed(noonMs + 12 * hourMs),
    entry.installed(noonMs + 13 * hourMs, water),
    entry.corrected(noonMs, noonMs + 7 * hourMs, 2.5),
  ],
);

/** Deals what there is into batches, in an order of its own, some of it twice. */
const dealt = <T>(items: readonly T[]) =>
  fc
    .tuple(
      fc.shuffledSubarray(items as T[], { minLength: items.length }),
      fc.shuffledSubarray(items as T[]),
      fc.array(fc.nat(8), { maxLength: 30 }),
    )
    .map(([all, twice, sizes]) => {
      const rest = [...all, ...twice];
      const batches: T[][] = [];
      for (const size of sizes) batches.push(rest.splice(0, size));
      return [...batches, rest];
    });

const history = fc
  .tuple(lives, fc.boolean())
  .chain(([life, dry]) => fc.tuple(fc.constant(life), readings(dry ? electricity : water)))
  .chain(([life, all]) => fc.tuple(fc.constant(life), fc.constant(all), dealt(all)));

const asOfMs = noonMs + 16 * hourMs;

test("any order, split and duplication of the same readings gives the same account", () => {
  fc.assert(
    fc.property(history, ([life, all, batches]) => {
      const whole = readMeter(life, all, asOfMs, options);
      expect(readMeter([...life, ...life].reverse(), batches.flat(), asOfMs, options)).toEqual({
        ...whole,
        entries: expect.anything(),
      });
      let account = readMeter(life, [], asOfMs, options);
      let kept: Interval[] = account.intervals;
      for (const batch of batches) {
        const update = updateMeter(account, { readings: batch });
        const gone = new Set(update.change.withdrawn.map(nameOf));
        const stays = kept.filter((interval) => !gone.has(nameOf(interval)));
        expect(kept.length - stays.length).toBe(gone.size);
        kept = [...stays, ...update.change.booked].sort((a, b) => a.fromMs - b.fromMs);
        ({ account } = update);
      }
      expect(account).toEqual(whole);
      // Whoever followed the changes alone has the same intervals.
      expect(kept.map(nameOf)).toEqual(whole.intervals.map(nameOf));
    }),
    { numRuns: 250 },
  );
});

const nameOf = ({ fromMs, toMs, amount, apart, mark, why }: Interval): string =>
  [fromMs, toMs, amount, apart, mark, why].join(" ");

test("every reading is taken, left out for a reason, held back, or nobody's", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 0, max: 20 }), ([life, all], hours) => {
      const account = readMeter(life, all, noonMs + hours * hourMs, options);
      const taken = account.intervals.flatMap(({ from, to }) => [from, to]);
      const first = account.tracks.flatMap(({ track }) => track.points.slice(0, 1));
      const told = [
        ...taken,
        ...first.map((point) => point.reading),
        ...account.skipped.map(({ reading }) => reading),
        ...(account.held?.readings ?? []),
        ...account.outside,
      ];
      const texts = (list: readonly Reading[]) =>
        [...new Set(list.map(({ timeMs, value, epoch = "" }) => `${timeMs} ${value} ${epoch}`))].sort();
      expect(texts(told.filter(({ entry }) => entry === undefined))).toEqual(
        texts(all.filter(({ timeMs, value, epoch }) => !isProtocol(account, timeMs, value, epoch))),
      );
      expect(account.skipped.filter(({ reading }) => taken.includes(reading))).toEqual([]);
    }),
    { numRuns: 250 },
  );
});

/** True for what a device says that a protocol says as well. */
const isProtocol = (account: MeterAccount, timeMs: number, value: number, epoch?: string): boolean =>
  epoch === undefined &&
  account.tracks.some(({ span: { start } }) => start?.timeMs === timeMs && start.value === value);

test("every interval says what its two readings say, but for what it gives a reason for", () => {
  fc.assert(
    fc.property(history, ([life, all]) => {
      const { intervals, corrections } = readMeter(life, all, asOfMs, options);
      let [endMs, expected] = [Number.NEGATIVE_INFINITY, 0];
      for (const { fromMs, toMs, from, to, amount, apart, why, mark } of intervals) {
        expect(fromMs).toBeGreaterThanOrEqual(endMs);
        expect([from.timeMs, to.timeMs]).toEqual([fromMs, toMs]);
        endMs = toMs;
        const d = to.value - from.value;
        const modulus = d < 0 ? 10_000 : -10_000;
        const booked = amount + apart;
        if (why === "normal" || why === "gap" || why === "turns-unknown") expect(booked).toBeCloseTo(d, 6);
        if (why === "reset") expect(booked).toBe(to.value);
        if (why === "rollover")
          expect([d + 10_000, d + 100_000].map((sum) => sum.toFixed(6))).toContain(booked.toFixed(6));
        if (why === "backflow")
          expect([d, d + modulus].map((sum) => sum.toFixed(6))).toContain(booked.toFixed(6));
        if ((why === "jump" || why === "fall") && apart !== 0) expect(booked).toBeCloseTo(d, 6);
        if (why !== "jump" && why !== "fall") expect(apart).toBe(0);
        if (amount < 0) expect(why).toBe("backflow");
        expect(why === "jump" || why === "fall" ? mark : "suspect").toBe("suspect");
        expected += booked;
      }
      for (const { amount } of corrections) expected += amount;
      expect(bookedTotal({ intervals, corrections })).toBeCloseTo(expected, 6);
    }),
    { numRuns: 250 },
  );
});

/** What a meter does in a quarter of an hour. */
type Quarter = { wattHours: number; fault: "none" | "lost" | "zero" | "spike" | "twice"; exchange: boolean };

const quarter = fc.record<Quarter>({
  wattHours: fc.integer({ min: 0, max: 9_000 }),
  fault: fc.constantFrom("none", "none", "none", "none", "lost", "zero", "spike", "twice"),
  exchange: fc.integer({ min: 0, max: 24 }).map((dice) => dice === 0),
});

/** Plays a meter whose consumption is known: it begins near its modulus, is read with faults, and exchanged by protocol. */
function play(quarters: readonly Quarter[]) {
  const small: Register = { ...electricity, modulus: 1_000 };
  const entries = [entry.installed(noonMs, small, 990)];
  const readings: Reading[] = [];
  let [register, total] = [990_000, 0];
  const say = (timeMs: number, value: number) => readings.push({ timeMs, value, sequence: readings.length });
  for (const [index, { wattHours, fault, exchange }] of quarters.entries()) {
    const timeMs = noonMs + (index + 1) * 15 * minuteMs;
    register = (register + wattHours) % 1_000_000;
    total += wattHours;
    if (exchange) {
      const start = (index * 7_919) % 1_000_000;
      const serial = `E-${index}`;
      entries.push(entry.exchanged(timeMs, { ...small, serial }, register / 1_000, start / 1_000));
      register = start;
    } else if (fault === "zero") say(timeMs, 0);
    else if (fault === "spike") say(timeMs, ((register + 400_000) % 1_000_000) / 1_000);
    else if (fault !== "lost") say(timeMs, register / 1_000);
    if (fault === "twice") say(timeMs, register / 1_000);
  }
  // Two good readings at the end decide about whatever came before them.
  for (const more of [1, 2]) {
    register = (register + 1_000) % 1_000_000;
    total += 1_000;
    say(noonMs + (quarters.length + more) * 15 * minuteMs, register / 1_000);
  }
  return { entries, readings, total: total / 1_000 };
}

test("amounts add up to what flowed, whatever is lost, zero, wild, rolled over or exchanged", () => {
  // No two faults in a row: that is where a register's own story ends.
  const lone = fc
    .array(quarter, { maxLength: 120 })
    .map((all) => all.map((one, index) => (index % 2 === 0 ? one : { ...one, fault: "none" as const })));
  fc.assert(
    fc.property(lone, (quarters) => {
      const { entries, readings, total } = play(quarters);
      const account = readMeter(entries, readings, readings.at(-1)?.timeMs ?? 0, options);
      expect(account.held).toBeUndefined();
      expect(account.intervals.reduce((sum, { amount }) => sum + amount, 0)).toBeCloseTo(total, 6);
      expect(bookedTotal(account)).toBeCloseTo(total, 6);
    }),
    { numRuns: 150 },
  );
});

test("sums over quarters, hours and local days are equal, over both changes of the clock", () => {
  const warsaw = new Zone("Europe/Warsaw");
  const changes = fc.constantFrom("2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z");
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 300 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(changes, steps, (start, steps) => {
      let [timeMs, value] = [Date.parse(start), 100];
      const readings: Reading[] = [{ timeMs, value, sequence: 0 }];
      for (const [minutes, wattHours] of steps) {
        timeMs += minutes * minuteMs;
        value += wattHours / 1_000;
        readings.push({ timeMs, value, sequence: readings.length });
      }
      const account: MeterAccount = readMeter([entry.installed(0, electricity)], readings, timeMs, options);
      const days = warsaw.edges("day", Date.parse(start), timeMs + 1);
      const [fromMs, toMs] = [days[0] ?? 0, days.at(-1) ?? 0];
      const hours = spread(account, warsaw.edges("hour", fromMs, toMs));
      const quarters = spread(
        account,
        warsaw
          .edges("hour", fromMs, toMs)
          .flatMap(inQuarters)
          .filter((edge) => edge <= toMs),
      );
      for (const day of spread(account, days)) {
        for (const parts of [hours, quarters]) {
          const own = parts.filter((part) => part.fromMs >= day.fromMs && part.toMs <= day.toMs);
          expect(own.reduce((sum, { amount }) => sum + amount, 0)).toBeCloseTo(day.amount, 9);
        }
        expect(day.measured + day.estimated + day.corrected + day.suspect).toBeCloseTo(day.amount, 9);
        expect(day.coverage).toBeLessThanOrEqual(1 + 1e-9);
      }
      const sum = spread(account, days).reduce((sum, { amount }) => sum + amount, 0);
      expect(sum).toBeCloseTo(value - 100, 9);
    }),
    { numRuns: 100 },
  );
});

const inQuarters = (hour: number): number[] => [0, 15, 30, 45].map((minute) => hour + minute * minuteMs);

test("an account that forgets its past goes on like one that doesn't", () => {
  const cut = fc.integer({ min: 0, max: 60 });
  fc.assert(
    fc.property(history, cut, ([life, , batches], quarter) => {
      let whole = readMeter(life, batches[0] ?? [], asOfMs, options);
      let short = forget(whole, noonMs + quarter * 15 * minuteMs);
      for (const batch of batches.slice(1)) {
        const fresh = batch.filter(({ timeMs }) => timeMs > short.knownFromMs);
        whole = updateMeter(whole, { readings: fresh }).account;
        short = updateMeter(short, { readings: fresh }).account;
      }
      const known = whole.intervals.filter(({ fromMs }) => fromMs >= short.knownFromMs);
      expect(short.intervals).toEqual(known);
      expect(short.held).toEqual(whole.held);
    }),
    { numRuns: 150 },
  );
});

/** Faults within faults, then a plain run that rises a little, then faults again; and where the run begins. */
const interrupted = fc
  .record({
    life: lives,
    dry: fc.boolean(),
    before: fc.array(fc.constantFrom(0, 0, 500, 500, 501, 700, 9_999.99), { maxLength: 8 }),
    base: fc.constantFrom(0, 0, 0.5, 500, 501, 700, 9_999.98),
    steps: fc.oneof(
      fc.array(fc.constantFrom(0, 0.001, 0.001), { minLength: 3, maxLength: 7 }),
      fc.array(fc.constantFrom(0, 0.002, 0.004, 0.01, 0.4), { minLength: 2, maxLength: 8 }),
    ),
    after: fc.array(fc.constantFrom(0, 0.5, 501, 502, 502, 503, 503, 701), { maxLength: 8 }),
  })
  .map(({ life, dry, before, base, steps, after }) => {
    let value: number = base;
    const run = [base, ...(steps as number[]).map((step) => (value = Number((value + step).toFixed(3))))];
    const all = [...before, ...run, ...after].map((value, index): Reading => {
      return { timeMs: noonMs + index * 15 * minuteMs, value, sequence: index };
    });
    const entries = life.length > 1 ? life : [entry.installed(0, dry ? electricity : water)];
    return { entries, all, fromMs: noonMs + before.length * 15 * minuteMs };
  });

test("readings of a while give what all readings give, from the anchor that they show on", () => {
  let anchored = 0;
  fc.assert(
    fc.property(interrupted, ({ entries, all, fromMs }) => {
      const since = all.filter(({ timeMs }) => timeMs >= fromMs);
      const search = new AnchorSearch(readLife(entries).spans, { fromMs, toMs: asOfMs });
      for (const reading of since) search.take([reading]);
      const anchorMs = search.foundMs;
      if (anchorMs === undefined) return;
      anchored += 1;
      const after = ({ intervals }: MeterAccount) => intervals.filter((one) => one.fromMs >= anchorMs);
      const whole = readMeter(entries, all, asOfMs, options);
      const part = readMeter(entries, since, asOfMs, options);
      expect(after(part)).toEqual(after(whole));
      expect(part.held).toEqual(whole.held);
    }),
    { numRuns: 1_000 },
  );
  expect(anchored).toBeGreaterThan(300);
});
