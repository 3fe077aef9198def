import { isDeepStrictEqual } from "node:util";
import type { Database } from "lmdb";
import { ObiegError } from "../devices/index.js";
import { type LifeEntry, readLife } from "./meters/index.js";
import type { StateStore } from "./stores/port.js";

/** What happened to a meter, as it was written down: whose it is, and its place among all entries (from 1, without gaps). */
export interface MeterEntry {
  sequence: number;
  device: string;
  quantity: string;
  entry: LifeEntry;
}

/** A register's life that is longer isn't a life. */
const mostEntries = 5_000;

/** The lives of meters as persons write them down: only ever added to. */
export class MeterEntries {
  readonly #state: StateStore;
  readonly #log: Database<MeterEntry, number>;
  /** `{device}\n{quantity}\n{sequence}` */
  readonly #index: Database<number, string>;

  constructor(state: StateStore) {
    this.#state = state;
    this.#log = state.table<MeterEntry, number>("meter-entries");
    this.#index = state.table<number, string>("meter-entries-index");
  }

  /** The entries of a device's meter, or of one of its registers, in the order of writing. */
  of(device: string, quantity?: string): MeterEntry[] {
    const own = quantity === undefined ? `${device}\n` : `${device}\n${quantity}\n`;
    const sequences = [...this.#index.getRange({ start: own, end: `${own}\uffff` })].map(
      ({ value }) => value,
    );
    return sequences.sort((a, b) => a - b).flatMap((sequence) => this.#log.get(sequence) ?? []);
  }

  /**
   * Adds an entry; durable when resolved. The same again (id and all that it says, whoever says it) gives the first.
   * `make` gives the entry, `lifeOf` the whole life of what was written.
   * Throws `meter-life`, `meter-register` when the life wouldn't hold together with it.
   */
  append(
    device: string,
    quantity: string,
    make: (before: readonly LifeEntry[]) => LifeEntry,
    lifeOf: (written: readonly LifeEntry[]) => readonly LifeEntry[],
  ): Promise<MeterEntry> {
    return this.#state.transaction(() => {
      const known = this.of(device, quantity);
      const before = known.map(({ entry }) => entry);
      const entry = make(before);
      const same = known.find((one) => one.entry.id === entry.id);
      if (same && isDeepStrictEqual(saying(same.entry), saying(entry))) return same;
      if (entry.kind === "withdrawn" && !before.some(({ id }) => id === entry.entry))
        throw new ObiegError(
          "meter-life",
          `Entry ${entry.id}: there is no entry ${entry.entry} to withdraw.`,
        );
      if (known.length >= mostEntries)
        throw new ObiegError("meter-life", `${device} has ${mostEntries} entries of ${quantity} already.`);
      readLife(lifeOf([...before, entry]));
      const last = [...this.#log.getKeys({ reverse: true, limit: 1 })][0] ?? 0;
      const written = { sequence: last + 1, device, quantity, entry };
      void this.#log.put(written.sequence, written);
      void this.#index.put(`${device}\n${quantity}\n${String(written.sequence).padStart(12, "0")}`, last + 1);
      return written;
    });
  }
}

/** An entry without who wrote it and when. */
function saying({ who: _who, recordedMs: _recordedMs, ...rest }: LifeEntry): object {
  return rest;
}
