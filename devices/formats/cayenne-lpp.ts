import type { Fault } from "../codec.js";
import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";

/** One type of the format: how its bytes are read, and what it means where that is beyond doubt. */
interface Kind {
  label: string;
  bytes: number;
  scale: number;
  signed?: true;
  /** Vocabulary stem and UCUM unit. */
  meaning?: readonly [name: string, unit?: string];
  /** Parts that one reading has, each of the same width; their names. */
  parts?: readonly string[];
  ignored?: true;
}

/** Source: ElectronicCats/CayenneLPP, src/CayenneLPP.h; types 0 to 3, 101 to 104, 113, 115, 134, 136 are of the first specification. */
const kinds: ReadonlyMap<number, Kind> = new Map<number, Kind>([
  [0, { label: "digital_in", bytes: 1, scale: 1 }],
  [1, { label: "digital_out", bytes: 1, scale: 1 }],
  [2, { label: "analog_in", bytes: 2, scale: 0.01, signed: true }],
  [3, { label: "analog_out", bytes: 2, scale: 0.01, signed: true }],
  [100, { label: "generic", bytes: 4, scale: 1 }],
  [101, { label: "luminosity", bytes: 2, scale: 1 }],
  [102, { label: "presence", bytes: 1, scale: 1 }],
  [103, { label: "temperature", bytes: 2, scale: 0.1, signed: true, meaning: ["temperature", "Cel"] }],
  [104, { label: "humidity", bytes: 1, scale: 0.5, meaning: ["humidity", "%"] }],
  [113, { label: "accelerometer", bytes: 6, scale: 0.001, signed: true, parts: ["x", "y", "z"] }],
  [115, { label: "pressure", bytes: 2, scale: 0.1, meaning: ["pressure", "hPa"] }],
  [116, { label: "voltage", bytes: 2, scale: 0.01 }],
  [117, { label: "current", bytes: 2, scale: 0.001 }],
  [118, { label: "frequency", bytes: 4, scale: 1, meaning: ["frequency", "Hz"] }],
  [120, { label: "percentage", bytes: 1, scale: 1 }],
  [121, { label: "altitude", bytes: 2, scale: 1, signed: true }],
  [125, { label: "concentration", bytes: 2, scale: 1 }],
  [128, { label: "power", bytes: 2, scale: 1, meaning: ["power", "W"] }],
  [130, { label: "distance", bytes: 4, scale: 0.001, meaning: ["distance", "m"] }],
  [131, { label: "energy", bytes: 4, scale: 0.001 }],
  [132, { label: "direction", bytes: 2, scale: 1 }],
  [133, { label: "unix_time", bytes: 4, scale: 1, ignored: true }],
  [134, { label: "gyrometer", bytes: 6, scale: 0.01, signed: true, parts: ["x", "y", "z"] }],
  [135, { label: "colour", bytes: 3, scale: 1, ignored: true }],
  [136, { label: "gps", bytes: 9, scale: 1, ignored: true }],
  [142, { label: "switch", bytes: 1, scale: 1 }],
]);

/** A scaled whole number without the noise of the multiplication. */
const scaled = (raw: number, scale: number): number =>
  scale < 1 ? raw / Math.round(1 / scale) : raw * scale;

/** What the bytes hold; a type that isn't known, or a value cut short, ends the reading, for no length says where the next begins. */
export function readLpp(bytes: Uint8Array, timeMs: number): { fields: ParsedField[]; faults: Fault[] } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields: ParsedField[] = [];
  const faults: Fault[] = [];
  const named = new Set<string>();
  let at = 0;
  while (at < view.length) {
    const path = `/${at}`;
    const channel = view[at] ?? 0;
    const type = view[at + 1];
    const kind = type === undefined ? undefined : kinds.get(type);
    if (!kind || at + 2 + kind.bytes > view.length) {
      const detail =
        type === undefined || kind
          ? `the payload ends within the value that begins at byte ${at}`
          : `type ${type} at byte ${at + 1} isn't one of Cayenne LPP; what follows it can't be read`;
      faults.push({ code: "invalid-lpp", path, detail });
      break;
    }
    const width = kind.bytes / (kind.parts?.length ?? 1);
    for (const [index, part] of (kind.parts ?? [""]).entries()) {
      const from = `${kind.label}_${channel}${part === "" ? "" : `.${part}`}`;
      if (kind.ignored) {
        fields.push({ from, path, value: null, timeMs, ignored: true });
        continue;
      }
      const start = at + 2 + index * width;
      const raw = kind.signed ? view.readIntBE(start, width) : view.readUIntBE(start, width);
      const [name, unit] = kind.meaning ?? [];
      const isFirst = name !== undefined && !named.has(name);
      if (name !== undefined) named.add(name);
      fields.push({
        from,
        path,
        value: scaled(raw, kind.scale),
        timeMs,
        ...(isFirst ? { name, ...(unit === undefined ? {} : { unit }) } : {}),
      });
    }
    at += 2 + kind.bytes;
  }
  return { fields, faults };
}

/** Version of what {@link readLpp} makes of a payload. */
export const lppVersion = "1";

/**
 * Cayenne LPP: the bytes themselves as the payload, of the device that the topic's last level names. The first channel of a
 * quantity has its name; further channels are told apart by a source's map (`temperature_2`). It has no topics of its own.
 * Source: ElectronicCats/CayenneLPP, src/CayenneLPP.h.
 */
export const cayenneLpp: Format = {
  name: "cayenne-lpp",
  version: lppVersion,
  topics: [],
  schemes: ["topic", "devEui", "name"],
  parse(message: RawMessage): Parsed {
    const identity = message.topic.split("/").findLast((level) => level !== "") ?? "";
    const { fields, faults } = readLpp(message.payload, message.receivedMs);
    const [fault = { code: "invalid-lpp", path: "", detail: "the payload is empty" }] = faults;
    if (fields.length === 0) return { kind: "refused", identity, fault: { ...fault, path: "" } };
    return { kind: "parsed", identity, fields, faults };
  },
};
