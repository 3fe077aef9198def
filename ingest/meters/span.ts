import type { Span } from "./life.js";
import { firstAt, inOrder, merged, type Reading } from "./reading.js";
import { Follower, type Point, type Standing, standingAt, type Track } from "./track.js";

/** One register's readings (protocols included) and what became of them. */
export interface SpanTrack {
  span: Span;
  /** Where the readings go on from; undefined when they are all there are. */
  standing?: Standing | undefined;
  readings: Reading[];
  track: Track;
}

/** True when the register counted at the time of the reading. */
export function isWithin({ fromMs, toMs }: Span, { timeMs }: Reading): boolean {
  return timeMs >= fromMs && timeMs < toMs;
}

/** Follows a register through those of the readings that are its own. */
export function trackSpan(span: Span, readings: readonly Reading[]): SpanTrack {
  const own = readings.filter((reading) => isWithin(span, reading));
  const ordered = inOrder([...(span.start ? [span.start] : []), ...own, ...(span.final ? [span.final] : [])]);
  const follower = new Follower(span.register);
  for (const reading of ordered) follower.take(reading);
  return { span, readings: ordered, track: follower.track };
}

/** The same with more readings: followed from the last settled point before them to the first settled point after them that stands as it stood. */
export function extendTrack(old: SpanTrack, fresh: readonly Reading[]): SpanTrack {
  const own = fresh.filter((reading) => isWithin(old.span, reading));
  if (own.length === 0) return old;
  const times = own.map(({ timeMs }) => timeMs);
  const [firstMs, lastMs] = [Math.min(...times), Math.max(...times)];
  const { points } = old.track;
  const start = points.findLastIndex(({ settled, reading }) => settled && reading.timeMs < firstMs);
  const readings = merged(old.readings, own);
  const from = points[start] ? standingAt(points[start]) : old.standing;
  const startMs = from?.timeMs ?? Number.NEGATIVE_INFINITY;
  const follower = new Follower(old.span.register, from);
  let end = points.findIndex(({ reading }) => reading.timeMs > lastMs);
  for (let index = firstAt(readings, startMs + 1); index < readings.length; index += 1) {
    const reading = readings[index] as Reading;
    follower.take(reading);
    if (reading.timeMs <= lastMs || end === -1) continue;
    while (end < points.length - 1 && (points[end] as Point).reading.timeMs < reading.timeMs) end += 1;
    const { last, isSettled } = follower;
    if (isSettled && last && stands(points[end] as Point, last, reading))
      return { ...old, readings, track: joined(old.track, start, follower.track, end) };
  }
  return { ...old, readings, track: joined(old.track, start, follower.track, undefined) };
}

/** The same with more readings, without those up to a time: of them stays where they lead, and what flowed in a range. */
export function passTrack(
  old: SpanTrack,
  fresh: readonly Reading[],
  throughMs: number,
  range: { fromMs: number; toMs: number },
): SpanTrack {
  const { span } = old;
  const own = fresh.filter((reading) => isWithin(span, reading));
  const readings = own.length > 0 ? merged(old.readings, own) : old.readings;
  const end = firstAt(readings, throughMs + 1);
  if (end === 0) return old;
  const passed = new Follower(span.register, old.standing);
  for (const reading of readings.slice(0, end)) passed.take(reading);
  const standing = passed.standing(range);
  const rest = readings.slice(end);
  const follower = new Follower(span.register, standing);
  for (const reading of rest) follower.take(reading);
  return { span, standing, readings: rest, track: follower.track };
}

/** True when both runs have just taken the reading and depend on nothing else. */
function stands(before: Point, now: Point, { timeMs, sequence }: Reading): boolean {
  return (
    before.settled &&
    now.reading.timeMs === timeMs &&
    before.reading.timeMs === timeMs &&
    now.reading.sequence === sequence &&
    before.reading.sequence === sequence &&
    before.reading.value === now.reading.value
  );
}

/** The old track up to the point `start`, the new run, and the old track after the point `end`. */
function joined(old: Track, start: number, run: Track, end: number | undefined): Track {
  const startMs = old.points[start]?.reading.timeMs ?? Number.NEGATIVE_INFINITY;
  const endMs = end === undefined ? Number.POSITIVE_INFINITY : (old.points[end] as Point).reading.timeMs;
  return {
    points: [
      ...old.points.slice(0, Math.max(0, start)),
      ...run.points,
      ...(end === undefined ? [] : old.points.slice(end + 1)),
    ],
    skipped: [
      ...old.skipped.filter(({ reading }) => reading.timeMs <= startMs),
      ...run.skipped,
      ...old.skipped.filter(({ reading }) => reading.timeMs >= endMs),
    ],
    pending: end === undefined ? run.pending : old.pending,
  };
}

/** What would be believed if nothing more came after the last reading. */
export function undecidedOf({ span, track }: SpanTrack): Point[] {
  const last = track.points.at(-1);
  if (!last) return [];
  return new Follower(span.register, { ...standingAt(last), pending: track.pending }).undecided();
}
