import type { DeviceEntry } from "../../registry.js";
import type { Encoder, WireMessage } from "./encoder.js";

/** Data types. Source: Eclipse Sparkplug 3.0.0, 6.4.16. */
const types = { uint64: 8, double: 10, boolean: 11, string: 12 } as const;

interface Metric {
  name?: string;
  alias?: number;
  timeMs: number;
  type: number;
  /** Undefined: null. */
  value: number | boolean | undefined;
  unit?: string;
}

/** What the gateway calls the numbers, and the unit that its birth gives with each (UCUM). */
const names: readonly (readonly [name: string, quantity: string, unit: string])[] = [
  ["Heat", "heat_kwh", "kW.h"],
  ["Heat Volume", "heat_volume_m3", "m3"],
  ["Power", "power_w", "W"],
  ["Flow", "flow_m3_h", "m3/h"],
  ["Supply Temperature", "supply_temperature_celsius", "Cel"],
  ["Return Temperature", "return_temperature_celsius", "Cel"],
];

/** A whole number, seven bits a byte. Source: protobuf.dev, Encoding. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
const whole = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const part = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
const text = (field: number, value: string): Buffer => part(field, Buffer.from(value));
const double = (field: number, value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint(field * 8 + 1), bytes]);
};

/** Source: Eclipse Tahu, sparkplug_b.proto (Payload.Metric, PropertySet). */
function metricBytes({ name, alias, timeMs, type, value, unit }: Metric): Buffer {
  const held =
    value === undefined
      ? whole(7, 1)
      : typeof value === "boolean"
        ? whole(14, Number(value))
        : type === types.double
          ? double(13, value)
          : whole(11, value);
  const unitValue = Buffer.concat([whole(1, types.string), text(8, unit ?? "")]);
  return Buffer.concat([
    ...(name === undefined ? [] : [text(1, name)]),
    ...(alias === undefined ? [] : [whole(2, alias)]),
    whole(3, timeMs),
    whole(4, type),
    held,
    ...(unit === undefined ? [] : [part(9, Buffer.concat([text(1, "engUnit"), part(2, unitValue)]))]),
  ]);
}

const payloadOf = (timeMs: number, metrics: readonly Metric[], seq?: number): Buffer =>
  Buffer.concat([
    whole(1, timeMs),
    ...metrics.map((metric) => part(2, metricBytes(metric))),
    ...(seq === undefined ? [] : [whole(3, seq)]),
  ]);

const rebirth = "Node Control/Rebirth";

/**
 * An edge node with one device: births with aliases and units, data by alias, the death as its will, and again its births when
 * it is told to. Everything goes with QoS 1, unlike a real node's births and data.
 * Source: Eclipse Sparkplug 3.0.0, 5 and 6.
 */
export function encodeSparkplug({ id, identifiers = {} }: DeviceEntry): Encoder {
  const [group = "", node = "", device = id] = (identifiers["sparkplug"] ?? `city/gateway/${id}`).split("/");
  const topic = (type: string, ...of: string[]): string =>
    [`spBv1.0/${group}/${type}/${node}`, ...of].join("/");
  let session = -1;
  let seq = 0;
  let last: Readonly<Record<string, number>> = {};
  const bdSeq = (timeMs: number): Metric => ({
    name: "bdSeq",
    timeMs,
    type: types.uint64,
    value: session % 256,
  });
  const next = (): number => (seq = (seq + 1) % 256);
  const births = (timeMs: number): WireMessage[] => {
    seq = 0;
    const control: Metric = { name: rebirth, timeMs, type: types.boolean, value: false };
    const metrics = names.map(([name, quantity, unit], index): Metric => {
      const alias = index + 1;
      return { name, alias, timeMs, type: types.double, value: last[quantity], unit };
    });
    return [
      { topic: topic("NBIRTH"), payload: payloadOf(timeMs, [bdSeq(timeMs), control], seq) },
      { topic: topic("DBIRTH", device), payload: payloadOf(timeMs, metrics, next()) },
    ];
  };
  return {
    encode(timeMs, reading) {
      last = reading;
      const metrics = names.flatMap(([, quantity], index): Metric[] => {
        const value = reading[quantity];
        return value === undefined ? [] : [{ alias: index + 1, timeMs, type: types.double, value }];
      });
      return [{ topic: topic("DDATA", device), payload: payloadOf(timeMs, metrics, next()) }];
    },
    greet(timeMs) {
      last = {};
      return births(timeMs);
    },
    will(timeMs) {
      session += 1;
      return { topic: topic("NDEATH"), payload: payloadOf(timeMs, [bdSeq(timeMs)]) };
    },
    hears: topic("NCMD"),
    answer: (_topic, payload, timeMs) => (payload.includes(rebirth) ? births(timeMs) : []),
  };
}
