import type { Register } from "./register.js";
import { canShow, ceiling, type Reading, type Step, stepBetween } from "./reading.js";

/** How a reading that was taken is linked to the one before. */
export type Link = "first" | Step["kind"] | "reset" | "jump" | "fall" | "new-epoch";

/** Why a reading was left out. */
export type Omission = "glitch" | "spike" | "jitter" | "conflict" | "out-of-range" | "undecided";

/** A reading that was taken, and what was counted since the one before (units of the register). */
export interface Point {
  reading: Reading;
  link: Link;
  counted: number;
  /** What a jump or a fall that stays is off by. */
  apart: number;
  /** True when the amount is what is certain to have flowed, and more may have. */
  lowerBound: boolean;
  /** True when nothing has confirmed it. */
  doubt: boolean;
  /** True when nothing that comes later can take it back, and nothing later was needed to believe it, so that a run may begin here. */
  settled: boolean;
}

/** A reading that was left out. */
export interface Skipped {
  reading: Reading;
  why: Omission;
}

/** What became of each reading of one register. */
export interface Track {
  points: Point[];
  skipped: Skipped[];
  /** Readings that fit nothing yet; those that come next decide. */
  pending: Reading[];
}

/** What began with a rollover, a reset, a jump or a fall, and may still turn out to have been a fault. */
interface Branch {
  /** Index of the point that it left. */
  anchor: number;
  /** The lowest value since it began; it stands once the register counts on from there. */
  low: number;
  below: Branch | undefined;
}

/** Where a follower stands after some readings: all that is needed to go on from there. Never changed in place. */
export interface Standing {
  /** Of the last reading that it took; -Infinity before the first. */
  timeMs: number;
  points: readonly Point[];
  /** Oldest first; `anchor` counts in `points`. */
  branches: readonly Omit<Branch, "below">[];
  pending: readonly Reading[];
}

/** Where a follower stands that begins at a settled point. */
export function standingAt(point: Point): Standing {
  return { timeMs: point.reading.timeMs, points: [point], branches: [], pending: [] };
}

/** How many readings must agree before a register is believed to stand elsewhere. */
const agreeing = { reset: 2, jump: 3, fall: 3 };

/** Follows one register through its readings, in the order of their times. */
export class Follower {
  readonly #register: Register;
  readonly #points: Point[];
  #skipped: Skipped[] = [];
  #pending: Reading[] = [];
  #branch: Branch | undefined;
  #latestMs: number;

  /** Begins where another one stood, or with nothing. */
  constructor(register: Register, from?: Standing) {
    this.#register = register;
    this.#points = [...(from?.points ?? [])];
    this.#pending = [...(from?.pending ?? [])];
    for (const { anchor, low } of from?.branches ?? []) this.#branch = { anchor, low, below: this.#branch };
    this.#latestMs = from?.timeMs ?? Number.NEGATIVE_INFINITY;
  }

  /** The last point taken. */
  get last(): Point | undefined {
    return this.#points.at(-1);
  }

  /** True when what comes next depends on the last point alone. */
  get isSettled(): boolean {
    return this.#pending.length === 0 && this.#branch === undefined;
  }

  /** What became of the readings so far; omissions in the order of time. */
  get track(): Track {
    this.#skipped.sort(
      (a, b) => a.reading.timeMs - b.reading.timeMs || a.reading.sequence - b.reading.sequence,
    );
    return { points: this.#points, skipped: this.#skipped, pending: this.#pending };
  }

  /**
   * Where it stands, with the points between which something flowed in a range; of the others only the first, the last, and those
   * that a later reading may lead back to. Of what is pending: the first, for its time, and what a later reading may agree with.
   */
  standing(range: { fromMs: number; toMs: number }): Standing {
    const branches: Branch[] = [];
    for (let branch = this.#branch; branch; branch = branch.below) branches.push(branch);
    const anchors = new Set(branches.map(({ anchor }) => anchor));
    const at = (index: number): number => this.#points[index]?.reading.timeMs ?? Number.NaN;
    const reaches = (index: number): boolean => at(index) > range.fromMs && at(index - 1) < range.toMs;
    const last = this.#points.length - 1;
    const kept = [...this.#points.keys()].filter(
      (index) => index === 0 || index === last || anchors.has(index) || reaches(index) || reaches(index + 1),
    );
    const places = new Map(kept.map((index, place) => [index, place]));
    const before = this.#pending.length - this.#chain().length - 1;
    return {
      timeMs: this.#latestMs,
      // What comes next goes on from all of this, not from a point in the midst of it.
      points: kept.map((index) => {
        const point = this.#points[index] as Point;
        return index === last && this.isSettled ? point : { ...point, settled: false };
      }),
      branches: branches.toReversed().map(({ anchor, low }) => ({ anchor: places.get(anchor) ?? 0, low })),
      pending:
        before > 0 ? [this.#pending[0] as Reading, ...this.#pending.slice(before)] : [...this.#pending],
    };
  }

  /** Takes the next reading. */
  take(reading: Reading): void {
    if (reading.timeMs === this.#latestMs) return this.#skip(reading, "conflict");
    this.#latestMs = reading.timeMs;
    if (!canShow(this.#register, reading.value)) return this.#skip(reading, "out-of-range");
    this.#place(reading);
  }

  /** What would be believed if nothing more came: the last pending readings that agree, in doubt. */
  undecided(): Point[] {
    const ref = this.last;
    const chain = this.#chain();
    const first = chain[0];
    if (!ref || !first) return [];
    const points = [{ ...this.#breach(ref.reading, first), apart: 0, doubt: true }];
    for (const reading of chain.slice(1)) {
      const step = stepBetween(this.#register, (points.at(-1) as Point).reading, reading);
      if (step && step.kind !== "jitter") points.push({ ...plain(reading, step), doubt: true });
    }
    return points;
  }

  #place(reading: Reading): void {
    const ref = this.last?.reading;
    if (!ref)
      return this.#push({ ...plain(reading, { kind: "normal", counted: 0, turns: false }), link: "first" });
    if (ref.epoch !== undefined && reading.epoch !== undefined && ref.epoch !== reading.epoch)
      return this.#beginEpoch(ref, reading);
    const step = stepBetween(this.#register, ref, reading);
    if (step) {
      this.#dropPending();
      if (step.kind === "jitter") return this.#skip(reading, "jitter");
      if (step.kind === "rollover") this.#fork(reading);
      return this.#push(plain(reading, step));
    }
    if (this.#returnTo(reading)) return this.#place(reading);
    this.#pending.push(reading);
    this.#confirm();
  }

  /** Takes back what was believed since a fault began, when the register goes on as if it had never been. */
  #returnTo(reading: Reading): boolean {
    for (let branch = this.#branch; branch; branch = branch.below) {
      const anchor = this.#points[branch.anchor] as Point;
      if (!stepBetween(this.#register, anchor.reading, reading)) continue;
      const taken = this.#points.splice(branch.anchor + 1).map((point) => point.reading);
      this.#pending = [...taken, ...this.#pending];
      this.#branch = branch.below;
      return true;
    }
    return false;
  }

  /** Believes the pending readings that agree, once they are enough. */
  #confirm(): void {
    const ref = this.last as Point;
    const chain = this.#chain();
    const breach = this.#breach(ref.reading, chain[0] as Reading);
    if (chain.length < agreeing[breach.link as keyof typeof agreeing]) return;
    this.#pending.splice(-chain.length);
    this.#dropPending();
    this.#fork(breach.reading);
    this.#push(breach);
    for (const reading of chain.slice(1)) this.#place(reading);
  }

  /** The pending readings at the end that follow one another. */
  #chain(): Reading[] {
    let start = this.#pending.length - 1;
    for (; start > 0; start -= 1) {
      const [before, after] = [this.#pending[start - 1] as Reading, this.#pending[start] as Reading];
      const step = stepBetween(this.#register, before, after);
      if (!step || step.kind === "rollover") break;
    }
    return this.#pending.slice(Math.max(0, start));
  }

  #breach(ref: Reading, reading: Reading): Point {
    const base = { reading, doubt: false, settled: false };
    const d = reading.value - ref.value;
    if (d < 0 && reading.value <= ceiling(this.#register, reading.timeMs - ref.timeMs))
      return { ...base, link: "reset", counted: reading.value, apart: 0, lowerBound: true };
    return { ...base, link: d > 0 ? "jump" : "fall", counted: 0, apart: d, lowerBound: true };
  }

  #beginEpoch(ref: Reading, reading: Reading): void {
    this.#dropPending();
    this.#branch = undefined;
    const fromZero = reading.value <= ceiling(this.#register, reading.timeMs - ref.timeMs);
    const counted = fromZero ? reading.value : 0;
    this.#push({
      reading,
      link: "new-epoch",
      counted,
      apart: 0,
      lowerBound: true,
      doubt: !fromZero,
      settled: false,
    });
  }

  #fork(reading: Reading): void {
    this.#branch = { anchor: this.#points.length - 1, low: reading.value, below: this.#branch };
  }

  #push(point: Point): void {
    const branch = this.#branch;
    if (branch && point.reading.value - branch.low > 2 * this.#register.resolution) this.#branch = undefined;
    else if (branch) branch.low = Math.min(branch.low, point.reading.value);
    this.#points.push({ ...point, settled: this.isSettled && point.reading.timeMs === this.#latestMs });
  }

  #dropPending(): void {
    const ref = this.last?.reading.value ?? 0;
    for (const reading of this.#pending) this.#skip(reading, reading.value < ref ? "glitch" : "spike");
    this.#pending = [];
  }

  #skip(reading: Reading, why: Omission): void {
    this.#skipped.push({ reading, why });
  }
}

function plain(reading: Reading, { kind, counted, turns }: Step): Point {
  return { reading, link: kind, counted, apart: 0, lowerBound: turns, doubt: turns, settled: false };
}
