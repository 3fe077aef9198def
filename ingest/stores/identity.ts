import type { NewestValue, Series } from "./series-table.js";
import { type ValueColumns, verdictCodes } from "./values.js";

/** A place in history to look at: is there a value of this series at this time? */
export interface Asked {
  series: Series;
  timeMs: number;
}

/** A stored value that was found. */
export interface FoundValue {
  value: number;
  receivedMs: number;
  /** True when it stands in a sealed day. */
  isSealed: boolean;
}

/** Stored values by series id, then time. */
export type Found = Map<number, Map<number, FoundValue>>;

/** Looks up stored values at exactly the given places. */
export type FindStored = (asked: readonly Asked[]) => Promise<Found>;

/**
 * Judges values against history and each other: the same again is a duplicate, the same identity with another number a conflict.
 * Only what isn't newer than the newest of its series is looked up; the newest itself is in memory.
 * Guarantee: what it accepts is staged until `keep` or `drop`, and judged against by the next batch.
 */
export class Identity {
  readonly #find: FindStored;
  readonly #lateAfterMs: number;
  #staged: Series[] = [];
  #next: number;
  #last: number;
  /** Last message of the journal's past that is being read again; 0 when none is. */
  readonly #rebuildUntil: number;
  /** Sealed values that a message read again has claimed as its own. */
  readonly #claimed = new Map<Series, Set<number>>();

  constructor(find: FindStored, lateAfterMs: number, lastSequence: number, rebuildUntil = 0) {
    this.#rebuildUntil = rebuildUntil;
    this.#find = find;
    this.#lateAfterMs = lateAfterMs;
    this.#last = lastSequence;
    this.#next = lastSequence;
  }

  /** Sequence of the last kept value. */
  get lastSequence(): number {
    return this.#last;
  }

  /** Judges in order and numbers what is new, without gaps. Judging the same again after `drop` gives the same. */
  async judge(values: ValueColumns): Promise<void> {
    const asked = askedOf(values);
    const found: Found = asked.length === 0 ? new Map() : await this.#find(asked);
    const watched = new Set(asked.map((ask) => ask.series.id));
    for (let row = 0; row < values.count; row += 1) {
      const series = values.series[row] as Series;
      this.#judgeOne(values, row, series, watched.size > 0 && watched.has(series.id) ? found : undefined);
    }
  }

  /** Makes the staged values history: the batch is committed. */
  keep(): void {
    for (const series of this.#staged) {
      if (series.staged) series.newest = series.staged;
      series.staged = undefined;
    }
    this.#staged = [];
    this.#claimed.clear();
    this.#last = this.#next;
  }

  /** Forgets the staged values: the batch won't be committed. */
  drop(): void {
    for (const series of this.#staged) series.staged = undefined;
    this.#staged = [];
    this.#claimed.clear();
    this.#next = this.#last;
  }

  #judgeOne(values: ValueColumns, row: number, series: Series, found: Found | undefined): void {
    const timeMs = values.timeMs[row] as number;
    const value = values.value[row] as number;
    const receivedMs = values.receivedMs[row] as number;
    const newest = series.staged ?? series.newest;
    const known =
      newest && timeMs === newest.timeMs
        ? { value: newest.value, receivedMs: newest.receivedMs, isSealed: newest.sequence === 0 }
        : newest && timeMs < newest.timeMs
          ? found?.get(series.id)?.get(timeMs)
          : undefined;
    const isOwn = (): boolean =>
      (values.message[row] as number) <= this.#rebuildUntil &&
      known?.isSealed === true &&
      known.receivedMs === receivedMs &&
      this.#claim(series, timeMs);
    const verdict =
      known === undefined
        ? "stored"
        : known.value !== value
          ? "conflict"
          : isOwn()
            ? "restored"
            : "duplicate";
    values.verdict[row] = verdictCodes[verdict];
    const isLate =
      (newest !== undefined && timeMs < newest.timeMs) || receivedMs - timeMs > this.#lateAfterMs;
    values.late[row] = isLate ? 1 : 0;
    const sequence = verdict === "stored" ? (this.#next += 1) : 0;
    values.sequence[row] = sequence;
    if (verdict === "stored") this.#stage({ timeMs, value, receivedMs, sequence }, series, found);
  }

  /** True for the first who asks for this place. */
  #claim(series: Series, timeMs: number): boolean {
    let times = this.#claimed.get(series);
    if (!times) this.#claimed.set(series, (times = new Set()));
    if (times.has(timeMs)) return false;
    times.add(timeMs);
    return true;
  }

  #stage(value: NewestValue, series: Series, found: Found | undefined): void {
    if (found) {
      let times = found.get(series.id);
      if (!times) found.set(series.id, (times = new Map<number, FoundValue>()));
      times.set(value.timeMs, { value: value.value, receivedMs: value.receivedMs, isSealed: false });
    }
    const newest = series.staged ?? series.newest;
    if (newest && value.timeMs < newest.timeMs) return;
    if (!series.staged) this.#staged.push(series);
    series.staged = value;
  }
}

function askedOf({ series, timeMs, count }: ValueColumns): Asked[] {
  const asked: Asked[] = [];
  const running = new Map<Series, number>();
  for (let row = 0; row < count; row += 1) {
    const own = series[row] as Series;
    const time = timeMs[row] as number;
    const newest = running.get(own) ?? (own.staged ?? own.newest)?.timeMs;
    if (newest === undefined || time > newest) running.set(own, time);
    else if (time < newest) asked.push({ series: own, timeMs: time });
  }
  return asked;
}
