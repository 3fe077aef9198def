/** Collects durations in buckets 5 % wide, from 0.01 ms to 11 h. */
export interface Latency {
  add(ms: number): void;
  /** The duration that a share (0 to 1) of all don't exceed, milliseconds, 5 % accurate; 0 when there are none. */
  quantile(share: number): number;
  readonly maxMs: number;
}

/** Makes an empty collection. Guarantee: bounded memory. */
export function createLatency(): Latency {
  const step = Math.log(1.05);
  const buckets = new Float64Array(450);
  let count = 0;
  let maxMs = 0;
  return {
    add(ms) {
      const bucket = Math.min(buckets.length - 1, Math.max(0, Math.ceil(Math.log(ms / 0.01) / step)));
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      count += 1;
      maxMs = Math.max(maxMs, ms);
    },
    quantile(share) {
      let seen = 0;
      for (let bucket = 0; bucket < buckets.length; bucket++) {
        seen += buckets[bucket] ?? 0;
        if (count > 0 && seen >= share * count) return Math.min(maxMs, 0.01 * 1.05 ** bucket);
      }
      return 0;
    },
    get maxMs() {
      return maxMs;
    },
  };
}
