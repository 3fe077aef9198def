import { expect, test } from "vitest";
import { chirpstack } from "../devices/formats/chirpstack.js";
import { influx } from "../devices/formats/influx.js";
import type { Format, Parsed } from "../devices/formats/format.js";
import { sparkplug } from "../devices/formats/sparkplug.js";
import { tasmota } from "../devices/formats/tasmota.js";
import { wmbusmeters } from "../devices/formats/wmbusmeters.js";
import { zigbee2mqtt } from "../devices/formats/zigbee2mqtt.js";
import { type DeviceEntry, openCodecs, type RegistryView } from "../devices/index.js";
import { openLocalClock } from "../devices/local-time.js";
import { collect } from "./support/heap.js";
import { type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";

const receivedMs = Date.parse("2026-11-23T10:00:00Z");
const clock = openLocalClock("Europe/Warsaw");
const messageOf = (topic: string, payload: string | Uint8Array) => ({
  topic,
  payload: Buffer.from(payload),
  user: "u",
  clientId: "c",
  qos: 1 as const,
  receivedMs,
});
const parse = (format: Format, topic: string, payload: string | Uint8Array): Parsed =>
  format.parse(messageOf(topic, payload), clock, { sequence: 1, recall: () => undefined });

const longKey = "k".repeat(40_000);
const ones = Array.from({ length: 4_000 }, () => 1);
const readings = ones.slice(0, 1_000).map((value) => ({ type: "a", value }));

test.each<[string, Format, string, string]>([
  ["wmbusmeters", wmbusmeters, "wmbusmeters/m", JSON.stringify({ [longKey]: ones })],
  ["zigbee2mqtt", zigbee2mqtt, "zigbee2mqtt/m", JSON.stringify({ [longKey]: { deeper: ones } })],
  ["tasmota", tasmota, "tele/m/SENSOR", JSON.stringify({ [longKey]: { deeper: ones } })],
  [
    "chirpstack, a list of readings",
    chirpstack,
    "application/a/device/0102030405060708/event/up",
    JSON.stringify({ deviceInfo: { devEui: "0102030405060708" }, object: { [longKey.repeat(3)]: readings } }),
  ],
  ["influx", influx, "influx/ns", `${longKey},device=m ${ones.map((one) => `a=${one}`).join(",")}`],
])(
  "%s: a long name over thousands of fields is kept once, not with each of them",
  (_name, format, topic, payload) => {
    parse(format, topic, payload);
    collect();
    const before = process.memoryUsage().heapUsed;
    const parsed = parse(format, topic, payload);
    collect();
    const keptMb = (process.memoryUsage().heapUsed - before) / 1e6;
    if (parsed.kind !== "parsed") throw new Error(parsed.kind);
    expect(parsed.fields.length).toBeGreaterThanOrEqual(1_000);
    expect(parsed.fields.every(({ from }) => from === "k".repeat(200))).toBe(true);
    expect(keptMb).toBeLessThan(12);
  },
);

test("of a long unit that a birth or a bridge gives no more than the cut is remembered", () => {
  const unit = "W".repeat(250_000);
  const numeric = { type: "numeric", property: "x", unit };
  const bridge = JSON.stringify([{ friendly_name: "m", definition: { model: "m", exposes: [numeric] } }]);
  const properties = { engUnit: { type: "String", value: unit } };
  const metrics = [{ name: "x", alias: 1, type: "Int32", value: 1, properties }];
  const birth = sparkplugBytes({ timestamp: receivedMs, seq: 0, metrics } as SparkplugPayload);
  const lessons: unknown[] = [];
  const learn = (): void => {
    lessons.push(parse(zigbee2mqtt, "z/bridge/devices", bridge).lessons);
    lessons.push(parse(sparkplug, "spBv1.0/K/NBIRTH/gw", birth).lessons);
  };
  learn();
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 40; n += 1) learn();
  collect();
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(2);
  expect(lessons).toHaveLength(82);
  expect(lessons.every((one) => one instanceof Map && one.size > 0)).toBe(true);
});

test("influx: of a message's fields no more are read than are taken, and the limit is told", () => {
  const ones = Array.from({ length: 30_000 }, () => "a=1").join(",");
  const parsed = parse(influx, "influx/ns", `m,device=m b=1\nm,device=m ${ones}\nm,device=m c=1`);
  expect(parsed).toMatchObject({ kind: "parsed", identity: "m", faults: [] });
  expect(parsed).toHaveProperty("fields.length", 5_001);
  const device: DeviceEntry = { id: "m", class: "bin", place: "krakow", sinceMs: 0 };
  const registry = {
    device: () => device,
    byIdentifier: () => undefined,
    sources: () => [],
    city: { timeZone: "Europe/Warsaw" },
  } as unknown as RegistryView;
  const decoded = openCodecs(registry)("influx/ns")?.decode(
    messageOf("influx/ns", `m,device=m ${ones}`),
    registry,
  );
  expect(decoded).toMatchObject({ kind: "decoded", faults: [{ code: "too-many-fields", path: "/1/a" }] });
});
