import type { Fault } from "../codec.js";
import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, readObject } from "./json.js";

type Meaning = readonly [name: string, unit?: string];

/** What follows the sensor's name in a value type. P1 is PM10 and P2 is PM2.5. Source: airrohr-firmware, airrohr-firmware.ino. */
const meanings: Readonly<Record<string, Meaning>> = {
  P0: ["pm1_ug_m3"],
  P1: ["pm10_ug_m3"],
  P2: ["pm2_5_ug_m3"],
  temperature: ["temperature_celsius"],
  humidity: ["humidity_percent"],
  pressure: ["pressure_hpa", "Pa"],
  co2_ppm: ["co2_ppm"],
  noise_LAeq: ["laeq_db"],
  signal: ["rssi_dbm"],
};
/** Of the firmware itself, of a value already given otherwise, or of where it stands. */
const ignored =
  /^(?:samples|min_micro|max_micro|interval|(?:.+_)?(?:N\d+|TS|P4|pressure_sealevel|noise_LA_(?:min|max))|GPS_.+)$/;
const prefix = /^[A-Z][A-Za-z0-9]{1,11}_/;
const decimal = /^[+-]?\d{1,18}(?:\.\d{1,18})?$/;
const maxValues = 200;

function fieldOf(item: unknown, index: number, timeMs: number, given: Set<string>): ParsedField | Fault {
  const path = `/sensordatavalues/${index}`;
  const detail = 'an object is expected: {"value_type": "SDS_P1", "value": "18.45"}';
  if (!isObject(item)) return { code: "wrong-type", path, detail };
  const { value_type: type, value: text } = item;
  if (typeof type !== "string" || type.length > 64) return { code: "wrong-type", path, detail };
  const value = typeof text === "string" && decimal.test(text.trim()) ? Number(text) : text;
  const field = { from: type, path: `${path}/value`, value, timeMs, ignored: ignored.test(type) };
  const key = type.replace(prefix, "");
  const meaning = Object.hasOwn(meanings, key) ? meanings[key] : undefined;
  if (!meaning || given.has(meaning[0])) return field;
  given.add(meaning[0]);
  return { ...field, name: meaning[0], ...(meaning[1] === undefined ? {} : { unit: meaning[1] }) };
}

/**
 * sensor.community's airrohr firmware: what it sends to its own API and to a custom one. A device is called as its community does,
 * `esp8266-1234567`, by the payload's `esp8266id`, else by the topic's last level (the header `X-Sensor` over HTTP).
 * Source: airrohr-firmware, airrohr-firmware.ino.
 */
export const airrohr: Format = {
  name: "airrohr",
  version: "1",
  topics: ["airrohr/+"],
  schemes: ["sensor", "serial", "name"],
  parse(message: RawMessage): Parsed {
    const level = message.topic.slice(message.topic.lastIndexOf("/") + 1);
    const read = readObject(message.payload);
    if ("fault" in read) return { kind: "refused", identity: level, fault: read.fault };
    const { esp8266id: id, sensordatavalues: values } = read.object;
    const isGiven = (typeof id === "string" && id !== "") || typeof id === "number";
    const identity = isGiven ? `esp8266-${String(id)}` : level;
    const fault = (code: string, detail: string): Parsed => ({
      kind: "refused",
      identity,
      fault: { code, path: "/sensordatavalues", detail },
    });
    if (!Array.isArray(values)) return fault("wrong-type", "a list of values is expected");
    if (values.length > maxValues) return fault("too-many-fields", `more than ${maxValues} values`);
    const fields: ParsedField[] = [];
    const faults: Fault[] = [];
    const given = new Set<string>();
    for (const [index, item] of (values as unknown[]).entries()) {
      const found = fieldOf(item, index, message.receivedMs, given);
      if ("code" in found) faults.push(found);
      else fields.push(found);
    }
    const serial = identity.replace(/^[a-z0-9]{1,16}-/i, "");
    return { kind: "parsed", identity, identifiers: { serial }, fields, faults, body: read.object };
  },
};
