import type { DuckDBConnection } from "@duckdb/node-api";
import type { SeriesName } from "./port.js";
import { numberOf, rowsInTurn, textOf } from "./sql.js";

/** The newest stored value of a series. */
export interface NewestValue {
  timeMs: number;
  value: number;
  receivedMs: number;
  /** 0 when its day is sealed. */
  sequence: number;
}

/** One series, with its newest value. */
export interface Series extends SeriesName {
  readonly id: number;
  /** Committed. */
  newest: NewestValue | undefined;
  /** Identified, not yet committed. */
  staged: NewestValue | undefined;
}

/** The dimension of series: small numbers for (device, quantity, attributes), kept whole in memory. */
export class SeriesTable {
  #byDevice = new Map<string, Map<string, Series[]>>();
  #byId = new Map<number, Series>();
  #unsaved: Series[] = [];
  #nextId = 1;

  get size(): number {
    return this.#byId.size;
  }

  /**
   * Reads the dimension, and the newest value of each series from hot rows and what sealing kept.
   * Guarantee: thrown means that the table is as it was. Series that it gave before are none of it afterwards.
   */
  async load(connection: DuckDBConnection): Promise<void> {
    const read = new SeriesTable();
    await read.#fill(connection);
    this.#byDevice = read.#byDevice;
    this.#byId = read.#byId;
    this.#unsaved = [];
    this.#nextId = read.#nextId;
  }

  /** Reads into an empty table. */
  async #fill(connection: DuckDBConnection): Promise<void> {
    const names = "select id, device, quantity, attributes from series";
    for await (const rows of rowsInTurn(connection, names)) {
      for (const row of rows) {
        const id = numberOf(row["id"]);
        this.#add(id, textOf(row["device"]), textOf(row["quantity"]), textOf(row["attributes"]));
      }
    }
    const newest = rowsInTurn(
      connection,
      `select series, arg_max(value, time) v, arg_max(received, time)::double as r, arg_max(sequence, time)::double as s, max(time)::double as t
       from (select series, time, value, received, 0 as sequence from series_last
             union all select series, time, value, received, sequence from readings) group by series`,
    );
    for await (const rows of newest) {
      for (const row of rows) {
        const series = this.#byId.get(numberOf(row["series"]));
        if (!series) continue;
        series.newest = {
          timeMs: numberOf(row["t"]),
          value: numberOf(row["v"]),
          receivedMs: numberOf(row["r"]),
          sequence: numberOf(row["s"]),
        };
      }
    }
  }

  byId(id: number): Series | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Series> {
    return this.#byId.values();
  }

  /** The series of that name, made when it is new; made ones are saved with the next commit. */
  obtain(device: string, quantity: string, attributes: string): Series {
    const found = this.find(device, quantity, attributes);
    if (found) return found;
    const series = this.#add(this.#nextId, device, quantity, attributes);
    this.#unsaved.push(series);
    return series;
  }

  find(device: string, quantity: string, attributes: string): Series | undefined {
    const list = this.#byDevice.get(device)?.get(quantity);
    if (!list) return undefined;
    for (const series of list) if (series.attributes === attributes) return series;
    return undefined;
  }

  /** The series of the given devices (all when undefined) and quantity (all when undefined). */
  select(devices?: readonly string[], quantity?: string): Series[] {
    const selected: Series[] = [];
    for (const device of devices ?? this.#byDevice.keys()) {
      const quantities = this.#byDevice.get(device);
      if (!quantities) continue;
      if (quantity !== undefined) selected.push(...(quantities.get(quantity) ?? []));
      else for (const list of quantities.values()) selected.push(...list);
    }
    return selected;
  }

  /** Series made since the last {@link saved}. */
  get unsaved(): readonly Series[] {
    return this.#unsaved;
  }

  /** Told after the commit that carried `count` unsaved series. */
  saved(count: number): void {
    this.#unsaved = this.#unsaved.slice(count);
  }

  #add(id: number, device: string, quantity: string, attributes: string): Series {
    const series: Series = { id, device, quantity, attributes, newest: undefined, staged: undefined };
    this.#byId.set(id, series);
    let quantities = this.#byDevice.get(device);
    if (!quantities) this.#byDevice.set(device, (quantities = new Map<string, Series[]>()));
    const list = quantities.get(quantity);
    if (list) list.push(series);
    else quantities.set(quantity, [series]);
    this.#nextId = Math.max(this.#nextId, id + 1);
    return series;
  }
}
