import { setImmediate } from "node:timers/promises";
import type { RegistryView } from "../devices/index.js";
import {
  AnchorSearch,
  forget,
  type Interval,
  type LifeEntry,
  type MeterAccount,
  type MeterOptions,
  passOver,
  readLife,
  readMeter,
  type Reading,
  settledUntil,
  updateMeter,
} from "./meters/index.js";
import type { CounterValue, History, TimeRange } from "./stores/port.js";

/** One register of a device: the counter that shows it, and whose it is. */
export interface RegisterName {
  device: string;
  quantity: string;
}

/** What a reader of meters works with. */
export interface MeterReaderParts {
  history: Pick<History, "counter">;
  registry: Pick<RegistryView, "device">;
  /** How long an undecided reading is held back, milliseconds. */
  waitMs: number;
  clock: () => number;
  /** Most amounts that wait at once for later readings to decide about them; 100,000 unless given. */
  mostUndecided?: number;
}

const dayMs = 86_400_000;
/** Values read at once: a year of quarters of an hour. */
export const mostValues = 40_000;
/** Values that usually decide about those before them. */
export const deciding = 100;
/** Amounts of 35 days, two a minute. */
const usualUndecided = 100_000;

/**
 * Reads what flowed out of what history holds of a counter.
 * Guarantee: bounded, however much it holds; others have their turn between any two pages of it.
 */
export class MeterReader {
  readonly #parts: MeterReaderParts;

  constructor(parts: MeterReaderParts) {
    this.#parts = parts;
  }

  /**
   * The intervals that reach into a range, in turns, oldest first: each as the readings after it have decided, or as they are
   * believed where none came.
   */
  async *settled(
    name: RegisterName,
    life: readonly LifeEntry[],
    { fromMs, toMs }: TimeRange,
    chunk: number,
  ): AsyncGenerator<Interval[]> {
    let endMs = Number.NEGATIVE_INFINITY;
    for (const part = { fromMs, toMs }; part.fromMs < toMs; [part.fromMs, part.toMs] = [part.toMs, toMs]) {
      for await (const intervals of this.#settledPart(name, life, part, chunk)) {
        const fresh = intervals.filter((one) => one.fromMs >= endMs);
        endMs = fresh.at(-1)?.toMs ?? endMs;
        yield fresh;
      }
    }
  }

  /** The same of a range of which the end is left for another time (`toMs` comes nearer) where too much of it is undecided. */
  async *#settledPart(
    name: RegisterName,
    life: readonly LifeEntry[],
    part: TimeRange,
    chunk: number,
  ): AsyncGenerator<Interval[]> {
    const { fromMs } = part;
    const { mostUndecided = usualUndecided } = this.#parts;
    const { account: before, anchorMs } = await this.#before(name, life, part);
    const reaches = (one: Interval): boolean =>
      one.fromMs >= anchorMs && one.toMs > fromMs && one.fromMs < part.toMs;
    let [account, readMs] = [before, fromMs];
    for (let [nextMs, limit]: [number | undefined, number] = [fromMs, chunk]; nextMs !== undefined;) {
      const isBeyond: boolean = nextMs >= part.toMs;
      const untilMs: number = isBeyond ? Number.POSITIVE_INFINITY : part.toMs;
      const page = await this.#page(name, { fromMs: nextMs, toMs: untilMs }, limit);
      account = updateMeter(account, { readings: page.readings }).account;
      readMs = page.readings.at(-1)?.timeMs ?? readMs;
      // What is said by protocol of a later time settles nothing before it: more readings may come between.
      const settledMs = settledUntil(account, readMs);
      yield account.intervals.filter((one) => one.toMs <= settledMs && reaches(one));
      if (settledMs >= part.toMs) return;
      account = forget(account, settledMs);
      part.toMs = account.intervals.filter(reaches)[mostUndecided]?.fromMs ?? part.toMs;
      account = passOver(account, [], readMs, part);
      nextMs = page.nextMs ?? (isBeyond ? undefined : untilMs);
      if (page.nextMs === undefined || isBeyond)
        limit = isBeyond ? Math.min(mostValues, limit * 8) : deciding;
    }
    yield account.intervals.filter(reaches);
  }

  /** What was believed before a range, as far as what is believed in it depends on that, and from when on that is certain. */
  async #before(
    name: RegisterName,
    life: readonly LifeEntry[],
    range: TimeRange,
  ): Promise<{ account: MeterAccount; anchorMs: number }> {
    const { spans } = readLife(life);
    const { everyMs = dayMs } = this.#parts.registry.device(name.device) ?? {};
    const firstMs = spans[0]?.fromMs ?? Number.POSITIVE_INFINITY;
    const toMs = range.fromMs;
    const none = readMeter(life, [], this.#parts.clock(), this.#options(name));
    for (let backMs = Math.min(2 * dayMs, 40 * everyMs); ; backMs *= 8) {
      const isAll = backMs > 2_000 * dayMs || toMs - backMs <= firstMs;
      const fromMs = isAll ? Math.min(firstMs, toMs) : toMs - backMs;
      const search = new AnchorSearch(spans, { fromMs, toMs });
      let account = none;
      for (let nextMs: number | undefined = fromMs; nextMs !== undefined;) {
        const page = await this.#page(name, { fromMs: nextMs, toMs }, mostValues);
        const last = page.readings.at(-1);
        search.take(page.readings);
        if (last) account = passOver(account, page.readings, last.timeMs, range);
        ({ nextMs } = page);
      }
      const anchorMs = isAll ? Number.NEGATIVE_INFINITY : search.foundMs;
      if (anchorMs !== undefined) return { account, anchorMs };
    }
  }

  /** Readings in a range, oldest first; others have their turn before. */
  async #page(
    name: RegisterName,
    range: TimeRange,
    limit: number,
  ): Promise<{ readings: Reading[]; nextMs: number | undefined }> {
    await setImmediate();
    const { items, nextMs } = await this.#parts.history.counter({ ...name, ...range, limit });
    return { readings: items.map(readingOf), nextMs };
  }

  #options({ device }: RegisterName): MeterOptions {
    const expectedMs = this.#parts.registry.device(device)?.everyMs;
    return { waitMs: this.#parts.waitMs, ...(expectedMs === undefined ? {} : { expectedMs }) };
  }
}

/** A value as a reading; those of one moment stand in the order of their receipt, which sealing keeps. */
function readingOf({ timeMs, value, receivedMs }: CounterValue): Reading {
  return { timeMs, value, sequence: receivedMs };
}
