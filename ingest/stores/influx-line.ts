import type { DeviceEntry, RegistryView } from "../../devices/index.js";
import type { SeriesName, StoredValues } from "./port.js";

/** Values that stand in one line: the rows from `from` up to `to`, of the same device, attributes and time. */
export interface InfluxPoint {
  values: StoredValues;
  from: number;
  to: number;
  /** The line, without its end; undefined when line protocol can't carry a name of it. */
  line: string | undefined;
}

const measurementSpecial = /[, ]/g;
const keySpecial = /[,= ]/g;

/** True for a name that line protocol can't carry: empty, with a line break, or ending in a backslash. */
function isUnwritable(name: string): boolean {
  return name === "" || name.endsWith("\\") || /[\n\r\0]/.test(name);
}

const isBeside = (one: SeriesName | undefined, other: SeriesName | undefined): boolean =>
  one?.device === other?.device && one?.attributes === other?.attributes;

/**
 * Writes values as InfluxDB line protocol: measurement = class with `-` as `_`, tags device, place, district and attributes,
 * fields always floats, time in milliseconds.
 * Source: InfluxDB line protocol reference, "Special characters".
 */
export class InfluxEncoder {
  readonly #registry: RegistryView;
  /** Measurement and tags by device and attributes; for one batch. */
  readonly #heads = new Map<string, string | undefined>();
  /** Field key by quantity. */
  readonly #keys = new Map<string, string>();

  constructor(registry: RegistryView) {
    this.#registry = registry;
  }

  /** Groups values, in their order, into points. What the registry says is looked up anew in each call. */
  encode(values: StoredValues): InfluxPoint[] {
    this.#heads.clear();
    const { count, series, timeMs } = values;
    const points: InfluxPoint[] = [];
    for (let from = 0, to = 1; from < count; from = to, to += 1) {
      const first = series[from];
      while (to < count && timeMs[to] === timeMs[from] && isBeside(series[to], first)) to += 1;
      points.push(this.#point(values, from, to));
    }
    return points;
  }

  /** One point a value, to find the value that offends. */
  single({ values, from, to }: InfluxPoint): InfluxPoint[] {
    return Array.from({ length: to - from }, (_, n) => this.#point(values, from + n, from + n + 1));
  }

  #point(values: StoredValues, from: number, to: number): InfluxPoint {
    const { series, timeMs, value } = values;
    const head = this.#headOf(series[from] as SeriesName);
    if (head === undefined) return { values, from, to, line: undefined };
    let fields = "";
    for (let row = from; row < to; row += 1) {
      const key = this.#keyOf((series[row] as SeriesName).quantity);
      if (key === undefined) return { values, from, to, line: undefined };
      fields += `${row === from ? "" : ","}${key}=${value[row]}`;
    }
    return { values, from, to, line: `${head} ${fields} ${timeMs[from]}` };
  }

  #keyOf(quantity: string): string | undefined {
    const known = this.#keys.get(quantity);
    if (known !== undefined || isUnwritable(quantity)) return known;
    const key = quantity.replace(keySpecial, "\\$&");
    this.#keys.set(quantity, key);
    return key;
  }

  #headOf(first: SeriesName): string | undefined {
    const key = first.attributes === "" ? first.device : `${first.device}\n${first.attributes}`;
    if (!this.#heads.has(key)) this.#heads.set(key, this.#head(first));
    return this.#heads.get(key);
  }

  #head({ device, attributes }: SeriesName): string | undefined {
    const entry = this.#registry.device(device);
    const tags: [string, string][] = [["device", device]];
    if (entry) tags.push(["place", entry.place]);
    const district = entry && this.#districtOf(entry);
    if (district !== undefined) tags.push(["district", district]);
    if (attributes !== "") tags.push(...Object.entries(JSON.parse(attributes) as Record<string, string>));
    const measurement = (entry?.class ?? "unknown").replaceAll("-", "_");
    if (isUnwritable(measurement) || tags.flat().some(isUnwritable)) return undefined;
    return [
      measurement.replace(measurementSpecial, "\\$&"),
      ...tags.map(([name, tag]) => `${name.replace(keySpecial, "\\$&")}=${tag.replace(keySpecial, "\\$&")}`),
    ].join(",");
  }

  #districtOf({ place }: DeviceEntry): string | undefined {
    for (let id = place; id !== ""; id = id.slice(0, Math.max(0, id.lastIndexOf("/")))) {
      if (this.#registry.place(id)?.kind === "district") return id;
    }
    return undefined;
  }
}
