import { expect, test } from "vitest";
import { openCodecs, type RawMessage } from "../devices/index.js";
import { SandboxOnDemand } from "../devices/formats/sandbox.js";
import { openSandbox } from "../devices/lorawan/index.js";
import { openTestPipeline } from "./support/pipeline.js";
import { gives } from "./support/codec.js";

const receivedMs = Date.parse("2026-11-23T10:00:00Z");
const topic = "v3/city@ttn/devices/bin-a/up";
/** A city of two bins: the model of the first has a decoder. */
const cityOf = (script: string): string => `
city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-a, class: bin, place: krakow, model: BIN-A }
  - { id: bin-b, class: bin, place: krakow }
sources: [{ format: things-stack, decoders: [{ model: BIN-A, version: "1.0", script: ${JSON.stringify(script)} }] }]
`;
const uplinkOf = (device: string, rest: object): string =>
  JSON.stringify({ end_device_ids: { device_id: device }, uplink_message: { f_port: 1, ...rest } });
const frame = (device: string, bytes = [5]): string =>
  uplinkOf(device, { frm_payload: Buffer.from(bytes).toString("base64") });
const messageOf = (payload: string, on = topic): RawMessage => ({
  topic: on,
  payload: Buffer.from(payload),
  user: "test",
  clientId: "test",
  qos: 1,
  receivedMs,
});

test("starts the decoders' engine with the first frame that wants it, once", async () => {
  const works = await openTestPipeline(cityOf(gives("{ fill_percent: input.bytes[0] }")), receivedMs);
  try {
    let started = 0;
    const onDemand = new SandboxOnDemand(() => {
      started += 1;
      return openSandbox();
    });
    const codecFor = openCodecs(works.registry, onDemand);
    const decode = (payload: string): unknown => codecFor(topic)?.decode(messageOf(payload), works.registry);
    expect(decode(uplinkOf("bin-b", { decoded_payload: { fill_percent: 3 } }))).toMatchObject({
      kind: "decoded",
    });
    expect(decode(frame("bin-b"))).toMatchObject({ kind: "refused", fault: { code: "no-decoder" } });
    expect(started).toBe(0);
    const first = decode(frame("bin-a")) as { kind: string; ready: Promise<void> };
    expect(first.kind).toBe("waiting");
    await first.ready;
    expect(decode(frame("bin-a"))).toMatchObject({ kind: "decoded", fields: [{ value: 5 }] });
    expect(started).toBe(1);
  } finally {
    await works.close();
  }
});

test("a batch waits for the engine, and loses nothing before, at or behind the frame that wants it", async () => {
  const works = await openTestPipeline(cityOf(gives("{ fill_percent: input.bytes[0] }")), receivedMs);
  try {
    const native = (fill: number): { topic: string; payload: string; receivedMs: number } => ({
      topic: "readings/bin-b",
      payload: JSON.stringify({ time: receivedMs + fill, fill_percent: fill }),
      receivedMs,
    });
    await works.take([native(1), { topic, payload: frame("bin-a"), receivedMs }, native(2)]);
    const { items } = await works.history.readings({ limit: 10 });
    expect(items.map(({ device, value }) => [device, value])).toEqual([
      ["bin-a", 5],
      ["bin-b", 1],
      ["bin-b", 2],
    ]);
    const [account] = await works.history.ledger({
      fromDay: "2026-11-23",
      toDay: "2026-11-23",
      device: "bin-b",
    });
    expect(account).toMatchObject({ balanced: true, messages: { received: 2, decoded: 2 } });
  } finally {
    await works.close();
  }
});

test("an engine that can't start costs the frames that want it a reason, and nothing else", async () => {
  const works = await openTestPipeline(cityOf(gives("{}")), receivedMs);
  try {
    const codecFor = openCodecs(
      works.registry,
      new SandboxOnDemand(() => Promise.reject(new Error("no memory"))),
    );
    const decode = (): unknown => codecFor(topic)?.decode(messageOf(frame("bin-a")), works.registry);
    await (decode() as { ready: Promise<void> }).ready;
    expect(decode()).toMatchObject({ kind: "refused", fault: { code: "codec-invalid" } });
  } finally {
    await works.close();
  }
});
