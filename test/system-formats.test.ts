import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Reading {
  device: string;
  quantity: string;
  value: number;
  unit: string;
  time: string;
}
interface Entry {
  id: string;
  device: string;
  reason: string;
  paths: string[];
}

const gateway = { user: "szkola", secret: "the secret of szkola" };
const shelly = "shellypro3em-b48a0a1b2c3d";
let obieg: Obieg;

beforeAll(async () => {
  const city = testCity({
    devices: [
      "{ id: plug-17, class: electricity-meter, place: krakow, identifiers: { topic: tasmota_8F12A0 } }",
      `{ id: em-3, class: electricity-meter, place: krakow, identifiers: { name: ${shelly} } }`,
    ],
    credentials: [
      `{ user: szkola, secret: "${gateway.secret}", publish: ["tele/#", "+/events/rpc", "zigbee2mqtt/#"] }`,
    ],
  });
  const sources = `sources:
  - { format: tasmota, map: [{ from: MT681.E_in, quantity: energy_import_wh }] }
`;
  obieg = await startObieg({ city: `${city}${sources}`, env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const readings = async (device: string): Promise<Reading[]> =>
  ((await obieg.api(`/api/v1/readings?device=${device}`)).body as { items: Reading[] }).items;
const quarantined = async (): Promise<Entry[]> =>
  ((await obieg.api("/api/v1/quarantine?status=open")).body as { items: Entry[] }).items;
const send = (method: string, path: string, body: unknown): ReturnType<Obieg["api"]> =>
  obieg.api(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const publish = async (topic: string, payload: unknown): Promise<void> => {
  const { code, output } = await mosquittoPub(obieg.mqttPort, gateway, topic, JSON.stringify(payload));
  expect([code, output]).toEqual([0, ""]);
};
const briefly = ({ quantity, value, unit, time }: Reading): string => `${time} ${quantity} ${value} ${unit}`;

test("what a Tasmota plug and a Shelly meter publish is read back under their devices, its units converted, its time the city's", async () => {
  await publish("tele/tasmota_8F12A0/SENSOR", {
    Time: "2026-11-23T07:15:10",
    ENERGY: { Total: 617.294, Today: 0.954, Power: 2635, Voltage: 227 },
  });
  await publish("tele/tasmota_8F12A0/SENSOR", {
    Time: "2026-11-23T07:20:10",
    MT681: { E_in: 617500, Tariff: 2 },
  });
  await publish(`${shelly}/events/rpc`, {
    src: shelly,
    dst: `${shelly}/events`,
    method: "NotifyStatus",
    params: { ts: 1795414502.31, "emdata:0": { id: 0, total_act: 3612864.98, total_act_ret: 18.4 } },
  });
  const plug = await until(
    () => readings("plug-17"),
    (list) => list.length >= 4,
  );
  expect(plug.map(briefly).toSorted()).toEqual([
    "2026-11-23T06:15:10.000Z energy_import_kwh 617.294 kWh",
    "2026-11-23T06:15:10.000Z power_w 2635 W",
    "2026-11-23T06:15:10.000Z voltage_v 227 V",
    "2026-11-23T06:20:10.000Z energy_import_kwh 617.5 kWh",
  ]);
  const meter = await until(
    () => readings("em-3"),
    (list) => list.length >= 2,
  );
  expect(meter.map(briefly).toSorted()).toEqual([
    "2026-11-23T06:15:02.310Z energy_export_kwh 0.0184 kWh",
    "2026-11-23T06:15:02.310Z energy_import_kwh 3612.86498 kWh",
  ]);
  expect(
    (await quarantined()).map(({ device, reason, paths }) => `${device} ${reason} ${paths.join()}`),
  ).toEqual(["plug-17 unmapped-field /MT681/Tariff"]);
});

test("a device that nobody knew is adopted by its name elsewhere, and what it sent before is replayed", async () => {
  await publish("zigbee2mqtt/Sala gimnastyczna", { temperature: 19.5, humidity: 41 });
  await until(quarantined, (list) => list.some(({ device }) => device === "Sala gimnastyczna"));
  const identifiers = { name: "Sala gimnastyczna" };
  const added = await send("PUT", "/api/v1/devices/sala", {
    class: "air-sensor",
    place: "krakow",
    identifiers,
  });
  expect([added.status, added.body]).toMatchObject([201, { id: "sala", identifiers }]);
  const taken = await send("PUT", "/api/v1/devices/sala-2", { class: "bin", place: "krakow", identifiers });
  expect(taken.status).toBe(422);
  const done = await send("POST", "/api/v1/quarantine/replay", { reason: "unknown-device" });
  expect(done.body).toEqual({ replayed: 1, refused: 0 });
  expect((await readings("sala")).map(({ quantity, value }) => `${quantity} ${value}`).toSorted()).toEqual([
    "humidity_percent 41",
    "temperature_celsius 19.5",
  ]);
  const accounts = (await obieg.api("/api/v1/ledger")).body as { items: { balanced: boolean }[] };
  expect(accounts.items.every(({ balanced }) => balanced)).toBe(true);
});

test("a credential publishes on the topics that it lists and on no other format's", async () => {
  const denied = await mosquittoPub(obieg.mqttPort, gateway, "solar/114180000001/0/power", "1");
  expect(denied.code).not.toBe(0);
  const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
  const device = await mosquittoPub(obieg.mqttPort, bin, "tele/tasmota_8F12A0/SENSOR", "{}");
  expect(device.code).not.toBe(0);
});
