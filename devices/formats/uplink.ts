import type { UplinkCount } from "../codec.js";
import { parseTime } from "../time.js";
import { createResolver } from "../unit.js";
import type { Frame, ParsedField } from "./format.js";
import { fromOf, isObject, type JsonObject, leavesOf, step } from "./json.js";

const resolve = createResolver();
const maxListed = 1_000;

/** Fields of a normalized payload, whose units its schema fixes. Source: TheThingsNetwork/lorawan-devices, lib/payload.json. */
const normalizedNames: Readonly<Record<string, readonly [name: string, unit?: string]>> = {
  battery: ["battery_v"],
  "air.temperature": ["temperature_celsius"],
  "air.relativeHumidity": ["humidity_percent"],
  "air.pressure": ["pressure_hpa"],
  "air.co2": ["co2_ppm"],
  "wind.speed": ["wind_speed_m_s"],
  "wind.direction": ["wind_direction_degrees"],
  "soil.moisture": ["soil_moisture_percent"],
  "soil.temperature": ["temperature_celsius"],
  "water.leak": ["leak"],
  "water.temperature.current": ["water_temperature_celsius"],
  "metering.water.total": ["water", "L"],
};
/** No measurements of the device: where it is, and a sensor's depth. */
const placing: ReadonlySet<string> = new Set([
  "time",
  "position.latitude",
  "position.longitude",
  "soil.depth",
]);

/** Milliseconds of the first text that is a time; else the given ones. */
export function firstTime(texts: readonly unknown[], otherwiseMs: number): number {
  for (const text of texts) {
    const ms = typeof text === "string" ? parseTime(text) : Number.NaN;
    if (!Number.isNaN(ms)) return ms;
  }
  return otherwiseMs;
}

/** What a frame says of its way: signal of the gateway that heard it best. Levels of one list have `rssi` and `snr`. */
export function signalOf(heard: unknown, base: string, timeMs: number): ParsedField[] {
  const all = Array.isArray(heard) ? heard.slice(0, 100) : [];
  let best: { index: number; rssi: number; snr: unknown } | undefined;
  for (const [index, one] of all.entries()) {
    if (!isObject(one)) continue;
    // A frame with a broken checksum says nothing of the device.
    const { rssi, snr, crcStatus } = one;
    if (typeof rssi !== "number" || crcStatus === "BAD_CRC" || (best && best.rssi >= rssi)) continue;
    best = { index, rssi, snr };
  }
  if (!best) return [];
  const at = `${base}/${best.index}`;
  return [
    { from: "rssi", path: `${at}/rssi`, value: best.rssi, timeMs, name: "rssi_dbm" },
    ...(typeof best.snr === "number"
      ? [{ from: "snr", path: `${at}/snr`, value: best.snr, timeMs, name: "snr_db" }]
      : []),
  ];
}

/** The same key however it is capitalised. */
function under(object: JsonObject, name: string): unknown {
  const key = Object.keys(object).find((one) => one.toLowerCase() === name);
  return key === undefined ? undefined : object[key];
}

/**
 * A list of readings `{type, value, unit, timestamp}`, as meters give that repeat the hours before: each is called `{list}.{type}`
 * and has a time of its own, mostly without an offset. Undefined when it is another list.
 * Source: TheThingsNetwork/lorawan-devices, vendor/kamstrup/mbusparser.yaml.
 */
function readingsOfList(
  list: readonly unknown[],
  name: string,
  base: string,
  timeMs: number,
): ParsedField[] | undefined {
  const isReading = (one: unknown): one is JsonObject =>
    isObject(one) && typeof under(one, "type") === "string" && under(one, "value") !== undefined;
  if (list.length === 0 || !list.every(isReading)) return undefined;
  return list.slice(0, maxListed).map((one, index): ParsedField => {
    const [type, unit, time] = ["type", "unit", "timestamp"].map((key) => under(one, key));
    return {
      from: fromOf(name, String(type)),
      path: `${base}/${index}`,
      value: under(one, "value"),
      timeMs,
      ...(typeof time === "string" ? { localTime: time } : {}),
      ...(typeof unit === "string" && resolve(String(type), unit, "") !== undefined
        ? { name: String(type), unit }
        : {}),
    };
  });
}

/**
 * The numbers of an object that a maker's decoder gave. A name of the vocabulary with its unit (`distance_mm`) is taken;
 * `{value, unit}` too where the name is a stem of it; of any other name the unit depends on the model, and a source's map
 * has to say. Texts are no measurements unless mapped.
 */
export function decodedFields(decoded: unknown, base: string, timeMs: number): ParsedField[] {
  const fields: ParsedField[] = [];
  const objects = new Set<string>();
  if (!isObject(decoded)) return fields;
  for (const [key, value] of Object.entries(decoded)) {
    const listed = Array.isArray(value) && readingsOfList(value, key, `${base}/${step(key)}`, timeMs);
    if (listed) {
      objects.add(key);
      fields.push(...listed);
    }
    if (!isObject(value) || typeof value["value"] !== "number") continue;
    const { unit } = value;
    objects.add(key);
    const isKnown = typeof unit === "string" && resolve(key, unit, "") !== undefined;
    fields.push({
      from: key,
      path: `${base}/${step(key)}`,
      value: value["value"],
      timeMs,
      ...(isKnown ? { name: key, unit } : {}),
    });
  }
  for (const { keys, from, path, value } of leavesOf(decoded, [], base)) {
    if (objects.has(keys[0] ?? "")) continue;
    const isKnown =
      keys.length === 1 &&
      /^(?:number|boolean)$/.test(typeof value) &&
      resolve(from, undefined, "") !== undefined;
    fields.push({ from, path, value, timeMs, ...(isKnown ? { name: from } : {}) });
  }
  return fields;
}

/** The numbers of a normalized payload: one measurement, or a list of them, each with a time of its own. */
export function normalizedFields(list: unknown, base: string, timeMs: number): ParsedField[] {
  const measurements: readonly unknown[] = Array.isArray(list) ? list : [list];
  const seen = new Set<string>();
  return measurements.slice(0, 100).flatMap((one, index) => {
    const { time: own } = isObject(one) ? one : {};
    const atMs = own === undefined ? timeMs : typeof own === "string" ? parseTime(own) : Number.NaN;
    const at = Array.isArray(list) ? `${base}/${index}` : base;
    return leavesOf(one, [], at).map(({ from, path, value }): ParsedField => {
      const field = { from, path, value, timeMs: atMs, ignored: placing.has(from) };
      const meaning = Object.hasOwn(normalizedNames, from) ? normalizedNames[from] : undefined;
      const [name, unit] = meaning ?? [];
      // Of two sensors of one kind (soil at two depths) only the first has the name of its own; a map names the other.
      if (name === undefined || seen.has(`${name} ${atMs}`)) return field;
      seen.add(`${name} ${atMs}`);
      return { ...field, name, ...(unit === undefined ? {} : { unit }) };
    });
  });
}

/** The frame counter of an uplink, with what changes when its device joins anew; what is no counter says nothing. */
export function countOf(count: unknown, session: unknown, timeMs: number): { uplink?: UplinkCount } {
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0 || count > 0xffff_ffff) return {};
  return {
    uplink: { count, session: typeof session === "string" ? session.slice(0, 64) : "", timeMs },
  };
}

/** A frame out of its base64; undefined when there is none, or none of the application. */
export function frameOf(
  base64: unknown,
  fPort: unknown,
  timeMs: number,
  path: string,
): Pick<Frame, "fPort" | "bytes" | "timeMs" | "path"> | undefined {
  if (typeof base64 !== "string" || base64 === "") return undefined;
  return { fPort: typeof fPort === "number" ? fPort : 0, bytes: Buffer.from(base64, "base64"), timeMs, path };
}
