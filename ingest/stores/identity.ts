import type { Value } from "../../devices/index.js";
import type { IdentifiedValue, Verdict } from "./port.js";
import type { Series, SeriesTable } from "./series-table.js";

/** A value on its way in, with the message that brought it. */
export type IncomingValue = Value & { receivedMs: number; message: number };

/** An identified value that remembers its series, so that storing needn't look it up again. */
export interface PlacedValue extends IdentifiedValue {
  series: Series;
}

/** A place in history to look at: is there a value of this series at this time? */
export interface Asked {
  series: Series;
  timeMs: number;
}

/** Stored values by series id, then time. */
export type Found = Map<number, Map<number, number>>;

/** Looks up stored values at exactly the given places. */
export type FindStored = (asked: readonly Asked[]) => Promise<Found>;

/**
 * Judges values against history and each other: the same again is a duplicate, the same identity with another number a conflict.
 * Only what isn't newer than the newest of its series is looked up; the newest itself is in memory.
 * Guarantee: what it accepts is staged until `keep` or `drop`, and judged against by the next batch.
 */
export class Identity {
  readonly #series: SeriesTable;
  readonly #find: FindStored;
  readonly #lateAfterMs: number;
  #staged: Series[] = [];
  #next: number;
  #last: number;

  constructor(series: SeriesTable, find: FindStored, lateAfterMs: number, lastSequence: number) {
    this.#series = series;
    this.#find = find;
    this.#lateAfterMs = lateAfterMs;
    this.#last = lastSequence;
    this.#next = lastSequence;
  }

  /** Sequence of the last kept value. */
  get lastSequence(): number {
    return this.#last;
  }

  /** Judges in order and numbers what is new, without gaps. */
  async judge(values: readonly IncomingValue[]): Promise<PlacedValue[]> {
    const series = values.map((value) => this.#series.obtain(value.device, value.quantity, value.attributes));
    const asked = askedOf(values, series);
    const found: Found = asked.length === 0 ? new Map() : await this.#find(asked);
    const watched = new Set(asked.map((ask) => ask.series.id));
    return values.map((value, index) => {
      const own = series[index] as Series;
      return this.#judgeOne(value, own, watched.has(own.id) ? found : undefined);
    });
  }

  /** Makes the staged values history: the batch is committed. */
  keep(): void {
    for (const series of this.#staged) {
      if (series.staged) series.newest = series.staged;
      series.staged = undefined;
    }
    this.#staged = [];
    this.#last = this.#next;
  }

  /** Forgets the staged values: the batch won't be committed. */
  drop(): void {
    for (const series of this.#staged) series.staged = undefined;
    this.#staged = [];
    this.#next = this.#last;
  }

  #judgeOne(value: IncomingValue, series: Series, found: Found | undefined): PlacedValue {
    const newest = series.staged ?? series.newest;
    const known =
      newest && value.timeMs === newest.timeMs
        ? newest.value
        : newest && value.timeMs < newest.timeMs
          ? found?.get(series.id)?.get(value.timeMs)
          : undefined;
    const verdict: Verdict =
      known === undefined ? "stored" : known === value.value ? "duplicate" : "conflict";
    const late =
      (newest !== undefined && value.timeMs < newest.timeMs) ||
      value.receivedMs - value.timeMs > this.#lateAfterMs;
    const sequence = verdict === "stored" ? (this.#next += 1) : 0;
    if (verdict === "stored") this.#stage(value, series, sequence, found);
    return {
      device: value.device,
      quantity: value.quantity,
      attributes: value.attributes,
      timeMs: value.timeMs,
      value: value.value,
      path: value.path,
      receivedMs: value.receivedMs,
      message: value.message,
      verdict,
      late,
      sequence,
      series,
    };
  }

  #stage(value: IncomingValue, series: Series, sequence: number, found: Found | undefined): void {
    if (found) {
      let times = found.get(series.id);
      if (!times) found.set(series.id, (times = new Map<number, number>()));
      times.set(value.timeMs, value.value);
    }
    const newest = series.staged ?? series.newest;
    if (newest && value.timeMs < newest.timeMs) return;
    if (!series.staged) this.#staged.push(series);
    series.staged = {
      timeMs: value.timeMs,
      value: value.value,
      receivedMs: value.receivedMs,
      sequence,
    };
  }
}

function askedOf(values: readonly IncomingValue[], series: readonly Series[]): Asked[] {
  const asked: Asked[] = [];
  const running = new Map<number, number>();
  values.forEach((value, index) => {
    const own = series[index] as Series;
    const newest = running.get(own.id) ?? (own.staged ?? own.newest)?.timeMs;
    if (newest === undefined || value.timeMs > newest) running.set(own.id, value.timeMs);
    else if (value.timeMs < newest) asked.push({ series: own, timeMs: value.timeMs });
  });
  return asked;
}
