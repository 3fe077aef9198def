/** How fast one connection may publish: a bucket of tokens that fills by the rate. Times in milliseconds of a monotonic clock. */
export class Pace {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #waiting: { dueMs: number; go: () => void }[] = [];
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, now: () => number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#now = now;
    this.#tokens = burst;
    this.#atMs = now();
  }

  /**
   * Lets `count` messages go on: at once while the connection keeps its pace, otherwise when they may.
   * Gives true when they have to wait. Guarantee: in the order of the calls.
   */
  pass(count: number, go: () => void): boolean {
    const waitMs = this.#take(count);
    if (waitMs === 0 && this.#waiting.length === 0) {
      go();
      return false;
    }
    this.#waiting.push({ dueMs: this.#atMs + waitMs, go });
    if (this.#waiting.length === 1) this.#wait(waitMs);
    return true;
  }

  #wait(forMs: number): void {
    setTimeout(() => {
      const now = this.#now();
      // A timer may be a millisecond early.
      let gone = 0;
      while ((this.#waiting[gone]?.dueMs ?? Infinity) <= now + 1) this.#waiting[gone++]?.go();
      this.#waiting.splice(0, gone);
      const [next] = this.#waiting;
      if (next) this.#wait(next.dueMs - now);
    }, forMs);
  }

  #take(count: number): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) * this.#perMs) - count;
    this.#atMs = now;
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs;
  }
}
