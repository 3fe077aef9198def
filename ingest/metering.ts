import { randomUUID } from "node:crypto";
import { type DeviceEntry, ObiegError, unitOf } from "../devices/index.js";
import { MeterEntries, type MeterEntry } from "./meter-entries.js";
import {
  addBuckets,
  beginningOf,
  type Bucket,
  type Correction,
  type Interval,
  type LifeEntry,
  type NamePlate,
  readLife,
  type Register,
  registerOf,
  type Span,
  spread,
} from "./meters/index.js";
import {
  deciding,
  MeterReader,
  type MeterReaderParts,
  mostValues,
  type RegisterName,
} from "./meter-reader.js";
import type { StateStore, TimeRange } from "./stores/port.js";
import { type CalendarStep, Zone } from "./stores/zone.js";

/** A new register as an entry names it; what isn't said is as it was, but for the width. */
export type NewRegister = Pick<NamePlate, "serial"> & { [K in keyof NamePlate]?: NamePlate[K] | undefined };

export type { RegisterName } from "./meter-reader.js";

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
export interface MeteringParts extends MeterReaderParts {
  entries: MeterEntries;
}

/**
 * Works out amounts when they are asked for, from what history holds of a counter and what was written of its meter.
 * Guarantee: the same as from all readings of the meter at once, however small the range (as far as history reaches back).
 */
export class Metering implements Meters {
  readonly #parts: MeteringParts;
  readonly #reader: MeterReader;

  constructor(parts: MeteringParts) {
    this.#parts = parts;
    this.#reader = new MeterReader(parts);
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
    for await (const intervals of this.#reader.settled(
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
    for await (const intervals of this.#reader.settled(query, life, query, mostValues))
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
}

/** Opens what is written of meters in `state`, and works out their amounts. */
export function openMetering(parts: Omit<MeteringParts, "entries"> & { state: StateStore }): Metering {
  return new Metering({ ...parts, entries: new MeterEntries(parts.state) });
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
