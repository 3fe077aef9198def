/** How fast one connection may publish: a bucket of tokens that fills by the rate. Times in milliseconds of a monotonic clock. */
export class Pace {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, now: () => number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#now = now;
    this.#tokens = burst;
    this.#atMs = now();
  }

  /** Takes `count` messages; gives how long they have to wait, 0 while the connection keeps its pace. */
  take(count: number): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) * this.#perMs) - count;
    this.#atMs = now;
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs;
  }
}
