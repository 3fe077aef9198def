import { attributeNames, attributesText, isAttribute, isAttributeText } from "../attributes.js";
import type { Codec, Decoded, DecodedField, Fault } from "../codec.js";
import type { RawMessage } from "../message.js";
import { parseTime } from "../time.js";

const prefix = "readings/";
const maxReadings = 1_000;
const maxFields = 5_000;
const maxName = 128;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function refuse(device: string | undefined, code: string, detail: string): Decoded {
  return { kind: "refused", device, fault: { code, path: "", detail: detail.slice(0, 300) } };
}

/** Escapes a key as a step of a JSON pointer. Source: RFC 6901, section 4. */
function step(key: string): string {
  const short = key.length > maxName ? `${key.slice(0, maxName)}…` : key;
  return /[~/]/.test(short) ? short.replaceAll("~", "~0").replaceAll("/", "~1") : short;
}

/** Collects the fields and faults of one message. */
class Readings {
  readonly fields: DecodedField[] = [];
  readonly faults: Fault[] = [];
  readonly #receivedMs: number;

  constructor(receivedMs: number) {
    this.#receivedMs = receivedMs;
  }

  /** Takes one object: its time and attributes hold for each of its numbers. */
  take(reading: JsonObject, base: string): void {
    const timeMs = this.#timeOf(reading["time"]);
    const attributes: Record<string, string> = {};
    let badAttribute = "";
    for (const key in reading) {
      const value = reading[key];
      if (typeof value !== "string" || key === "time") continue;
      if (!isAttribute(key)) continue;
      if (isAttributeText(key, value)) attributes[key] = value;
      else badAttribute = key;
    }
    const text = attributesText(attributes);
    for (const key in reading) {
      if (key === "time" || (typeof reading[key] === "string" && isAttribute(key))) continue;
      const path = `${base}/${step(key)}`;
      if (this.fields.length + this.faults.length >= maxFields) {
        this.#fault("too-many-fields", path, `more than ${maxFields} fields in one message; send several`);
        return;
      }
      this.#field(key, reading[key], path, timeMs, text, badAttribute);
    }
  }

  #timeOf(time: Json | undefined): number {
    if (time === undefined || time === null) return this.#receivedMs;
    if (typeof time === "number") return Number.isFinite(time) ? Math.round(time) : Number.NaN;
    return typeof time === "string" ? parseTime(time) : Number.NaN;
  }

  #field(
    name: string,
    json: Json | undefined,
    path: string,
    timeMs: number,
    attributes: string,
    badAttribute: string,
  ): void {
    let value = json;
    let unit: string | undefined;
    if (isObject(value)) {
      const { unit: given } = value;
      if (typeof given === "string") unit = given;
      value = value["value"];
    }
    if (value === null) return;
    if (typeof value === "boolean") value = value ? 1 : 0;
    if (typeof value !== "number") {
      const keys = attributeNames.join(", ");
      this.#fault("wrong-type", path, `a number is expected; text is taken only under ${keys}`);
    } else if (Number.isNaN(timeMs)) {
      this.#fault(
        "invalid-time",
        path,
        "time must be RFC 3339 with an offset, such as 2026-11-23T10:00:00Z, or epoch milliseconds",
      );
    } else if (badAttribute !== "") {
      this.#fault(
        "invalid-attribute",
        path,
        `${badAttribute} isn't a text that can be taken: see the README`,
      );
    } else {
      this.fields.push(
        unit === undefined
          ? { name, value, timeMs, attributes, path }
          : { name, unit, value, timeMs, attributes, path },
      );
    }
  }

  fault(path: string): void {
    this.#fault("wrong-type", path, "an object of readings is expected");
  }

  #fault(code: string, path: string, detail: string): void {
    this.faults.push({ code, path, detail });
  }
}

/**
 * Native readings: topic `readings/{device}`, one JSON object or an array of up to 1,000, as CONTRACT describes them.
 * Guarantee: pure; never throws; a fault of a field costs only that field.
 */
export const nativeJson: Codec = {
  format: "native-json",
  version: "1",
  decode(message: RawMessage): Decoded {
    const device = message.topic.slice(prefix.length);
    let json: Json;
    try {
      json = JSON.parse(strictUtf8.decode(message.payload)) as Json;
    } catch (error) {
      return refuse(device, "invalid-json", `the payload isn't JSON in UTF-8: ${(error as Error).message}`);
    }
    const readings = new Readings(message.receivedMs);
    if (Array.isArray(json)) {
      if (json.length > maxReadings) {
        return refuse(
          device,
          "too-many-readings",
          `${json.length} readings in one message; at most ${maxReadings}`,
        );
      }
      for (const [index, item] of json.entries()) {
        if (isObject(item)) readings.take(item, `/${index}`);
        else readings.fault(`/${index}`);
      }
    } else if (isObject(json)) readings.take(json, "");
    else return refuse(device, "wrong-type", "an object of readings, or an array of them, is expected");
    return { kind: "decoded", device, fields: readings.fields, faults: readings.faults };
  },
};

/** True for the topics of native readings. */
export function isNativeTopic(topic: string): boolean {
  return topic.startsWith(prefix) && topic.length > prefix.length && !topic.includes("/", prefix.length);
}
