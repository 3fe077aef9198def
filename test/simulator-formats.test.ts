import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toCredential } from "../broker/rights.js";
import {
  type CityRegistry,
  createValidator,
  type Decoded,
  type DeviceEntry,
  openCodecs,
  openRegistry,
} from "../devices/index.js";
import { createModel, encoderOf, productOf } from "../devices/simulator/index.js";
import type { WireMessage } from "../devices/simulator/encoders/encoder.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { demoCityRead, demoDevices } from "./simulator-city.js";
import { readSparkplug, type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";

const timeZone = "Europe/Warsaw";
const products = demoDevices().filter((device) => productOf(device));
const hourMs = 3_600_000;
/** Days in winter and in summer, the night of October whose hour stands twice, each half hour and a bit. */
const moments = ["2026-01-14T00:00:00Z", "2026-07-03T00:00:00Z", "2026-10-24T20:00:00Z"].flatMap((day) =>
  Array.from({ length: 48 }, (_, n) => Date.parse(day) + n * 1_799_340),
);

let dir = "";
let state: StateStore;
let registry: CityRegistry;
let codecs: ReturnType<typeof openCodecs>;
/** What the messages so far taught. */
const taught = new Map<string, unknown>();
let sequence = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "obieg-formats-"));
  state = openState(dir);
  registry = openRegistry(state, () => 0);
  await registry.applyDemo(demoCityRead(), () => 0);
  codecs = openCodecs(registry);
});
afterAll(async () => {
  await state.close();
  rmSync(dir, { recursive: true, force: true });
});

const decode = async ({ topic, payload }: WireMessage, receivedMs: number): Promise<Decoded> => {
  const codec = codecs(topic);
  if (!codec) throw new Error(`no format takes ${topic}`);
  const message = { topic, payload: Buffer.from(payload), user: "u", clientId: "c", qos: 1 as const };
  sequence += 1;
  const past = { sequence, recall: (key: string) => taught.get(key) };
  const asked = (): Decoded => codec.decode({ ...message, receivedMs }, registry, past);
  let decoded = asked();
  if (decoded.kind === "waiting") {
    await decoded.ready;
    decoded = asked();
  }
  for (const [key, lesson] of decoded.lessons ?? []) taught.set(key, lesson);
  return decoded;
};
/** What the service makes of a device's messages: its quantities, and whatever isn't as it should be. */
const understood = async (
  device: DeviceEntry,
  messages: readonly WireMessage[],
  sentMs: number,
): Promise<{ values: Record<string, number>; wrong: unknown[] }> => {
  const validate = createValidator();
  const values: Record<string, number> = {};
  const wrong: unknown[] = [];
  for (const message of messages) {
    const receivedMs = sentMs + 150;
    const decoded = await decode(message, receivedMs);
    if (decoded.kind !== "decoded") {
      wrong.push(decoded);
      continue;
    }
    const entry = registry.device(decoded.device);
    const judged = entry && validate(decoded, entry, receivedMs, { futureSkewMs: 300_000 });
    wrong.push(...(judged?.faults ?? ["unknown"]), ...(decoded.unmapped ?? []), ...(decoded.others ?? []));
    for (const { quantity, value, timeMs, device: owner } of judged?.values ?? []) {
      if (owner !== device.id || timeMs > receivedMs || timeMs < sentMs - 1_000)
        wrong.push({ owner, timeMs });
      values[quantity] = value;
    }
  }
  return { values, wrong };
};

test("the demo city has a product of each format that the simulator speaks", () => {
  expect(products.map((device) => productOf(device)?.format ?? "").toSorted()).toEqual([
    "chirpstack",
    "shelly",
    "sparkplug",
    "tasmota",
    "zigbee2mqtt",
  ]);
});

describe.each(products.map((device) => [device.model, device] as const))("%s", (_model, device) => {
  test("is understood to say what its model says: every quantity, none besides, at its time, nothing in quarantine", async () => {
    const model = createModel(device, 1, timeZone);
    const encoder = encoderOf(device);
    const seen = new Set<string>();
    const { will, greet } = encoder;
    will?.(moments[0] ?? 0);
    for (const message of greet?.(moments[0] ?? 0) ?? []) await decode(message, moments[0] ?? 0);
    for (const timeMs of moments) {
      const reading = model.at(timeMs, timeMs - 1_799_340);
      const { values, wrong } = await understood(device, encoder.encode(timeMs, reading), timeMs);
      expect(wrong).toEqual([]);
      expect(Object.keys(values).toSorted()).toEqual(Object.keys(reading).toSorted());
      for (const [quantity, value] of Object.entries(reading)) {
        expect(values[quantity], `${quantity} at ${new Date(timeMs).toISOString()}`).toBeCloseTo(value, 6);
        seen.add(quantity);
      }
    }
    expect(seen.size).toBe(model.signals.length);
  });

  test("says that it is there and that it is gone, under a name that nobody else has", async () => {
    const { greet, will } = encoderOf(device);
    const lastWill = will?.(hourMs);
    const said: Decoded[] = [];
    for (const message of greet?.(hourMs) ?? []) said.push(await decode(message, hourMs));
    expect(said.flatMap((one) => (one.kind === "decoded" ? one.fields : []))).toEqual([]);
    if (productOf(device)?.format === "chirpstack") return expect(lastWill).toBeUndefined();
    const signs = (all: Decoded[]): unknown[] =>
      all.flatMap((one) => ("presence" in one ? (one.presence ?? []) : []));
    expect(signs(said)).toEqual([{ device: device.id, online: true }]);
    // Of a gateway only the gateway's own end is known.
    const isGateway = productOf(device)?.format === "zigbee2mqtt";
    expect(signs(lastWill ? [await decode(lastWill, hourMs)] : [])).toEqual(
      isGateway ? [] : [{ device: device.id, online: false }],
    );
  });

  test("publishes what its credential allows, which allows no other format's topics", () => {
    const { format = "" } = productOf(device) ?? {};
    const mine = registry.credentials().find(({ user }) => user === format);
    if (!mine) throw new Error(`no credential of ${format}`);
    const credential = toCredential(mine);
    const messagesOf = (one: DeviceEntry): WireMessage[] => {
      const { encode, greet, will } = encoderOf(one);
      const reading = createModel(one, 1, timeZone).at(moments[0] ?? 0, 0);
      return [...encode(moments[0] ?? 0, reading), ...(greet?.(0) ?? []), ...(will ? [will(0)] : [])];
    };
    for (const one of products) {
      const isOwn = one === device;
      for (const { topic } of messagesOf(one))
        expect([topic, credential.mayPublish(topic)]).toEqual([topic, isOwn]);
    }
  });
});

test("the Sparkplug gateway's payloads are what another project's decoder reads; told to, it is born again with what it said last", () => {
  const device = products.find((one) => productOf(one)?.format === "sparkplug");
  if (!device) throw new Error("no Sparkplug gateway");
  const { will, greet, encode, hears = "", answer } = encoderOf(device);
  const read = (message: WireMessage | undefined): SparkplugPayload =>
    readSparkplug(Buffer.from(message?.payload ?? ""));
  const numberOf = (payload: SparkplugPayload, name: string): number =>
    Number(payload.metrics?.find((metric) => metric.name === name)?.value);
  for (const session of [0, 1]) {
    expect(numberOf(read(will?.(hourMs)), "bdSeq")).toBe(session);
    const [node, born] = (greet?.(hourMs) ?? []).map(read);
    expect([numberOf(node ?? {}, "bdSeq"), Number(node?.seq), Number(born?.seq)]).toEqual([session, 0, 1]);
  }
  const [data] = encode(hourMs, { heat_kwh: 12_345, power_w: 4_100.5 }).map(read);
  expect(data?.metrics?.map(({ alias, value }) => [Number(alias), value])).toEqual([
    [1, 12_345],
    [3, 4_100.5],
  ]);
  const command = {
    timestamp: hourMs,
    metrics: [{ name: "Node Control/Rebirth", type: "Boolean" as const, value: true }],
  };
  const again = answer?.(hears, Buffer.from(sparkplugBytes(command)), hourMs) ?? [];
  expect(again.map(({ topic }) => topic.split("/")[2])).toEqual(["NBIRTH", "DBIRTH"]);
  expect(again.map((message) => Number(read(message).seq))).toEqual([0, 1]);
  expect([numberOf(read(again[0]), "bdSeq"), numberOf(read(again[1]), "Heat")]).toEqual([1, 12_345]);
  expect(answer?.(hears, Buffer.from(sparkplugBytes({ timestamp: hourMs, metrics: [] })), hourMs)).toEqual(
    [],
  );
});
