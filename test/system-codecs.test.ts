import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Reading {
  quantity: string;
  value: number;
  codec?: { model: string; version: string; hash: string };
}
interface Codec {
  model: string;
  version: string;
  hash: string;
  convention: string;
  script: string;
  changedBy: string;
  quarantined: { entries: number; isMore: boolean; replay: { method: string; path: string; body: unknown } };
}

const server = { user: "ttn", secret: "the secret of ttn" };
const path = "/api/v1/codecs/DIST%2F1";
const city = `${testCity({
  devices: [
    "{ id: bin-a, class: bin, place: krakow, model: DIST/1, identifiers: { devEui: 24E124713C123456 } }",
    "{ id: bin-o, class: bin, place: krakow, model: OTHER, identifiers: { devEui: 24E124713C999999 } }",
    "{ id: bin-n, class: bin, place: krakow, model: NAMED }",
  ],
  credentials: [`{ user: ttn, secret: "${server.secret}", publish: ["v3/#"] }`],
})}sources: [{ format: things-stack, decoders: [{ model: NAMED, script: "function Decoder() { return {}; }" }] }]
`;
const hashOf = (script: string): string => createHash("sha256").update(script).digest("hex");
const first =
  "function decodeUplink(i) { return { data: { distance_mm: i.bytes[0] * 256 + i.bytes[1] }, warnings: i.bytes[1] > 99 ? ['far'] : [] }; }";
const second =
  "function Decoder(bytes, port) { return { distance_mm: bytes[0] * 256 + bytes[1], battery_v: bytes[2] / 10 }; }";
const example = { input: { fPort: 1, bytes: "02 58" }, output: { data: { distance_mm: 600 } } };
let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ city, env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const send = (method: string, to: string, body?: unknown): ReturnType<Obieg["api"]> =>
  obieg.api(to, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
const publish = async (bytes: number[], count: number, devEui = "24E124713C123456"): Promise<void> => {
  const payload = {
    end_device_ids: { device_id: "podgorze-7", dev_eui: devEui },
    uplink_message: {
      session_key_id: "AXBSH1Pk6Z0=",
      f_port: 1,
      f_cnt: count,
      frm_payload: Buffer.from(bytes).toString("base64"),
      rx_metadata: [{ rssi: -101, snr: 2.5 }],
      received_at: new Date(Date.now() - 60_000 + count * 1_000).toISOString(),
    },
  };
  const topic = "v3/city@ttn/devices/podgorze-7/up";
  const { code, output } = await mosquittoPub(obieg.mqttPort, server, topic, JSON.stringify(payload));
  expect([code, output]).toEqual([0, ""]);
};
const readings = async (): Promise<string[]> => {
  const { items } = (await obieg.api("/api/v1/readings?device=bin-a")).body as { items: Reading[] };
  return items.map(
    ({ quantity, value, codec }) =>
      `${quantity} ${value} ${codec ? `${codec.model} ${codec.version} ${codec.hash}` : "-"}`,
  );
};
const open = async (): Promise<string[]> => {
  const { body } = await obieg.api("/api/v1/quarantine?status=open");
  const { items } = body as { items: { device: string; reason: string }[] };
  return items.map(({ device, reason }) => `${device} ${reason}`).toSorted();
};

test("a model's decoder is given by API, replays what it lacked, is changed, outlives a restart and is taken away", async () => {
  await publish([2, 88], 1);
  await publish([2, 88], 1, "24E124713C999999");
  const unread = ["bin-a no-decoder", "bin-o no-decoder"];
  expect(await until(open, (list) => list.length >= 2)).toEqual(unread);

  const added = await send("PUT", path, { script: first, version: "1.0", examples: [example] });
  expect(added.status).toBe(201);
  const { quarantined, script: _script, ...told } = added.body as Codec;
  expect(told).toMatchObject({
    model: "DIST/1",
    version: "1.0",
    hash: hashOf(first),
    convention: "decodeUplink",
  });
  expect(quarantined).toMatchObject({ entries: 1, isMore: false });
  const { method, path: to, body } = quarantined.replay;
  expect((await send(method, to, body)).body).toEqual({ replayed: 1, refused: 0 });
  await publish([2, 188], 4);
  const by = (version: string, script: string): string => `DIST/1 ${version} ${hashOf(script)}`;
  expect(await until(readings, (list) => list.length >= 6)).toEqual([
    `distance_mm 600 ${by("1.0", first)}`,
    "rssi_dbm -101 -",
    "snr_db 2.5 -",
    `distance_mm 700 ${by("1.0", first)}`,
    "rssi_dbm -101 -",
    "snr_db 2.5 -",
  ]);

  const input = { fPort: 1, bytes: "02 58 24" };
  const [right, wrong] = [600, 601].map((mm) => ({
    input,
    output: { data: { distance_mm: mm, battery_v: 3.6 } },
  }));
  const differs = await send("PUT", path, { script: second, examples: [right, wrong] });
  expect([differs.status, differs.body]).toMatchObject([
    422,
    {
      code: "codec-examples-differ",
      faults: [{ path: "/body/examples/1", message: "data/distance_mm: expected 601, got 600" }],
    },
  ]);
  const broken = await send("PUT", path, { script: "function decodeUplink( {" });
  expect([broken.status, broken.body]).toMatchObject([422, { code: "codec-invalid" }]);
  expect((await send("GET", path)).body).toMatchObject({ version: "1.0", script: first });

  const changed = await send("PUT", path, { script: second });
  expect([changed.status, changed.body]).toMatchObject([
    200,
    { version: hashOf(second).slice(0, 12), convention: "Decoder", quarantined: { entries: 0 } },
  ]);
  expect(await open()).toEqual(["bin-a codec-warning", "bin-o no-decoder"]);
  await obieg.stop();
  obieg = await startObieg({ dir: obieg.dir, env: secrets });
  await publish([2, 88, 36], 5);
  const newest = by(hashOf(second).slice(0, 12), second);
  expect((await until(readings, (list) => list.length >= 10)).slice(6)).toEqual([
    `distance_mm 600 ${newest}`,
    "rssi_dbm -101 -",
    "snr_db 2.5 -",
    `battery_v 3.6 ${newest}`,
  ]);
  expect((await send("GET", "/api/v1/codecs")).body).toMatchObject({
    items: [{ model: "DIST/1", changedBy: "environment" }],
  });

  const sameVersion = { script: first, version: hashOf(second).slice(0, 12) };
  expect((await send("PUT", path, sameVersion)).status).toBe(200);
  await publish([1, 44], 6);
  expect((await until(readings, (list) => list.length >= 13)).slice(10)).toEqual([
    `distance_mm 300 ${by(sameVersion.version, first)}`,
    "rssi_dbm -101 -",
    "snr_db 2.5 -",
  ]);

  expect((await send("DELETE", path)).status).toBe(204);
  expect((await send("GET", path)).status).toBe(404);
  await publish([2, 88], 7);
  await until(open, (list) => list.includes("bin-a no-decoder"));
  await obieg.stop();
  obieg = await startObieg({ dir: obieg.dir, env: secrets });
  expect((await send("GET", path)).status).toBe(404);
});

test("uplinks that were lost on the way stand with the device and in the metrics", async () => {
  const { body } = await obieg.api("/api/v1/devices/bin-a");
  expect(body).toMatchObject({ uplinks: { heard: 5, lost: 2, resets: 0 } });
  const { text } = await obieg.api("/metrics");
  expect(text).toMatch(/^obieg_uplinks_lost_total 2$/m);
  // It is open to all.
  expect(text).not.toContain("bin-a");
});

test("a decoder that a source of the city file names isn't overruled", async () => {
  const refused = await send("PUT", "/api/v1/codecs/NAMED", { script: first });
  expect([refused.status, refused.body]).toMatchObject([422, { code: "codec-in-city" }]);
});
