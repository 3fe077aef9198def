/** What is kept of the time over a restart; milliseconds. */
export interface KeptTime {
  /** Time that passed, without what the wall clock was set by. */
  steadyMs: number;
  /** The part of it during which the service listened. */
  listenedMs: number;
  /** What the wall clock showed then; undefined before the first. */
  wallMs: number | undefined;
}

/**
 * The time that rules go by: it moves with the receive times of values and with ticks, never back,
 * and stands still while the wall clock is set back or leaps ahead. Listening time stands still while the service is down too,
 * so that no device is called silent for a silence of ours.
 */
export class RuleTime {
  #steadyMs: number;
  #listenedMs: number;
  #wallMs: number | undefined;
  /** When this process began to judge; what was received before was heard by one before it. */
  #startMs: number | undefined;
  #seenMs = 0;
  #monotonicMs: number | undefined;
  readonly #monotonic: (() => number) | undefined;

  constructor(kept: KeptTime, monotonic?: () => number) {
    this.#steadyMs = kept.steadyMs;
    this.#listenedMs = kept.listenedMs;
    this.#wallMs = kept.wallMs;
    this.#monotonic = monotonic;
  }

  /** What to keep. */
  get kept(): KeptTime {
    return { steadyMs: this.#steadyMs, listenedMs: this.#listenedMs, wallMs: this.#wallMs };
  }

  get steadyMs(): number {
    return this.#steadyMs;
  }

  get listenedMs(): number {
    return this.#listenedMs;
  }

  /** How far the wall clock's time was followed, epoch milliseconds. */
  get wallMs(): number {
    return this.#wallMs ?? 0;
  }

  /**
   * Looks at the wall clock before it is followed.
   * Gone back, it was set; with a monotonic clock, gaining more than a minute on it too.
   * One that shows less at a start than was kept was mended while the service was down.
   */
  look(nowMs: number): void {
    const monotonicMs = this.#monotonic?.();
    const passed = nowMs - this.#seenMs;
    const truly =
      monotonicMs === undefined || this.#monotonicMs === undefined ? passed : monotonicMs - this.#monotonicMs;
    this.#seenMs = nowMs;
    this.#monotonicMs = monotonicMs;
    if (this.#startMs === undefined) {
      this.#startMs = nowMs;
      if (this.wallMs > nowMs) this.#wallMs = nowMs;
    } else if (passed < 0 || passed - truly > 60_000) {
      this.#steadyMs += Math.max(0, truly);
      this.#listenedMs += Math.max(0, truly);
      this.#startMs = nowMs;
      this.#wallMs = nowMs;
    }
  }

  /** Follows the wall clock to `untilMs`. */
  moveTo(untilMs: number): void {
    const from = (this.#wallMs ??= untilMs);
    if (untilMs <= from) return;
    const start = this.#startMs ?? untilMs;
    this.#steadyMs += untilMs - from;
    this.#listenedMs += untilMs - (untilMs < start ? from : Math.max(from, start));
    this.#wallMs = untilMs;
  }

  /** Listening time at which something came in that the wall clock dated `receivedMs`. */
  listenedAt(receivedMs: number): number {
    return this.#listenedMs - Math.max(0, this.wallMs - receivedMs);
  }
}
