import type { Outbox } from "./outbox.js";
import type { OutboxEntry, Sender } from "./port.js";

/** Bounds of delivery; times in milliseconds. */
export interface DeliveryLimits {
  /** Longest wait for an answer. */
  timeoutMs: number;
  /** First wait after a failure; doubles with each. */
  firstDelayMs: number;
  /** Longest wait between two tries of one entry; also bounds Retry-After. */
  maxDelayMs: number;
  /** Longest pause of a whole channel that fails. */
  maxPauseMs: number;
  /** An entry older than this, and tried at least `deadAttempts` times, is given up. */
  deadAfterMs: number;
  deadAttempts: number;
  /** Requests at the same time to one channel. */
  concurrency: number;
}

/** What a lane works with. */
export interface LaneParts {
  channel: string;
  outbox: Outbox;
  /** Undefined when the channel no longer exists. */
  sender(): Sender | undefined;
  /** Turns the channel off for good (410). */
  gone(): Promise<void>;
  isOff(): boolean;
  limits: DeliveryLimits;
  clock: () => number;
  random: () => number;
  /** Calls back once after so many milliseconds; gives the way to call it off. */
  timer: (delayMs: number, done: () => void) => () => void;
  warn(facts: object, message: string): void;
}

/** Exponential backoff with full jitter on its upper half, milliseconds. `failures` from 1. */
export function backoffMs(failures: number, firstMs: number, maxMs: number, random: () => number): number {
  const most = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 40));
  return most / 2 + (most / 2) * random();
}

/** One channel's way out: groups in order, channels apart from one another, a failing channel paused. */
export class Lane {
  readonly #parts: LaneParts;
  /** Keys that wait, by group; the first of each is next. */
  readonly #groups = new Map<string, string[]>();
  /** Groups that may go now, in turn. */
  #ready: string[] = [];
  /** Groups whose first entry waits for its time. */
  readonly #waiting = new Map<string, number>();
  readonly #flights = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #failures = 0;
  #pausedUntilMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** Takes an entry in; `nextMs` when it may be tried. */
  add(key: string, group: string, nextMs: number): void {
    const keys = this.#groups.get(group);
    if (keys) {
      if (!keys.includes(key)) keys.push(key);
      return;
    }
    this.#groups.set(group, [key]);
    this.#waiting.set(group, nextMs);
  }

  /** Starts what may start now; sets a timer for the rest. */
  pump(): void {
    if (this.#stop.signal.aborted) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const now = this.#parts.clock();
    const { maxDelayMs, concurrency, maxPauseMs } = this.#parts.limits;
    for (const [group, nextMs] of this.#waiting) {
      // A time further off than any delay was written by a clock that was ahead.
      if (nextMs > now && nextMs <= now + 2 * maxDelayMs) continue;
      this.#waiting.delete(group);
      this.#ready.push(group);
    }
    if (this.#pausedUntilMs > now + 2 * Math.max(maxPauseMs, maxDelayMs)) this.#pausedUntilMs = now;
    const most = this.#failures > 0 ? 1 : concurrency;
    while (this.#pausedUntilMs <= now && this.#flights.size < most) {
      const group = this.#ready.shift();
      if (group === undefined) break;
      this.#launch(group);
    }
    if (this.#flights.size === 0) this.#sleep(now);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#flights.size > 0) await Promise.all(this.#flights);
  }

  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.#stop.abort();
    await this.settled();
  }

  #sleep(now: number): void {
    let next = this.#ready.length > 0 ? now : Number.POSITIVE_INFINITY;
    for (const nextMs of this.#waiting.values()) next = Math.min(next, nextMs);
    if (next === Number.POSITIVE_INFINITY) return;
    // Never longer than a minute, so that a clock that was set isn't missed.
    const delayMs = Math.min(60_000, Math.max(1, Math.max(next, this.#pausedUntilMs) - now));
    this.#cancelTimer = this.#parts.timer(delayMs, () => this.pump());
  }

  #launch(group: string): void {
    const flight = this.#deliver(group)
      .catch((error: unknown) => {
        const now = this.#parts.clock();
        this.#parts.warn(
          { err: error, channel: this.#parts.channel },
          "the outbox can't be written, trying again",
        );
        this.#waiting.set(group, now + this.#parts.limits.firstDelayMs);
        this.#pause(now, undefined);
      })
      .finally(() => {
        this.#flights.delete(flight);
        this.pump();
      });
    this.#flights.add(flight);
  }

  async #deliver(group: string): Promise<void> {
    const { outbox, clock, limits, random } = this.#parts;
    const key = this.#groups.get(group)?.[0];
    const entry = key === undefined ? undefined : outbox.get(key);
    if (!entry) {
      this.#next(group);
      return;
    }
    const sender = this.#parts.sender();
    if (!sender || this.#parts.isOff()) {
      await outbox.dead(
        entry,
        clock(),
        sender ? "the receiver answered 410: it is gone" : "the channel was removed",
      );
      this.#next(group);
      return;
    }
    const result = await sender.send(entry, this.#stop.signal);
    if (this.#stop.signal.aborted && result.kind === "failed") return;
    const now = clock();
    if (result.kind === "delivered") {
      this.#failures = 0;
      this.#pausedUntilMs = 0;
      await outbox.delivered(entry, now);
      this.#next(group);
      return;
    }
    const { channel } = this.#parts;
    this.#parts.warn({ channel, alert: entry.alert, attempt: entry.attempts + 1 }, result.fault);
    if (result.isGone) await this.#parts.gone();
    if (result.isGone || this.#isDead(entry, now)) {
      await outbox.dead(entry, now, result.fault);
      if (!result.isGone) this.#pause(now, result.retryAfterMs);
      this.#next(group);
      return;
    }
    const asked = Math.min(result.retryAfterMs ?? 0, limits.maxDelayMs);
    const delay = backoffMs(entry.attempts + 1, limits.firstDelayMs, limits.maxDelayMs, random);
    const nextMs = now + Math.max(asked, delay);
    await outbox.failed(entry, now, nextMs, result.fault);
    this.#waiting.set(group, nextMs);
    this.#pause(now, result.retryAfterMs === undefined ? undefined : asked);
  }

  #isDead(entry: OutboxEntry, now: number): boolean {
    const { deadAfterMs, deadAttempts } = this.#parts.limits;
    return now - entry.createdMs >= deadAfterMs && entry.attempts + 1 >= deadAttempts;
  }

  #pause(now: number, askedMs: number | undefined): void {
    const { limits, random } = this.#parts;
    this.#failures += 1;
    const pause = askedMs ?? backoffMs(this.#failures, limits.firstDelayMs, limits.maxPauseMs, random);
    this.#pausedUntilMs = now + pause;
  }

  #next(group: string): void {
    const keys = this.#groups.get(group);
    keys?.shift();
    if (keys && keys.length > 0) this.#ready.push(group);
    else this.#groups.delete(group);
  }
}
