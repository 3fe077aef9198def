import type { MeterAccount } from "./account.js";
import type { Mark } from "./interval.js";

/** What flowed between two edges, by how far it can be relied on; in the unit of the amounts. */
export interface Bucket {
  fromMs: number;
  toMs: number;
  /** The sum of the four below. */
  amount: number;
  measured: number;
  estimated: number;
  corrected: number;
  suspect: number;
  /** Booked as a correction of the register, not as flow. */
  apart: number;
  /** Share of its time that lies between two readings at all, 0 to 1. */
  known: number;
  /** Share of its time that lies between readings that follow one another as often as expected, 0 to 1. */
  coverage: number;
}

/**
 * Divides a meter's amounts among ranges of time: hours, local days, months.
 * `edges` are epoch milliseconds, rising; n edges make n - 1 buckets. What lies outside isn't counted.
 * An interval that an edge divides is spread evenly over its real time and its parts are estimated; one that lies within a bucket counts there as it was measured, a gap too: its amount is known.
 * Guarantee: finer edges give the same sums.
 */
export function spread(
  { intervals, corrections }: Pick<MeterAccount, "intervals" | "corrections">,
  edges: readonly number[],
): Bucket[] {
  const buckets: Bucket[] = [];
  for (let index = 1; index < edges.length; index += 1)
    buckets.push(emptyBucket(edges[index - 1] as number, edges[index] as number));
  for (const { fromMs, toMs, amount, apart, mark, lowerBound } of intervals) {
    const isCovered = mark === "measured";
    divide(buckets, fromMs, toMs, (bucket, share) => {
      const isWhole = share === 1;
      const isKnown = isWhole && !lowerBound && mark === "estimated";
      const counted: Mark = isKnown ? "measured" : mark === "measured" && !isWhole ? "estimated" : mark;
      bucket[counted] += amount * share;
      bucket.amount += amount * share;
      bucket.apart += apart * share;
      bucket.known += ((toMs - fromMs) * share) / (bucket.toMs - bucket.fromMs);
      if (isCovered) bucket.coverage += ((toMs - fromMs) * share) / (bucket.toMs - bucket.fromMs);
    });
  }
  for (const { fromMs, toMs, amount } of corrections)
    divide(buckets, fromMs, toMs, (bucket, share) => {
      bucket.corrected += amount * share;
      bucket.amount += amount * share;
    });
  return buckets;
}

/** Buckets of the same edges with the figures of both. */
export function addBuckets(one: readonly Bucket[], other: readonly Bucket[]): Bucket[] {
  return one.map((bucket, index) => {
    const { fromMs: _fromMs, toMs: _toMs, ...figures } = other[index] as Bucket;
    const sum: Bucket = { ...bucket };
    for (const name of Object.keys(figures) as (keyof typeof figures)[]) sum[name] += figures[name];
    return sum;
  });
}

/** Everything booked: amounts, what stands apart, corrections. */
export function bookedTotal({
  intervals,
  corrections,
}: Pick<MeterAccount, "intervals" | "corrections">): number {
  const flow = intervals.reduce((sum, { amount, apart }) => sum + amount + apart, 0);
  return corrections.reduce((sum, { amount }) => sum + amount, flow);
}

function emptyBucket(fromMs: number, toMs: number): Bucket {
  const amounts = { amount: 0, measured: 0, estimated: 0, corrected: 0, suspect: 0 };
  return { fromMs, toMs, ...amounts, apart: 0, known: 0, coverage: 0 };
}

/** Calls with each bucket that a range touches, and the share of the range that lies in it. */
function divide(
  buckets: readonly Bucket[],
  fromMs: number,
  toMs: number,
  take: (bucket: Bucket, share: number) => void,
): void {
  let [low, high] = [0, buckets.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((buckets[middle] as Bucket).toMs > fromMs) high = middle;
    else low = middle + 1;
  }
  for (; low < buckets.length; low += 1) {
    const bucket = buckets[low] as Bucket;
    if (bucket.fromMs >= toMs) return;
    const overlap = Math.min(bucket.toMs, toMs) - Math.max(bucket.fromMs, fromMs);
    take(bucket, overlap / (toMs - fromMs));
  }
}
