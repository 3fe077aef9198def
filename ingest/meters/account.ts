import { ObiegError } from "../../devices/index.js";
import {
  type Change,
  changeBetween,
  type Held,
  type Interval,
  intervalsOf,
  type MeterOptions,
} from "./interval.js";
import { type Correction, type LifeEntry, readLife } from "./life.js";
import { inOrder, type Reading } from "./reading.js";
import { extendTrack, isWithin, passTrack, type SpanTrack, trackSpan } from "./span.js";
import { type Point, type Skipped, standingAt } from "./track.js";

/** All that follows from the readings and the life of a meter. A plain value; never changed in place. */
export interface MeterAccount {
  entries: readonly LifeEntry[];
  options: MeterOptions;
  /** The time it holds for, epoch milliseconds: by it, what is held back is given up on. */
  asOfMs: number;
  /** What lies before is forgotten ({@link forget}, {@link passOver}); -Infinity when nothing is. */
  knownFromMs: number;
  /** Half-open, in the order of time, without overlap. */
  intervals: Interval[];
  /** What persons added. */
  corrections: Correction[];
  /** Readings that count for nothing, and why. */
  skipped: Skipped[];
  /** Readings that the next ones decide about; undefined when there are none. */
  held: Held | undefined;
  /** Readings at times when no register counted. */
  outside: Reading[];
  /** One for each register. */
  tracks: SpanTrack[];
}

/** What comes to be known of a meter. */
export interface MeterNews {
  readings?: readonly Reading[];
  entries?: readonly LifeEntry[];
  /** Later than before. */
  asOfMs?: number;
}

/** An account brought up to date. */
export interface MeterUpdate {
  account: MeterAccount;
  change: Change;
  /** Readings of a time that the account has forgotten: read the meter again from its history. */
  unreached: Reading[];
}

/**
 * Works out a meter's amounts from all its readings and entries.
 * Guarantee: the same set gives the same account, in whatever order and number of copies.
 * Throws `meter-life` and `meter-register` for entries that can't be.
 */
export function readMeter(
  entries: readonly LifeEntry[],
  readings: readonly Reading[],
  asOfMs: number,
  options: MeterOptions,
): MeterAccount {
  const { spans, corrections } = readLife(entries);
  const ordered = inOrder(readings);
  const tracks = spans.map((span) => trackSpan(span, ordered));
  const outside = ordered.filter((reading) => !spans.some((span) => isWithin(span, reading)));
  const account = { entries, options, asOfMs, knownFromMs: Number.NEGATIVE_INFINITY, corrections };
  return { ...account, outside, tracks, ...intervalsOf(tracks, asOfMs, options) };
}

/**
 * Takes in what is new, whenever it happened: readings are followed from the last settled point before them until the old account holds again; entries read the life again as a whole.
 * Guarantee: the account is the one that `readMeter` gives from everything at once, and `change` names every interval that differs.
 * Throws `meter-forgotten` for entries where the account has forgotten something, and as `readMeter` does.
 */
export function updateMeter(account: MeterAccount, news: MeterNews): MeterUpdate {
  const { readings = [], entries = [], asOfMs = account.asOfMs } = news;
  const fresh = readings.filter(({ timeMs }) => timeMs > account.knownFromMs);
  const next =
    entries.length > 0 ? reread(account, entries, fresh, asOfMs) : extended(account, fresh, asOfMs);
  const unreached = readings.filter(({ timeMs }) => timeMs <= account.knownFromMs);
  return { account: next, change: changeBetween(account, next), unreached };
}

function extended(account: MeterAccount, fresh: readonly Reading[], asOfMs: number): MeterAccount {
  const tracks = account.tracks.map((track) => extendTrack(track, fresh));
  const strays = fresh.filter((reading) => !tracks.some(({ span }) => isWithin(span, reading)));
  const outside = strays.length > 0 ? inOrder([...account.outside, ...strays]) : account.outside;
  return { ...account, asOfMs, outside, tracks, ...intervalsOf(tracks, asOfMs, account.options) };
}

/** A life that changes is rare, and may change who owns each reading. */
function reread(
  account: MeterAccount,
  entries: readonly LifeEntry[],
  fresh: readonly Reading[],
  asOfMs: number,
): MeterAccount {
  if (account.knownFromMs !== Number.NEGATIVE_INFINITY)
    throw new ObiegError("meter-forgotten", "Read the meter again from its history: its life has changed.");
  const told = account.tracks.flatMap((track) => track.readings).filter(({ entry }) => entry === undefined);
  const readings = [...told, ...account.outside, ...fresh];
  return readMeter([...account.entries, ...entries], readings, asOfMs, account.options);
}

/**
 * The account without what lies before the last settled point at or before `beforeMs`: so that an account in memory stays small.
 * Guarantee: the intervals after that point are the same, and stay the same under updates that are later than it.
 */
export function forget(account: MeterAccount, beforeMs: number): MeterAccount {
  const isOld = ({ timeMs }: Reading) => timeMs <= beforeMs;
  const index = account.tracks.findLastIndex(({ track }) =>
    track.points.some(({ settled, reading }) => settled && isOld(reading)),
  );
  const found = account.tracks[index];
  if (!found) return account;
  const { points, skipped, pending } = found.track;
  const start = points.findLastIndex(({ settled, reading }) => settled && isOld(reading));
  const standing = standingAt(points[start] as Point);
  const settledMs = standing.timeMs;
  const knownFromMs = Math.max(account.knownFromMs, settledMs);
  const isKept = (reading: Reading) => reading.timeMs > settledMs;
  const trimmed: SpanTrack = {
    span: found.span,
    standing,
    readings: found.readings.filter(isKept),
    track: {
      points: points.slice(start),
      skipped: skipped.filter(({ reading }) => isKept(reading)),
      pending,
    },
  };
  const tracks = [trimmed, ...account.tracks.slice(index + 1)];
  const outside = account.outside.filter(isKept);
  return {
    ...account,
    knownFromMs,
    outside,
    tracks,
    ...intervalsOf(tracks, account.asOfMs, account.options),
  };
}

/**
 * The account with more readings, all later than those before, and without those up to `throughMs`: of them it keeps only where they
 * lead, and between which of them something flowed that reaches into a range. So that a history of any length can be read through,
 * settled or not.
 * Guarantee: the intervals that reach into the range are the same, and stay the same under updates that are later than `throughMs`.
 */
export function passOver(
  account: MeterAccount,
  readings: readonly Reading[],
  throughMs: number,
  range: { fromMs: number; toMs: number },
): MeterAccount {
  const tracks = account.tracks.map((track) => passTrack(track, readings, throughMs, range));
  const knownFromMs = Math.max(account.knownFromMs, throughMs);
  const parts = { knownFromMs, tracks, outside: [] };
  return { ...account, ...parts, ...intervalsOf(tracks, account.asOfMs, account.options) };
}

/** The time of the last point up to `throughMs` that nothing later can take back; -Infinity when there is none. */
export function settledUntil({ tracks }: MeterAccount, throughMs: number): number {
  for (const { track } of tracks.toReversed()) {
    const point = track.points.findLast(({ settled, reading }) => settled && reading.timeMs <= throughMs);
    if (point) return point.reading.timeMs;
  }
  return Number.NEGATIVE_INFINITY;
}
