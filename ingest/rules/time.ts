/**
 * The time during which the service listened, milliseconds from the first start.
 * It stands still while the service is down, while the wall clock is set back, and when it leaps ahead,
 * so that no device is called silent for a silence of ours.
 */
export class ListeningTime {
  #listenedMs: number;
  /** Listening time when this process began. */
  readonly #startedAtMs: number;
  #wallMs = Number.NEGATIVE_INFINITY;
  #seenMs = Number.NEGATIVE_INFINITY;
  #steadyMs: number | undefined;
  readonly #monotonic: (() => number) | undefined;

  constructor(listenedMs: number, monotonic?: () => number) {
    this.#listenedMs = listenedMs;
    this.#startedAtMs = listenedMs;
    this.#monotonic = monotonic;
  }

  /** Listening time now. */
  get nowMs(): number {
    return this.#listenedMs;
  }

  /**
   * Moves on to wall time `untilMs` (at most `nowMs`, what the wall clock shows).
   * With a monotonic clock, a wall clock that gained more than a minute on it counts as set, not as passed.
   */
  advance(untilMs: number, nowMs: number): void {
    const steady = this.#monotonic?.();
    const passed = nowMs - this.#seenMs;
    const truly = steady === undefined || this.#steadyMs === undefined ? passed : steady - this.#steadyMs;
    const wasSet = passed < 0 || passed - truly > 60_000;
    this.#seenMs = nowMs;
    this.#steadyMs = steady;
    if (this.#wallMs === Number.NEGATIVE_INFINITY) {
      this.#wallMs = nowMs;
    } else if (wasSet) {
      this.#listenedMs += Math.max(0, passed < 0 && steady === undefined ? 0 : truly);
      this.#wallMs = nowMs;
    } else if (untilMs > this.#wallMs) {
      this.#listenedMs += untilMs - this.#wallMs;
      this.#wallMs = untilMs;
    }
  }

  /** Listening time at which something was received that the wall clock dated `receivedMs`. */
  at(receivedMs: number): number {
    const age = Math.max(0, this.#wallMs - receivedMs);
    return Math.max(this.#startedAtMs, this.#listenedMs - age);
  }
}
