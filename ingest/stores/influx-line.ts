import type { DeviceEntry, RegistryView } from "../../devices/index.js";
import type { IdentifiedValue } from "./port.js";

/** Values that stand in one line: same device, attributes and time. */
export interface InfluxPoint {
  values: readonly IdentifiedValue[];
  /** The line, without its end; undefined when line protocol can't carry a name of it. */
  line: string | undefined;
}

const measurementSpecial = /[, ]/g;
const keySpecial = /[,= ]/g;

/** True for a name that line protocol can't carry: empty, with a line break, or ending in a backslash. */
function isUnwritable(name: string): boolean {
  return name === "" || name.endsWith("\\") || /[\n\r\0]/.test(name);
}

/**
 * Writes values as InfluxDB line protocol: measurement = class with `-` as `_`, tags device, place, district and attributes,
 * fields always floats, time in milliseconds.
 * Source: InfluxDB line protocol reference, "Special characters".
 */
export class InfluxEncoder {
  readonly #registry: RegistryView;
  /** Measurement and tags by device and attributes; for one batch. */
  readonly #heads = new Map<string, string | undefined>();

  constructor(registry: RegistryView) {
    this.#registry = registry;
  }

  /** Groups values, in their order, into points. What the registry says is looked up anew in each call. */
  encode(values: readonly IdentifiedValue[]): InfluxPoint[] {
    this.#heads.clear();
    const points: InfluxPoint[] = [];
    let group: IdentifiedValue[] = [];
    const close = (): void => {
      if (group.length > 0) points.push(this.#point(group));
    };
    for (const value of values) {
      const [first] = group;
      const isSame =
        first !== undefined &&
        first.device === value.device &&
        first.timeMs === value.timeMs &&
        first.attributes === value.attributes;
      if (isSame) {
        group.push(value);
        continue;
      }
      close();
      group = [value];
    }
    close();
    return points;
  }

  /** One point a value, to find the value that offends. */
  single(point: InfluxPoint): InfluxPoint[] {
    return point.values.map((value) => this.#point([value]));
  }

  #point(values: readonly IdentifiedValue[]): InfluxPoint {
    const [first] = values;
    if (!first) return { values, line: undefined };
    const key = `${first.device}\n${first.attributes}`;
    let head = this.#heads.get(key);
    if (head === undefined && !this.#heads.has(key)) {
      head = this.#head(first);
      this.#heads.set(key, head);
    }
    if (head === undefined) return { values, line: undefined };
    let fields = "";
    for (const { quantity, value } of values) {
      if (isUnwritable(quantity)) return { values, line: undefined };
      fields += `${fields === "" ? "" : ","}${quantity.replace(keySpecial, "\\$&")}=${value}`;
    }
    return { values, line: `${head} ${fields} ${first.timeMs}` };
  }

  #head({ device, attributes }: IdentifiedValue): string | undefined {
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
