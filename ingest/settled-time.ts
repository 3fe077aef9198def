import type { StateStore } from "./stores/state.js";

/** What is kept of it over a restart; milliseconds. */
export interface KeptSettled {
  /** The time gone by. */
  settledMs: number;
  /** What the wall clock showed then. */
  wallMs: number;
  /** For how long the wall clock has stood ahead of it. */
  stoodMs: number;
}

/** The wall clock may gain this on a steady one without being doubted, milliseconds. */
const toleranceMs = 3_600_000;
/** A process may have been away this long, milliseconds. */
const awayMs = 86_400_000;
/** After so long a leap ahead is believed, milliseconds. */
const settleMs = 86_400_000;

/**
 * The time that what can't be undone goes by (sealing, the end of retention, pruning): the wall clock, save that a leap
 * ahead is followed only once it has stood for a day. A clock that is set back is followed at once.
 * Guarantee: nothing ends early for a clock that was ahead for less than a day; it never stays behind for more than
 * a day of running.
 */
export class SettledTime {
  readonly #steady: () => number;
  #kept: KeptSettled | undefined;
  #steadyMs: number | undefined;

  /** `steady` counts milliseconds from anywhere and is never set. */
  constructor(kept: KeptSettled | undefined, steady: () => number) {
    this.#kept = kept;
    this.#steady = steady;
  }

  /** What to keep; undefined before the first look. */
  get kept(): KeptSettled | undefined {
    return this.#kept;
  }

  /** Looks at the wall clock; gives the time to go by, epoch milliseconds. */
  look(wallMs: number): number {
    const steadyMs = this.#steady();
    const before = this.#kept ?? { settledMs: wallMs, wallMs, stoodMs: 0 };
    const isFirst = this.#steadyMs === undefined;
    const passedMs = this.#steadyMs === undefined ? 0 : Math.max(0, steadyMs - this.#steadyMs);
    this.#steadyMs = steadyMs;
    const settledMs = before.settledMs + passedMs;
    const leapMs = wallMs - settledMs;
    // A leap that grew is another leap; while the process was away time may have passed.
    const isSame = isFirst
      ? wallMs >= before.wallMs
      : Math.abs(wallMs - before.wallMs - passedMs) <= toleranceMs;
    const stoodMs = isSame ? before.stoodMs + passedMs : 0;
    const isBelieved = leapMs <= (isFirst ? awayMs : toleranceMs) || stoodMs >= settleMs;
    this.#kept = isBelieved ? { settledMs: wallMs, wallMs, stoodMs: 0 } : { settledMs, wallMs, stoodMs };
    return this.#kept.settledMs;
  }
}

/** Opens the settled time that a data folder keeps; each look is durable when it resolves. */
export function openSettledTime(
  state: StateStore,
  steady: () => number,
): { look(wallMs: number): Promise<number> } {
  const table = state.table<KeptSettled, string>("settled-time");
  const time = new SettledTime(table.get("upkeep"), steady);
  return {
    async look(wallMs) {
      const settledMs = time.look(wallMs);
      await state.transaction(() => void table.put("upkeep", time.kept as KeptSettled));
      return settledMs;
    },
  };
}
