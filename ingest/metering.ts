import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { type DeviceEntry, ObiegError, type RegistryView, unitOf } from "../devices/index.js";
import { MeterEntries, type MeterEntry } from "./meter-entries.js";
import {
  addBuckets,
  AnchorSearch,
  beginningOf,
  type Bucket,
  type Correction,
  forget,
  type Interval,
  type LifeEntry,
  type MeterAccount,
  type MeterOptions,
  type NamePlate,
  passOver,
  readLife,
  readMeter,
  type Reading,
  type Register,
  registerOf,
  settledUntil,
  type Span,
  spread,
  updateMeter,
} from "./meters/index.js";
import type { CounterValue, History, StateStore, TimeRange } from "./stores/port.js";
import { type CalendarStep, Zone } from "./stores/zone.js";

/** One register of a device: the counter that shows it, and whose it is. */
export interface RegisterName {
  device: string;
  quantity: string;
}

/** A new register as an entry names it; what isn't said is as it was, but for the width. */
export type NewRegister = Pick<NamePlate, "serial"> & { [K in keyof NamePlate]?: NamePlate[K] | undefined };

/** What happened to a meter, as a person says it. Times epoch milliseconds, readings in units of the register. */
export type MeterNote = { id?: string | undefined; why: string } & (
  | { kind: "installed"; timeMs: number; register: NewRegister; start?: number | undefined }
  | {
      kind: "exchanged";
      timeMs: number;
      register: NewRegister;
      final?: number | undefined;
      start?: number | undefined;
    }
  | { kind: "removed"; timeMs: number; final?: number | undefined }
  | { kind: "corrected"; fromMs: number; toMs: number; amount: number }
  | { kind: "withdrawn"; entry: string }
);

/** A register that counts or counted. */
export interface MeterSpan extends Omit<Span, "exchanged"> {
  quantity: string;
  /** Nobody described it: its figures are those of a usual size. */
  assumed: boolean;
}

/** What flowed between two readings, or what a person added over a range. */
export type MeterAmount =
  | (Interval & { entry?: undefined })
  | { fromMs: number; toMs: number; amount: number; entry: Correction };

/** What amounts are asked of: those that reach into a range. */
export type AmountsQuery = RegisterName & TimeRange;

/** What the dashboards see of meters. */
export interface Meters {
  /** The registers of a device, oldest first: those of its counters that are described, written of, or in `quantities`. Throws `meter-life`, `meter-register`. */
  spans(device: DeviceEntry, counters: readonly string[]): MeterSpan[];
  entries(device: string): MeterEntry[];
  /** Adds to a meter's life; durable when resolved. Throws `meter-life`, `meter-register` when it wouldn't hold together. */
  append(name: RegisterName, note: MeterNote, who: string): Promise<MeterEntry>;
  /** Amounts that reach into the range, whole, oldest first, from the one after `skip` of those that begin at `fromMs` on. */
  amounts(query: AmountsQuery & { limit: number; after?: AmountPlace }): Promise<MeterAmount[]>;
  /** The same divided among steps of time; steps of which nothing is known are left out. */
  steps(query: AmountsQuery & { step: number | CalendarStep; timeZone: string }): Promise<Bucket[]>;
}

/** A place in a list of amounts: `skip` of those that begin at `fromMs` came before. */
export interface AmountPlace {
  fromMs: number;
  skip: number;
}

/** What metering works with. */
export interface MeteringParts {
  history: Pick<History, "counter">;
  registry: Pick<RegistryView, "device">;
  entries: MeterEntries;
  /** How long an undecided reading is held back, milliseconds. */
  waitMs: number;
  clock: () => number;
}

const dayMs = 86_400_000;
/** Values read at once: a year of quarters of an hour. */
const mostValues = 40_000;
/** Values that usually decide about those before them. */
const deciding = 100;

/**
 * Works out amounts when they are asked for, from what history holds of a counter and what was written of its meter.
 * Guarantee: the same as from all readings of the meter at once, however small the range (as far as history reaches back).
 */
export class Metering implements Meters {
  readonly #parts: MeteringParts;

  constructor(parts: MeteringParts) {
    this.#parts = parts;
  }

  spans(device: DeviceEntry, counters: readonly string[]): MeterSpan[] {
    const written = new Set(this.entries(device.id).map(({ quantity }) => quantity));
    const names = new Set([...Object.keys(device.meter?.registers ?? {}), ...written, ...counters]);
    return [...names].sort().flatMap((quantity) => {
      const life = this.#life({ device: device.id, quantity });
      const [first] = life;
      return readLife(life).spans.map(({ exchanged: _exchanged, ...span }, index) => ({
        ...span,
        quantity,
        assumed: index === 0 && first?.who === "registry" && first.why === "assumed",
      }));
    });
  }

  entries(device: string): MeterEntry[] {
    return this.#parts.entries.of(device);
  }

  append(name: RegisterName, note: MeterNote, who: string): Promise<MeterEntry> {
    const { device, quantity } = name;
    const whole = (written: readonly LifeEntry[]): LifeEntry[] => this.#wholeLife(name, written);
    const make = (before: readonly LifeEntry[]): LifeEntry => {
      const { id = randomUUID(), why } = note;
      const said = { id, why, who, recordedMs: this.#parts.clock() };
      if (note.kind === "installed" || note.kind === "exchanged") {
        const { timeMs, final, start } = { final: undefined, ...note };
        const { spans } = readLife(whole(before));
        const last = spans.findLast(({ fromMs }) => fromMs < timeMs)?.register;
        const register = successor(note.register, last, unitOf(quantity));
        return { ...said, kind: note.kind, timeMs, register, ...given({ final, start }) };
      }
      return { ...said, ...given(note), id } as LifeEntry;
    };
    return this.#parts.entries.append(device, quantity, make, whole);
  }

  async amounts(query: AmountsQuery & { limit: number; after?: AmountPlace }): Promise<MeterAmount[]> {
    const { toMs, limit, after } = query;
    const fromMs = after?.fromMs ?? query.fromMs;
    const reaches = (one: TimeRange): boolean =>
      one.fromMs < toMs && (after ? one.fromMs >= fromMs : one.toMs > fromMs);
    const life = this.#life(query);
    const corrections = readLife(life)
      .corrections.filter(reaches)
      .map((entry): MeterAmount => ({ fromMs: entry.fromMs, toMs: entry.toMs, amount: entry.amount, entry }));
    const wanted = limit + (after?.skip ?? 0);
    const found: MeterAmount[] = [];
    for await (const intervals of this.#settled(
      query,
      life,
      { fromMs, toMs },
      Math.min(mostValues, wanted + deciding),
    )) {
      found.push(...intervals.filter(reaches));
      if (found.length >= wanted) break;
    }
    // What comes after the last interval that was read may be preceded by others.
    const endMs = found.length >= wanted ? (found.at(-1)?.fromMs ?? toMs) : toMs;
    const all = [...found, ...corrections.filter((one) => one.fromMs <= endMs)];
    all.sort((a, b) => a.fromMs - b.fromMs || Number(a.entry !== undefined) - Number(b.entry !== undefined));
    return all.slice(after?.skip ?? 0, wanted);
  }

  async steps(query: AmountsQuery & { step: number | CalendarStep; timeZone: string }): Promise<Bucket[]> {
    const edges = edgesOf(query);
    const life = this.#life(query);
    let buckets = spread({ intervals: [], corrections: readLife(life).corrections }, edges);
    for await (const intervals of this.#settled(query, life, query, mostValues))
      buckets = addBuckets(buckets, spread({ intervals, corrections: [] }, edges));
    return buckets.filter(({ known, corrected }) => known > 0 || corrected !== 0);
  }

  /** All that is written and described of a register. */
  #life(name: RegisterName): LifeEntry[] {
    const written = this.#parts.entries.of(name.device, name.quantity).map(({ entry }) => entry);
    return this.#wholeLife(name, written);
  }

  /** What was written of a register, after what the registry says; a life that an entry begins has no assumed past. */
  #wholeLife({ device, quantity }: RegisterName, written: readonly LifeEntry[]): LifeEntry[] {
    const found = this.#parts.registry.device(device);
    if (!found) throw new ObiegError("device-not-found", `there is no device ${device}`);
    const withdrawn = new Set(written.map((entry) => (entry.kind === "withdrawn" ? entry.entry : "")));
    const begins = written.some(({ kind, id }) => kind === "installed" && !withdrawn.has(id));
    const isTold = begins && !found.meter?.registers[quantity];
    const life = isTold ? [...written] : [beginningOf(found, quantity, unitOf(quantity)), ...written];
    const { decommissioned } = found;
    const last = decommissioned === undefined ? undefined : readLife(life).spans.at(-1);
    if (decommissioned === undefined || !last || last.toMs < Infinity || last.fromMs >= decommissioned)
      return life;
    const said = { id: `${device}/${quantity}/decommissioned`, who: "registry", why: "decommissioned" };
    return [...life, { ...said, kind: "removed", recordedMs: found.sinceMs, timeMs: decommissioned }];
  }

  /**
   * The intervals that reach into a range, in turns, oldest first: each as the readings after it have decided, or as they are
   * believed where none came.
   */
  async *#settled(
    name: RegisterName,
    life: readonly LifeEntry[],
    { fromMs, toMs }: TimeRange,
    chunk: number,
  ): AsyncGenerator<Interval[]> {
    const range = { fromMs, toMs };
    const { account: before, anchorMs } = await this.#before(name, life, range);
    const reaches = (one: Interval): boolean =>
      one.fromMs >= anchorMs && one.toMs > fromMs && one.fromMs < toMs;
    let [account, readMs] = [before, fromMs];
    for (let [nextMs, limit]: [number | undefined, number] = [fromMs, chunk]; nextMs !== undefined;) {
      const isBeyond: boolean = nextMs >= toMs;
      const untilMs = isBeyond ? Number.POSITIVE_INFINITY : toMs;
      const page = await this.#page(name, { fromMs: nextMs, toMs: untilMs }, limit);
      account = updateMeter(account, { readings: page.readings }).account;
      readMs = page.readings.at(-1)?.timeMs ?? readMs;
      // What is said by protocol of a later time settles nothing before it: more readings may come between.
      const settledMs = settledUntil(account, readMs);
      yield account.intervals.filter((one) => one.toMs <= settledMs && reaches(one));
      if (settledMs >= toMs) return;
      account = passOver(forget(account, settledMs), [], readMs, range);
      nextMs = page.nextMs ?? (isBeyond ? undefined : toMs);
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
    return { waitMs: this.#parts.waitMs, ...given({ expectedMs }) };
  }
}

/** Opens what is written of meters in `state`, and works out their amounts. */
export function openMetering(parts: Omit<MeteringParts, "entries"> & { state: StateStore }): Metering {
  return new Metering({ ...parts, entries: new MeterEntries(parts.state) });
}

/** A value as a reading; those of one moment stand in the order of their receipt, which sealing keeps. */
function readingOf({ timeMs, value, receivedMs }: CounterValue): Reading {
  return { timeMs, value, sequence: receivedMs };
}

/** The register that follows another: what isn't said of it is as it was, but for the width. */
function successor(said: NewRegister, last: Register | undefined, unit: string): Register {
  const { multiplier = last?.multiplier ?? 1, resolution = last?.resolution ?? 0.001 } = said;
  const { maxRate = last?.maxRate, backflow = last?.backflow } = said;
  if (maxRate === undefined)
    throw new ObiegError("meter-register", "Say maxRate: the most that can flow in an hour.");
  return registerOf({ ...said, multiplier, resolution, maxRate, backflow }, unit);
}

/** Where steps begin and end within a range: even ones are aligned to the epoch. */
function edgesOf(query: TimeRange & { step: number | CalendarStep; timeZone: string }): number[] {
  const { step, fromMs, toMs } = query;
  const inner =
    typeof step === "number"
      ? Array.from(
          { length: Math.max(0, Math.ceil(toMs / step) - Math.floor(fromMs / step) - 1) },
          (_, index) => (Math.floor(fromMs / step) + 1 + index) * step,
        )
      : new Zone(query.timeZone).edges(step, fromMs, toMs).filter((edge) => edge > fromMs && edge < toMs);
  return [fromMs, ...inner, toMs];
}

function given<T extends object>(parts: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
