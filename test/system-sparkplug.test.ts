import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { runObieg } from "./support/command-line.js";
import { mosquittoPub, mosquittoSub } from "./support/mosquitto.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { readSparkplug, type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";

interface Reading {
  quantity: string;
  value: number;
  unit: string;
  time: string;
}

const gateway = { user: "sp-gw", secret: "the secret of sp-gw" };
const second = { user: "sp-2", secret: "the secret of sp-2" };
const bridge = { user: "z2m", secret: "the secret of z2m" };
const startMs = Date.parse("2026-11-23T06:15:00Z");
const folder = makeFolder();
let obieg: Obieg;

beforeAll(async () => {
  const city = testCity({
    devices: [
      "{ id: sp-gw, class: electricity-meter, place: krakow, identifiers: { sparkplug: Krakow/gw-1 } }",
      "{ id: sp-meter, class: electricity-meter, place: krakow, identifiers: { sparkplug: Krakow/gw-1/licznik 1 } }",
      "{ id: sp-heat, class: heat-meter, place: krakow, identifiers: { sparkplug: Krakow/gw-2/cieplo } }",
      "{ id: z-plug, class: electricity-meter, place: krakow, identifiers: { name: szkola/gniazdo } }",
    ],
    credentials: [
      `{ user: sp-gw, secret: "${gateway.secret}", publish: ["spBv1.0/Krakow/+/gw-1/#"], subscribe: ["spBv1.0/Krakow/NCMD/gw-1"] }`,
      `{ user: sp-2, secret: "${second.secret}", publish: ["spBv1.0/Krakow/+/gw-2/#"], subscribe: ["spBv1.0/Krakow/NCMD/gw-2"] }`,
      `{ user: z2m, secret: "${bridge.secret}", publish: ["zigbee2mqtt/#"] }`,
    ],
  });
  obieg = await startObieg({ dir: folder, city, env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(folder);
});

const readings = async (device: string): Promise<string[]> =>
  ((await obieg.api(`/api/v1/readings?device=${device}`)).body as { items: Reading[] }).items
    .map(({ quantity, value, unit, time }) => `${time} ${quantity} ${value} ${unit}`)
    .toSorted();
const presenceOf = async (device: string): Promise<boolean | undefined> =>
  ((await obieg.api(`/api/v1/devices/${device}`)).body as { presence?: { online: boolean } }).presence
    ?.online;
/** What an edge node publishes, in bytes of the Tahu project's encoder, by mosquitto_pub. */
const publish = async (level: string, seq: number, metrics: object[], login = gateway): Promise<void> => {
  const payload = sparkplugBytes({ timestamp: startMs, seq, metrics } as SparkplugPayload);
  const { code, output } = await mosquittoPub(
    obieg.mqttPort,
    login,
    `spBv1.0/Krakow/${level}`,
    Buffer.from(payload),
  );
  expect([code, output]).toEqual([0, ""]);
};
const bdSeq = { name: "bdSeq", type: "UInt64", value: 0 };
const imported = (value: number, atS: number): object => ({
  alias: 1,
  type: "UInt64",
  value,
  timestamp: startMs + atS * 1_000,
});
const at = (seconds: number): string => new Date(startMs + seconds * 1_000).toISOString();

test("what an edge node's births taught reads its data after kill -9 too, and a gap in its sequence has it asked for them", async () => {
  await publish("NBIRTH/gw-1", 0, [bdSeq, { name: "Node Control/Rebirth", type: "Boolean", value: false }]);
  await publish("DBIRTH/gw-1/licznik 1", 1, [
    {
      name: "Energy Import",
      alias: 1,
      type: "UInt64",
      value: 1_204_500,
      timestamp: startMs,
      properties: { engUnit: { type: "String", value: "Wh" } },
    },
  ]);
  await publish("DDATA/gw-1/licznik 1", 2, [imported(1_204_750, 60)]);
  const before = [`${at(0)} energy_import_kwh 1204.5 kWh`, `${at(60)} energy_import_kwh 1204.75 kWh`];
  await until(
    () => readings("sp-meter"),
    (list) => list.length >= 2,
  );
  await obieg.kill();
  obieg = await startObieg({ dir: obieg.dir, env: secrets });
  const commands = mosquittoSub(obieg.mqttPort, gateway, "spBv1.0/Krakow/NCMD/gw-1", "%t %x");
  try {
    await publish("DDATA/gw-1/licznik 1", 3, [imported(1_205_000, 120)]);
    const after = [...before, `${at(120)} energy_import_kwh 1205 kWh`];
    expect(
      await until(
        () => readings("sp-meter"),
        (list) => list.length >= 3,
      ),
    ).toEqual(after);
    expect(commands.lines).toEqual([]);

    await publish("DDATA/gw-1/licznik 1", 6, [imported(1_205_250, 180)]);
    await until(
      () => Promise.resolve(commands.lines),
      (lines) => lines.length > 0,
    );
    const [topic = "", hex = ""] = commands.lines[0]?.split(" ") ?? [];
    expect(topic).toBe("spBv1.0/Krakow/NCMD/gw-1");
    expect(readSparkplug(Buffer.from(hex, "hex")).metrics).toMatchObject([
      { name: "Node Control/Rebirth", type: "Boolean", value: true },
    ]);
    expect(await readings("sp-meter")).toEqual([...after, `${at(180)} energy_import_kwh 1205.25 kWh`]);
  } finally {
    commands.stop();
  }
});

test("a node's death takes its devices with it, and bytes that are cut short are kept with their reason", async () => {
  expect([await presenceOf("sp-gw"), await presenceOf("sp-meter")]).toEqual([true, true]);
  await publish("NDEATH/gw-1", 0, [bdSeq]);
  await until(
    () => presenceOf("sp-meter"),
    (online) => online === false,
  );
  expect(await presenceOf("sp-gw")).toBe(false);
  const cut = Buffer.from(
    sparkplugBytes({ timestamp: startMs, seq: 1, metrics: [bdSeq] } as SparkplugPayload),
  );
  await mosquittoPub(obieg.mqttPort, gateway, "spBv1.0/Krakow/DDATA/gw-1/licznik 1", cut.subarray(0, -3));
  const reasons = async (): Promise<string[]> =>
    (
      (await obieg.api("/api/v1/quarantine?status=open")).body as {
        items: { device: string; reason: string }[];
      }
    ).items.map(({ device, reason }) => `${device} ${reason}`);
  expect(await until(reasons, (list) => list.length > 0)).toEqual(["sp-meter invalid-sparkplug"]);
});

test("what a Zigbee2MQTT bridge exposes of its devices gives their readings units, before and after kill -9", async () => {
  const numeric = (property: string, unit: string): object => ({
    type: "numeric",
    name: property,
    property,
    unit,
    access: 1,
  });
  const definition = {
    model: "TS011F",
    vendor: "Tuya",
    exposes: [numeric("voltage", "V"), numeric("power", "kW")],
  };
  const devices = [{ ieee_address: "0x1", friendly_name: "szkola/gniazdo", type: "Router", definition }];
  const tell = async (topic: string, body: unknown, ...more: string[]): Promise<void> => {
    const { code, output } = await mosquittoPub(
      obieg.mqttPort,
      bridge,
      `zigbee2mqtt/${topic}`,
      JSON.stringify(body),
      more,
    );
    expect([code, output]).toEqual([0, ""]);
  };
  await tell("bridge/devices", devices, "-r");
  await tell("szkola/gniazdo", { state: "ON", voltage: 231 });
  await until(
    () => readings("z-plug"),
    (list) => list.length > 0,
  );
  await obieg.kill();
  obieg = await startObieg({ dir: obieg.dir, env: secrets });
  await tell("szkola/gniazdo", { state: "ON", voltage: 230, power: 1.5 });
  const list = await until(
    () => readings("z-plug"),
    (found) => found.length >= 3,
  );
  expect(list.map((line) => line.split(" ").slice(1).join(" ")).toSorted()).toEqual([
    "power_w 1500 W",
    "voltage_v 230 V",
    "voltage_v 231 V",
  ]);
});

test("after a backup is restored that is older than a birth, the node is asked for it, and what came before it stands once replayed", async () => {
  const heat = (value: number, atS: number): object => ({
    alias: 7,
    type: "UInt64",
    value,
    timestamp: startMs + atS * 1_000,
  });
  const born = async (value: number, atS: number): Promise<void> => {
    await publish("NBIRTH/gw-2", 0, [bdSeq], second);
    const metric = {
      ...heat(value, atS),
      name: "Heat",
      properties: { engUnit: { type: "String", value: "MWh" } },
    };
    await publish("DBIRTH/gw-2/cieplo", 1, [metric], second);
  };
  const backup = join(folder, "backup");
  const { code } = await runObieg(["backup", backup, "--data", obieg.data], { env: secrets });
  expect(code).toBe(0);
  await born(120, 0);
  await publish("DDATA/gw-2/cieplo", 2, [heat(121, 60)], second);
  await until(
    () => readings("sp-heat"),
    (list) => list.length >= 2,
  );
  await obieg.stop();
  const dir = join(folder, "restored");
  cpSync(backup, join(dir, "data"), { recursive: true });
  obieg = await startObieg({ dir, env: secrets });
  expect(await readings("sp-heat")).toEqual([]);
  const commands = mosquittoSub(obieg.mqttPort, second, "spBv1.0/Krakow/NCMD/gw-2", "%t");
  try {
    await publish("DDATA/gw-2/cieplo", 3, [heat(122, 120)], second);
    await until(
      () => Promise.resolve(commands.lines),
      (lines) => lines.length > 0,
    );
  } finally {
    commands.stop();
  }
  const waiting = async (): Promise<string[]> =>
    (
      (await obieg.api("/api/v1/quarantine?status=open&device=sp-heat")).body as {
        items: { reason: string }[];
      }
    ).items.map(({ reason }) => reason);
  expect(await until(waiting, (list) => list.length > 0)).toEqual(["unknown-alias"]);
  await born(123, 150);
  await until(
    () => readings("sp-heat"),
    (list) => list.length > 0,
  );
  const replayed = await obieg.api("/api/v1/quarantine/replay", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ device: "sp-heat" }),
  });
  expect(replayed.status).toBe(200);
  expect(
    await until(
      () => readings("sp-heat"),
      (list) => list.length >= 2,
    ),
  ).toEqual([`${at(120)} heat_kwh 122000 kWh`, `${at(150)} heat_kwh 123000 kWh`]);
  expect(await waiting()).toEqual([]);
});
