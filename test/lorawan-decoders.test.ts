import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CityFile, openCodecs, parseCity, type RawMessage } from "../devices/index.js";
import { noDecoders, SandboxOnDemand } from "../devices/formats/sandbox.js";
import { openSandbox } from "../devices/lorawan/index.js";
import { openDecoderShelf } from "../ingest/decoders.js";
import { accountsOf } from "./support/accounts.js";
import { openTestPipeline } from "./support/pipeline.js";
import { openSharedHistory, type SharedHistory } from "./support/shared-history.js";
import { gives, uplink } from "./support/codec.js";

let shared: SharedHistory;
beforeAll(async () => {
  shared = await openSharedHistory();
});
afterAll(() => shared.close());

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
    const codecFor = openCodecs(works.registry, noDecoders(onDemand));
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
    const [account] = await accountsOf(works.history, {
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
      noDecoders(new SandboxOnDemand(() => Promise.reject(new Error("no memory")))),
    );
    const decode = (): unknown => codecFor(topic)?.decode(messageOf(frame("bin-a")), works.registry);
    await (decode() as { ready: Promise<void> }).ready;
    expect(decode()).toMatchObject({ kind: "refused", fault: { code: "codec-invalid" } });
  } finally {
    await works.close();
  }
});

/** What a hostile decoder does, and what becomes of the message. */
const hostile: [what: string, script: string, reason: string, words: RegExp, whole: boolean][] = [
  ["loops", uplink("for (;;);"), "codec-time", /didn't end within 100 ms/, true],
  [
    "allocates without end",
    uplink("const a = []; for (;;) a.push(new Uint8Array(1000));"),
    "codec-memory",
    /more than 4 MiB|more memory/,
    true,
  ],
  [
    "throws",
    uplink("throw new RangeError('frame of ' + input.bytes.length);"),
    "codec-threw",
    /RangeError: frame of 1/,
    true,
  ],
  [
    "calls itself",
    uplink("function f() { return f() + 1; } return { data: { f: f() } };"),
    "codec-stack",
    /too deep/,
    true,
  ],
  [
    "gives 10,000 fields",
    uplink("const data = {}; for (let i = 0; i < 10000; i++) data['f' + i] = i; return { data };"),
    "codec-output",
    /more than 1000 fields/,
    true,
  ],
  [
    "gives errors",
    uplink("return { errors: ['unknown port', 'old firmware'], warnings: ['mind it'] };"),
    "codec-errors",
    /unknown port; old firmware \(warned: mind it\)/,
    true,
  ],
  [
    "gives a cycle",
    uplink("const data = { fill_percent: 7 }; data.self = data; return { data };"),
    "codec-output",
    /cycle/,
    false,
  ],
  ["gives a getter", gives("{ fill_percent: 7, get trap() { for (;;); } }"), "codec-output", /getter/, false],
  ["gives NaN", gives("{ fill_percent: 7, temperature_celsius: NaN }"), "not-finite", /NaN/, false],
  [
    "gives Infinity",
    gives("{ fill_percent: 7, temperature_celsius: -1 / 0 }"),
    "not-finite",
    /-Infinity/,
    false,
  ],
  ["can't be parsed", "function decodeUplink( {", "codec-invalid", /SyntaxError/, true],
];

test.each(hostile)(
  "a decoder that %s: a coded quarantine with its words, the good fields stored, its neighbours undisturbed",
  async (_what, script, reason, words, whole) => {
    const works = await openTestPipeline(cityOf(script), receivedMs, undefined, undefined, (options) =>
      shared.open(options),
    );
    try {
      const neighbour = { topic: "readings/bin-b", payload: '{"fill_percent": 1}', receivedMs };
      await works.take([{ topic, payload: frame("bin-a"), receivedMs }, neighbour]);
      const { items: refused } = await works.history.quarantine({ limit: 10 });
      expect(refused).toMatchObject([
        { reason, device: "bin-a", whole, detail: expect.stringMatching(words) as string },
      ]);
      const { items } = await works.history.readings({ limit: 10 });
      expect(items.map(({ device, value }) => `${device} ${value}`)).toEqual(
        whole ? ["bin-b 1"] : ["bin-a 7", "bin-b 1"],
      );
      const accounts = await accountsOf(works.history, { fromDay: "2026-11-23", toDay: "2026-11-23" });
      expect(accounts.map(({ balanced }) => balanced)).toEqual([true, true]);
    } finally {
      await works.close();
    }
  },
);

test("a decoder's warning is kept with its message, once, and costs the reading nothing", async () => {
  const works = await openTestPipeline(
    cityOf(uplink("return { data: { fill_percent: 9 }, warnings: ['sensor <b>dirty</b>'] };")),
    receivedMs,
  );
  try {
    for (const later of [0, 1, 2])
      await works.take([{ topic, payload: frame("bin-a"), receivedMs: receivedMs + later }]);
    const { items } = await works.history.quarantine({ limit: 10 });
    expect(items).toMatchObject([
      { reason: "codec-warning", device: "bin-a", whole: false, count: 0, detail: "sensor <b>dirty</b>" },
    ]);
    expect(Buffer.from(items[0]?.payload ?? []).toString()).toBe(frame("bin-a"));
    expect((await works.history.readings({ limit: 10 })).items).toHaveLength(3);
    expect(await works.pipeline.replay(items, "test")).toEqual({ replayed: 0, refused: 1 });
    expect(await works.pipeline.dismiss(items, "test")).toBe(1);
    const [account] = await accountsOf(works.history, { fromDay: "2026-11-23", toDay: "2026-11-23" });
    expect(account).toMatchObject({ balanced: true, values: { decoded: 3, quarantined: 0 } });
  } finally {
    await works.close();
  }
});

test("what was understood with a decoder that was replaced since, and isn't stored yet, is stored as the new one reads it", async () => {
  const works = await openTestPipeline(cityOf("").replace(/, decoders: .*(?= }]$)/m, ""), receivedMs);
  const shelf = openDecoderShelf(works.library, works.registry, works.history, () => works.pipeline.renew());
  const put = (version: string, values: string): Promise<unknown> =>
    shelf.put("BIN-A", { version, script: gives(values) }, "ewa");
  const message = { ...messageOf(frame("bin-a")), sequence: 1 };
  try {
    await put("1", "{ fill_percent: input.bytes[0] }");
    const understood = works.pipeline.understand([message]);
    await understood.waitsFor;
    const again = works.pipeline.understand([message]);
    expect(again.waitsFor).toBeUndefined();
    await put("2", "{ fill_percent: 10 * input.bytes[0] }");
    await works.pipeline.take(again);
    expect((await works.history.readings({ limit: 10 })).items.map(({ value }) => value)).toEqual([50]);
    expect(works.pipeline.codecs.of("bin-a", "fill_percent", receivedMs)?.version).toBe("2");
  } finally {
    await works.close();
  }
});

test("a reading says which version of a decoder made it: through a change, a replay and a restart", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-decoders-"));
  const city = (version: string, script: string): CityFile =>
    parseCity(cityOf(script).replace('"1.0"', JSON.stringify(version)), {
      file: "city.yaml",
      env: {},
      readBeside: () => "",
    });
  const first = uplink(
    "if (input.bytes[0] === 66) return { errors: ['?'] }; return { data: { fill_percent: input.bytes[0] } };",
  );
  const second = gives("{ fill_percent: input.bytes[0] }");
  const hashOf = (script: string): string => createHash("sha256").update(script).digest("hex");
  let works = await openTestPipeline("", receivedMs, dir);
  const madeBy = async (): Promise<string[]> => {
    const { items } = await works.history.readings({ limit: 20 });
    return items.map((one) => {
      const by = works.pipeline.codecs.of(one.device, one.quantity, one.receivedMs);
      return `${one.quantity} ${one.value} ${by ? `${by.model} ${by.version} ${by.hash.slice(0, 8)}` : "-"}`;
    });
  };
  const send = (second: number, bytes: number[], on = "bin-a"): Promise<void> => {
    const atMs = receivedMs + second * 1_000;
    const payload = uplinkOf(on, {
      received_at: new Date(atMs).toISOString(),
      frm_payload: Buffer.from(bytes).toString("base64"),
      ...(bytes[0] === 4 ? { rx_metadata: [{ rssi: -90, snr: 5 }] } : {}),
    });
    return works.take([{ topic, payload, receivedMs: atMs }]);
  };
  const sendDecoded = (second: number, fill: number): Promise<void> =>
    works.take([
      {
        topic: "readings/bin-a",
        payload: JSON.stringify({ fill_percent: fill }),
        receivedMs: receivedMs + second * 1_000,
      },
    ]);
  try {
    await works.registry.apply(city("1.0", first), "test");
    await send(1, [1]);
    await send(2, [66]);
    await works.registry.apply(city("1.1", second), "test");
    works.pipeline.renew();
    await send(3, [3]);
    const { items } = await works.history.quarantine({ limit: 10 });
    expect(await works.pipeline.replay(items, "test")).toEqual({ replayed: 1, refused: 0 });
    await send(4, [4]);
    await sendDecoded(5, 5);
    await send(6, [6]);
    const expected = [
      `fill_percent 1 BIN-A 1.0 ${hashOf(first).slice(0, 8)}`,
      `fill_percent 66 BIN-A 1.1 ${hashOf(second).slice(0, 8)}`,
      `fill_percent 3 BIN-A 1.1 ${hashOf(second).slice(0, 8)}`,
      `fill_percent 4 BIN-A 1.1 ${hashOf(second).slice(0, 8)}`,
      "rssi_dbm -90 -",
      "snr_db 5 -",
      "fill_percent 5 -",
      `fill_percent 6 BIN-A 1.1 ${hashOf(second).slice(0, 8)}`,
    ];
    expect(await madeBy()).toEqual(expected);
    await works.close();
    works = await openTestPipeline("", receivedMs + 60_000, dir);
    expect(await madeBy()).toEqual(expected);
  } finally {
    await works.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
