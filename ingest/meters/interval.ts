import type { Correction } from "./life.js";
import { ceiling, type Reading } from "./reading.js";
import type { Register } from "./register.js";
import { type SpanTrack, undecidedOf } from "./span.js";
import type { Point, Skipped } from "./track.js";

/** How far an amount can be relied on. */
export type Mark = "measured" | "estimated" | "corrected" | "suspect";

/** What happened between the two readings of an interval. */
export type Why =
  | "normal"
  | "gap"
  | "rollover"
  | "backflow"
  | "reset"
  | "jump"
  | "fall"
  | "new-epoch"
  | "exchange"
  | "turns-unknown";

/** What flowed between two readings, over a half-open range of epoch milliseconds. */
export interface Interval {
  fromMs: number;
  toMs: number;
  /** In the register's `unit`; negative where water flowed back. */
  amount: number;
  /** What the register is off by after a jump or a fall that stayed: booked as a correction, not as flow. */
  apart: number;
  mark: Mark;
  why: Why;
  /** True when the amount is what is certain, and more may have flowed. */
  lowerBound: boolean;
  from: Reading;
  to: Reading;
  /** Serial number of the register that shows `to`. */
  serial: string;
}

/** Readings that fit nothing yet. */
export interface Held {
  readings: Reading[];
  /** When they are given up on: from then on they are booked as suspect, until later ones decide. */
  untilMs: number;
}

/** What a meter is read by. */
export interface MeterOptions {
  /** How long an undecided reading is held back, milliseconds. */
  waitMs: number;
  /** How often it reports, milliseconds; an interval of more than 1.5 times that is a gap. Undefined: nothing is. */
  expectedMs?: number;
}

/** What an update changed. */
export interface Change {
  /** No longer true. */
  withdrawn: Interval[];
  /** True now. */
  booked: Interval[];
  /** That came or went. */
  corrections: Correction[];
}

/** The amounts of a meter and what stands beside them. */
export interface Amounts {
  intervals: Interval[];
  skipped: Skipped[];
  held: Held | undefined;
}

/** Amounts from what became of the readings of each register. */
export function intervalsOf(tracks: readonly SpanTrack[], asOfMs: number, options: MeterOptions): Amounts {
  const intervals: Interval[] = [];
  const skipped: Skipped[] = [];
  let held: Held | undefined;
  let before: Point | undefined;
  for (const spanTrack of tracks) {
    const { span, track } = spanTrack;
    const { pending } = track;
    const [first] = track.points;
    if (span.exchanged && before && first && before.reading.timeMs < first.reading.timeMs)
      intervals.push(exchange(spanTrack, before.reading, first.reading));
    const untilMs = (pending[0]?.timeMs ?? 0) + options.waitMs;
    const isOpen = span.toMs === Number.POSITIVE_INFINITY;
    const believed = isOpen && asOfMs >= untilMs ? undecidedOf(spanTrack) : [];
    const points = [...track.points, ...believed];
    for (let index = 1; index < points.length; index += 1)
      intervals.push(intervalOf(span.register, points[index - 1] as Point, points[index] as Point, options));
    skipped.push(...track.skipped);
    if (isOpen && asOfMs < untilMs && pending.length > 0) held = { readings: [...pending], untilMs };
    else skipped.push(...leftOut(pending, believed));
    before = track.points.at(-1) ?? before;
  }
  return { intervals, skipped, held };
}

function leftOut(pending: readonly Reading[], believed: readonly Point[]): Skipped[] {
  return pending
    .filter((reading) => !believed.some((point) => point.reading === reading))
    .map((reading) => ({ reading, why: "undecided" }));
}

function intervalOf(register: Register, from: Point, to: Point, options: MeterOptions): Interval {
  const [fromMs, toMs] = [from.reading.timeMs, to.reading.timeMs];
  const isLong = toMs - fromMs > 1.5 * (options.expectedMs ?? Number.POSITIVE_INFINITY);
  return {
    fromMs,
    toMs,
    amount: to.counted * register.multiplier,
    apart: to.apart * register.multiplier,
    ...qualityOf(to, isLong),
    lowerBound: to.lowerBound,
    from: from.reading,
    to: to.reading,
    serial: register.serial,
  };
}

/** The mark of a point's interval, and why. */
function qualityOf({ link, lowerBound, doubt }: Point, isLong: boolean): { mark: Mark; why: Why } {
  const isPlain = link === "normal" || link === "first" || link === "jitter";
  const why = !isPlain ? link : doubt && lowerBound ? "turns-unknown" : isLong ? "gap" : "normal";
  if (doubt || link === "jump" || link === "fall") return { mark: "suspect", why };
  return { mark: isLong || lowerBound ? "estimated" : "measured", why };
}

/** Between the registers, where a protocol doesn't give both readings: what the new one shows, if it can have counted that from zero. */
function exchange({ span }: SpanTrack, from: Reading, to: Reading): Interval {
  const [fromMs, toMs] = [from.timeMs, to.timeMs];
  const isStart = to === span.start;
  const isPlausible = to.value <= ceiling(span.register, toMs - fromMs);
  return {
    fromMs,
    toMs,
    amount: isStart || !isPlausible ? 0 : to.value * span.register.multiplier,
    apart: 0,
    mark: isStart || isPlausible ? "estimated" : "suspect",
    why: "exchange",
    lowerBound: true,
    from,
    to,
    serial: span.register.serial,
  };
}

/** What is compared of an account. */
interface Booked {
  intervals: readonly Interval[];
  corrections: readonly Correction[];
}

/** The intervals that hold in one account and not in the other, and the corrections that came or went. */
export function changeBetween(before: Booked, now: Booked): Change {
  const [had, has] = [before, now].map(({ corrections }) => new Set(corrections.map(({ id }) => id)));
  const [old, fresh] = unlike(before.intervals, now.intervals);
  const [oldKeys, freshKeys] = [new Set(old.map(keyOf)), new Set(fresh.map(keyOf))];
  return {
    withdrawn: old.filter((interval) => !freshKeys.has(keyOf(interval))),
    booked: fresh.filter((interval) => !oldKeys.has(keyOf(interval))),
    corrections: [
      ...before.corrections.filter(({ id }) => !has?.has(id)),
      ...now.corrections.filter(({ id }) => !had?.has(id)),
    ],
  };
}

/** Both without the beginning and the end that they share. */
function unlike(a: readonly Interval[], b: readonly Interval[]): [readonly Interval[], readonly Interval[]] {
  const shorter = Math.min(a.length, b.length);
  let [start, end] = [0, 0];
  while (start < shorter && says(a[start], b[start])) start += 1;
  while (end < shorter - start && says(a[a.length - 1 - end], b[b.length - 1 - end])) end += 1;
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)];
}

/** True when two intervals say the same, whichever copies of the readings said it. */
function says(a: Interval | undefined, b: Interval | undefined): boolean {
  return (
    a?.fromMs === b?.fromMs &&
    a?.toMs === b?.toMs &&
    a?.amount === b?.amount &&
    a?.apart === b?.apart &&
    a?.mark === b?.mark &&
    a?.why === b?.why &&
    a?.lowerBound === b?.lowerBound &&
    a?.serial === b?.serial
  );
}

/** All that {@link says} compares. */
function keyOf({ fromMs, toMs, amount, apart, mark, why, lowerBound, serial }: Interval): string {
  return [fromMs, toMs, amount, apart, mark, why, lowerBound, serial].join("|");
}
