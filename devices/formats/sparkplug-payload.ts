import { createRequire } from "node:module";
import type { Reader } from "protobufjs/minimal.js";
import { shortText } from "../short-text.js";

const require = createRequire(import.meta.url);
/** Loaded with the first Sparkplug message: most cities never get one. */
const wire = (): typeof import("protobufjs/minimal.js") => require("protobufjs/minimal.js");

/** A metric as it stands in a payload. */
export interface Metric {
  /** At most 1,000 characters. */
  name?: string;
  /** True for a metric whose name is longer, and left empty. */
  isNameLong?: boolean;
  /** A number, or its digits where a number can't hold them. */
  alias?: number | string;
  /** Epoch milliseconds; NaN when there is no such time. */
  timeMs?: number;
  /** Index of its data type. */
  type?: number;
  isTransient?: boolean;
  isNull?: boolean;
  /** Its engineering unit, as the property `engUnit` (or `Engineering Units`) says. */
  unit?: string;
  /** Whole numbers as they travel, without a sign; undefined for bytes, data sets, templates and metrics without a value. */
  value?: { whole: bigint } | { real: number } | { truth: boolean } | { text: string };
}

/** A payload: when it was sent, its place in the node's sequence, its metrics. */
export interface Payload {
  timeMs?: number;
  seq?: number;
  /** True for a payload whose content is packed in its body. */
  isPacked?: boolean;
  metrics: Metric[];
}

/** Index of the data type Boolean. */
const booleanType = 11;
/** Metrics that are read of a payload; what comes after is the limit's own fault. */
const maxMetrics = 5_001;
/** Characters of a metric's name. */
export const longestName = 1_000;
const unitProperties: ReadonlySet<string> = new Set(["engUnit", "Engineering Units"]);

const wholeOf = (reader: Reader): bigint => {
  const { high, low } = reader.uint64() as { high: number; low: number };
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
};
const timeOf = (reader: Reader): number => {
  const whole = wholeOf(reader);
  return whole <= 8_640_000_000_000_000n ? Number(whole) : Number.NaN;
};

/** The shortest decimal that is the same in single precision: 50.02, not 50.02000045776367. */
function decimalOf(single: number): number {
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return short;
  }
  // Nine always tell it from its neighbours.
  return Number(single.toPrecision(9));
}

/** Reads each field of a message that `take` knows (by answering true), and passes over the others. */
function eachField(reader: Reader, end: number, take: (field: number) => boolean): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!take(tag >>> 3)) reader.skipType(tag & 7);
  }
  if (reader.pos !== end) throw new RangeError("a part ends within a field");
}

/** Where a part that begins here ends. Throws when that is beyond what holds it. */
function endOf(reader: Reader, within: number): number {
  const size = reader.uint32();
  const end = reader.pos + size;
  if (end > within) throw new RangeError("a part is longer than what holds it");
  return end;
}

function textOf(reader: Reader, end: number): string | undefined {
  let text: string | undefined;
  eachField(reader, end, (field) => {
    if (field !== 8) return false;
    text = reader.string();
    return true;
  });
  return text;
}

/** The engineering unit among a metric's properties. */
function unitOf(reader: Reader, end: number): string | undefined {
  const keys: string[] = [];
  const texts: (string | undefined)[] = [];
  eachField(reader, end, (field) => {
    if (field === 1) keys.push(reader.string());
    else if (field === 2) texts.push(textOf(reader, endOf(reader, end)));
    else return false;
    return true;
  });
  return texts[keys.findIndex((key) => unitProperties.has(key))];
}

function readMetric(reader: Reader, end: number): Metric {
  const metric: Metric = {};
  const takes: Readonly<Record<number, () => void>> = {
    1: () => {
      const name = reader.string();
      metric.isNameLong = name.length > longestName;
      metric.name = metric.isNameLong ? "" : name;
    },
    2: () => {
      const whole = wholeOf(reader);
      metric.alias = whole <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(whole) : String(whole);
    },
    3: () => (metric.timeMs = timeOf(reader)),
    4: () => (metric.type = reader.uint32()),
    6: () => (metric.isTransient = reader.bool()),
    7: () => (metric.isNull = reader.bool()),
    9: () => {
      const unit = unitOf(reader, endOf(reader, end));
      if (unit !== undefined && unit !== "") metric.unit = shortText(unit, 64);
    },
    10: () => (metric.value = { whole: BigInt(reader.uint32()) }),
    11: () => (metric.value = { whole: wholeOf(reader) }),
    12: () => (metric.value = { real: decimalOf(reader.float()) }),
    13: () => (metric.value = { real: reader.double() }),
    14: () => (metric.value = { truth: reader.bool() }),
    15: () => (metric.value = { text: reader.string() }),
  };
  eachField(reader, end, (field) => {
    const take = takes[field];
    take?.();
    return take !== undefined;
  });
  return metric;
}

/**
 * Reads a payload. Throws RangeError or Error on bytes that aren't one, or that are cut short.
 * Source: Eclipse Sparkplug 3.0.0, 6.4.1 (Google Protocol Buffer Schema).
 */
export function readPayload(bytes: Uint8Array): Payload {
  const reader = wire().Reader.create(bytes);
  const payload: Payload = { metrics: [] };
  eachField(reader, bytes.length, (field) => {
    if (field === 1) payload.timeMs = timeOf(reader);
    else if (field === 2) {
      const end = endOf(reader, bytes.length);
      if (payload.metrics.length < maxMetrics) payload.metrics.push(readMetric(reader, end));
      else reader.pos = end;
    } else if (field === 3) payload.seq = Number(wholeOf(reader));
    else if (field === 5) {
      payload.isPacked = reader.bytes().length > 0;
    } else return false;
    return true;
  });
  return payload;
}

/** The name of the metric by which a node is asked to be born again. */
export const rebirthMetric = "Node Control/Rebirth";

/** The payload of an NCMD that asks a node for its births. Source: Eclipse Sparkplug 3.0.0, 6.4.23 (NCMD). */
export function rebirthPayload(timeMs: number): Uint8Array {
  const metric = wire()
    .Writer.create()
    .uint32(10)
    .string(rebirthMetric)
    .uint32(24)
    .uint64(timeMs)
    .uint32(32)
    .uint32(booleanType)
    .uint32(112)
    .bool(true)
    .finish();
  return wire().Writer.create().uint32(8).uint64(timeMs).uint32(18).bytes(metric).finish();
}
