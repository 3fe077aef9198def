import type { JournalMessage, UnmappedField } from "../devices/index.js";
import { unmappedEntry } from "./quarantine.js";
import type { QuarantineEntry } from "./stores/port.js";
import type { StateStore } from "./stores/state.js";

/** A field of a device that nobody gave a quantity, and how often it came. Times epoch milliseconds. */
export interface UnmappedSighting {
  device: string;
  /** Its name, or what it begins with: 200 characters of it. */
  field: string;
  /** Where it came first; 1,000 characters of it. */
  topic: string;
  count: number;
  firstMs: number;
  lastMs: number;
  /** The newest value, and the first, the least and the greatest that were seen; as `value` in what an older version kept. */
  value: number;
  first?: number;
  min?: number;
  max?: number;
}

/** What a message held that has no quantity. */
export interface Unmapped {
  message: JournalMessage;
  device: string;
  fields: readonly UnmappedField[];
}

const maxSightings = 20_000;
const maxPerDevice = 500;
const maxField = 200;
const maxTopic = 1_000;

/**
 * Counts fields without a quantity: each makes one entry of quarantine, whatever how often it comes.
 * Fields that begin with the same 200 characters are one.
 * Guarantee: bounded to 20,000 fields, 500 a device, and in the length of each; which fields are known is on disk, counts since the last
 * {@link save} may be lost.
 */
export class UnmappedBook {
  readonly #state: StateStore;
  readonly #table;
  readonly #entryOf: typeof unmappedEntry;
  readonly #known = new Map<string, UnmappedSighting>();
  readonly #perDevice = new Map<string, number>();
  readonly #changed = new Set<UnmappedSighting>();
  #hasNew = false;

  /** `table`: where sightings are kept; `entryOf`: what the first of each leaves in quarantine. */
  constructor(state: StateStore, table = "unmapped", entryOf: typeof unmappedEntry = unmappedEntry) {
    this.#state = state;
    this.#entryOf = entryOf;
    this.#table = state.table<UnmappedSighting, string>(table);
    for (const { value } of this.#table.getRange()) {
      const { field, topic } = value;
      const short = { ...value, field: shortOf(field, maxField), topic: shortOf(topic, maxTopic) };
      this.#keep(short);
      // An older version kept them whole.
      if (field.length > maxField || topic.length > maxTopic) this.#changed.add(short);
    }
  }

  /** Under the key of its short name: that of a long one would hold on to all of it. */
  #keep(sighting: UnmappedSighting): void {
    const { device, field } = sighting;
    this.#known.set(keyOf(device, field), sighting);
    this.#perDevice.set(device, (this.#perDevice.get(device) ?? 0) + 1);
  }

  /** True when a field that came for the first time isn't on disk yet. */
  get hasNew(): boolean {
    return this.#hasNew;
  }

  /** Entries of the fields that come for the first time, numbered in their message, of however many devices it tells. Changes nothing. */
  entriesOf(found: readonly Unmapped[]): QuarantineEntry[] {
    const seen = new Set<string>();
    const made = new Map<number, number>();
    const perDevice = new Map<string, number>();
    return found.flatMap(({ message, device, fields }) => {
      const fresh = fields.filter(({ field }) => {
        const key = keyOf(device, field);
        const before = perDevice.get(device) ?? 0;
        if (this.#known.has(key) || seen.has(key) || !this.#hasRoom(device, before, seen.size)) return false;
        seen.add(key);
        perDevice.set(device, before + 1);
        return true;
      });
      const given = made.get(message.sequence) ?? 0;
      made.set(message.sequence, given + fresh.length);
      return fresh.map((field, index) => this.#entryOf(message, device, field, given + index + 1));
    });
  }

  /** Counts what came, once its entries are in quarantine. */
  count(found: readonly Unmapped[]): void {
    for (const { message, device, fields } of found) {
      for (const { field, value } of fields) {
        const known = this.#known.get(keyOf(device, field));
        if (known) {
          known.count += 1;
          known.lastMs = message.receivedMs;
          known.min = Math.min(known.min ?? known.value, value);
          known.max = Math.max(known.max ?? known.value, value);
          known.value = value;
          this.#changed.add(known);
        } else if (this.#hasRoom(device)) this.#add(message, device, field, value);
      }
    }
  }

  #add({ topic, receivedMs }: JournalMessage, device: string, field: string, value: number): void {
    const names = { field: shortOf(field, maxField), topic: shortOf(topic, maxTopic) };
    const seen = { count: 1, firstMs: receivedMs, lastMs: receivedMs, value };
    const sighting = { device, ...names, ...seen, first: value, min: value, max: value };
    this.#keep(sighting);
    this.#changed.add(sighting);
    this.#hasNew = true;
  }

  /** Puts what changed on disk. */
  async save(): Promise<void> {
    if (this.#changed.size === 0) return;
    const sightings = [...this.#changed];
    await this.#state.transaction(() => {
      for (const one of sightings) void this.#table.put(keyOf(one.device, one.field), one);
    });
    this.#hasNew = false;
    for (const one of sightings) this.#changed.delete(one);
  }

  /** Every field that was seen, of one device or of all. */
  list(device?: string): UnmappedSighting[] {
    return [...this.#known.values()].filter((one) => device === undefined || one.device === device);
  }

  /** `more` and `moreOfAll`: fields beside those known, of the device and of all. */
  #hasRoom(device: string, more = 0, moreOfAll = 0): boolean {
    const own = this.#perDevice.get(device) ?? 0;
    return this.#known.size + moreOfAll < maxSightings && own + more < maxPerDevice;
  }
}

/** Short enough for a key of LMDB (1,978 bytes). */
const keyOf = (device: string, field: string): string => `${device}\n${beginningOf(field, maxField)}`;

/** As it comes back from the disk: a pair that was cut in two isn't written. */
const beginningOf = (text: string, length: number): string => text.slice(0, length).toWellFormed();

/** {@link beginningOf} in memory of its own: what is sliced off a long text keeps all of it alive. */
const shortOf = (text: string, length: number): string => Buffer.from(beginningOf(text, length)).toString();
