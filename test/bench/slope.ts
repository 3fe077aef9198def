/** A figure that was sampled over time. */
export interface Trend {
  /** Median of the second half. */
  median: number;
  /** What it grows by over the second half, by the median of all slopes between two samples. */
  growth: number;
  isFlat: boolean;
}

const middle = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

/**
 * Says whether a figure stays where it is over the second half of its samples.
 * It is flat when it grows by no more than `share` of its median, or by no more than `least`.
 * Source: the Theil-Sen estimator, which up to a quarter of the samples as outliers can't move far.
 */
export function trendOf(
  samples: readonly { seconds: number; value: number }[],
  { share, least }: { share: number; least: number },
): Trend {
  const late = samples.slice(Math.floor(samples.length / 2));
  const slopes = late.flatMap((a, i) =>
    late
      .slice(i + 1)
      .filter((b) => b.seconds > a.seconds)
      .map((b) => (b.value - a.value) / (b.seconds - a.seconds)),
  );
  const median = middle(late.map(({ value }) => value));
  const spanSeconds = (late.at(-1)?.seconds ?? 0) - (late[0]?.seconds ?? 0);
  const growth = slopes.length === 0 ? Number.NaN : middle(slopes) * spanSeconds;
  return { median, growth, isFlat: growth <= Math.max(least, median * share) };
}
