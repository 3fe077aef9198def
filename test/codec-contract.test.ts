import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Codec, type DeviceEntry, formats, type RegistryView } from "../devices/index.js";
import { interpret } from "../devices/formats/interpret.js";
import { nativeJson } from "../devices/formats/native-json.js";

const codecOf = (format: string): Codec => {
  const found = formats.get(format);
  if (!found) throw new Error(`there is no format ${format}`);
  return interpret(found, { format, map: [] }, "Europe/Warsaw");
};

/** Every format, with a topic of its own and a payload that it takes. */
const codecs: { codec: Codec; topic: string; good: string; bare?: true }[] = [
  {
    codec: nativeJson,
    topic: "readings/bin-1",
    good: '{"time": "2026-11-23T10:00:00Z", "fill_percent": 43.2, "battery_v": 3.6}',
  },
  {
    codec: codecOf("tasmota"),
    topic: "tele/bin-1/SENSOR",
    good: '{"Time":"2026-11-23T11:00:00","ENERGY":{"Total":617.294,"Power":2635,"Voltage":[229,231]}}',
  },
  {
    codec: codecOf("shelly"),
    topic: "bin-1/events/rpc",
    good: '{"src":"bin-1","method":"NotifyStatus","params":{"ts":1795428000.31,"switch:0":{"id":0,"apower":8.9,"aenergy":{"total":6.532}}}}',
  },
  {
    codec: codecOf("zigbee2mqtt"),
    topic: "zigbee2mqtt/bin-1",
    good: '{"battery":91,"temperature":3.4,"linkquality":120,"voltage":2900}',
  },
  {
    codec: codecOf("wmbusmeters"),
    topic: "wmbusmeters/bin-1",
    good: '{"media":"water","id":"bin-1","total_m3":5.2,"target_m3":5,"target_date":"2026-11-01","timestamp":"2026-11-23T10:00:00Z"}',
  },
  { codec: codecOf("opendtu"), topic: "solar/114180000001/0/power", good: "412.5", bare: true },
  {
    codec: codecOf("things-stack"),
    topic: "v3/bins@ttn/devices/bin-1/up",
    good: '{"end_device_ids":{"device_id":"bin-1"},"uplink_message":{"received_at":"2026-11-23T10:00:00.123456789Z","decoded_payload":{"fill_percent":43.2},"rx_metadata":[{"rssi":-103,"snr":4.5}]}}',
  },
  {
    codec: codecOf("chirpstack"),
    topic: "application/a/device/0102030405060708/event/up",
    good: '{"time":"2026-11-23T10:00:00Z","deviceInfo":{"devEui":"0102030405060708"},"object":{"fill_percent":43.2},"rxInfo":[{"rssi":-97,"snr":7.2}]}',
  },
  {
    codec: codecOf("cayenne-lpp"),
    topic: "lpp/bin-1",
    good: "\u0001g\u0000k\u0002hz",
  },
  {
    codec: codecOf("influx"),
    topic: "influx/ns",
    good: 'bins,device=bin-1,fraction=bio fill_percent=43.2,battery_v=3.6,n=1i,s="a \\" b" 1795428000000000000',
  },
  {
    codec: codecOf("airrohr"),
    topic: "airrohr/bin-1",
    good: '{"sensordatavalues":[{"value_type":"SDS_P1","value":"18.45"},{"value_type":"BME280_pressure","value":"98765.31"}]}',
  },
  {
    codec: codecOf("senml"),
    topic: "senml/bin-1",
    good: '[{"bn":"bin-1:","bt":1795428000,"n":"fill_percent","v":43.2},{"n":"battery","u":"V","v":3.6},{"n":"temp","u":"Cel","t":-60,"v":4}]',
  },
  {
    codec: codecOf("sparkplug"),
    topic: "spBv1.0/krakow/DDATA/gw/bin-1",
    good: "\u0012\u0019\n\u000cfill_percent \ni\u0000\u0000\u0000\u0000\u0000\u0000D@\u0012\u0016\n\u0009battery_v \ni\u0000\u0000\u0000\u0000\u0000\u0000\u0000@\u0018\u0001",
  },
];
/** What a format without a payload of its own above takes: the first message of its golden cases. */
function fromGolden(format: string): (typeof codecs)[number] {
  const cases = join(import.meta.dirname, "cases");
  const folder = readdirSync(cases)
    .toSorted()
    .find((name) => name.startsWith(`${format}-`));
  if (folder === undefined) throw new Error(`${format} has no golden case test/cases/${format}-…`);
  const [line = ""] = readFileSync(join(cases, folder, "input.jsonl"), "utf8").split("\n");
  const { topic, payload } = JSON.parse(line) as { topic: string; payload: string };
  return { codec: codecOf(format), topic, good: payload, bare: true };
}
const listed = new Set(codecs.map(({ codec }) => codec.format));
codecs.push(...[...formats.keys()].filter((format) => !listed.has(format)).map(fromGolden));

const receivedMs = Date.parse("2026-11-23T10:00:05Z");
const device: DeviceEntry = { id: "bin-1", class: "bin", place: "krakow", sinceMs: 0 };
const registry = { device: () => device, byIdentifier: () => undefined } as unknown as RegistryView;
const decode = (codec: Codec, topic: string, payload: Uint8Array): ReturnType<Codec["decode"]> =>
  codec.decode({ topic, payload, user: "u", clientId: "c", qos: 1, receivedMs }, registry);

test("every format is held to the contract", () => {
  const held = codecs.map(({ codec }) => codec.format);
  expect(held.toSorted()).toEqual(["native-json", ...formats.keys()].toSorted());
});

for (const { codec, topic, good, bare } of codecs) {
  const check = (payload: Uint8Array): void => {
    const before = Buffer.from(payload).toString("hex");
    const decoded = decode(codec, topic, payload);
    expect(Buffer.from(payload).toString("hex")).toBe(before);
    expect(decode(codec, topic, payload)).toEqual(decoded);
    if (decoded.kind === "refused") expect(decoded.fault.detail.length).toBeLessThanOrEqual(300);
    if (decoded.kind !== "decoded") return;
    for (const fault of decoded.faults) {
      expect(fault.code).toMatch(/^[a-z-]+$/);
      expect(fault.detail.length).toBeLessThanOrEqual(300);
    }
    for (const field of decoded.fields)
      expect([typeof field.value, Number.isInteger(field.timeMs)]).toEqual(["number", true]);
  };

  test(`${codec.format}: takes its own payload whole, with a path to each field`, () => {
    const decoded = decode(codec, topic, Buffer.from(good));
    expect(decoded).toMatchObject({ kind: "decoded", device: "bin-1", faults: [] });
    if (decoded.kind !== "decoded") return;
    expect(decoded.fields.length).toBeGreaterThan(bare ? 0 : 1);
    expect(decoded.fields.every(({ path }) => path.startsWith(bare ? "" : "/"))).toBe(true);
  });

  test(`${codec.format}: never throws, changes nothing and answers the same again, on any bytes`, () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1_000 });
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => check(Buffer.from(text))),
      { numRuns: 1_000 },
    );
  });

  test(`${codec.format}: never throws on its own payload cut short, spliced or with a byte changed`, () => {
    const bytes = Buffer.from(good);
    fc.assert(
      fc.property(
        fc.nat(bytes.length),
        fc.nat(bytes.length),
        fc.integer({ min: 0, max: 255 }),
        (from, to, byte) => {
          const changed = Buffer.from(bytes);
          changed[from % bytes.length] = byte;
          check(changed);
          check(bytes.subarray(0, from));
          check(Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]));
        },
      ),
      { numRuns: 1_000 },
    );
  });
}
