import { spawn } from "node:child_process";
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
      "{ id: roof, class: pv-inverter, place: krakow, identifiers: { serial: '114180000001' } }",
      "{ id: heat-1, class: heat-meter, place: krakow, identifiers: { serial: '55775511' } }",
      `{ id: air-z, class: air-sensor, place: krakow, model: WSDCGQ11LM, identifiers: { mac: "0x00158d0001abcdef" } }`,
      "{ id: water-1, class: water-meter, place: krakow, identifiers: { devEui: 70B3D5E75E000001 } }",
      "{ id: node-117, class: heat-meter, place: krakow, model: CMi4160, identifiers: { devEui: 94193a0103000117 } }",
      "{ id: lpp-3, class: air-sensor, place: krakow, identifiers: { topic: klasa-3 } }",
    ],
    credentials: [
      `{ user: szkola, secret: "${gateway.secret}", publish: ["tele/#", "+/events/rpc", "zigbee2mqtt/#", "wmbusmeters/+", "solar/114180000001/#", "v3/#", "application/#", "lpp/+"] }`,
    ],
  });
  const sources = `sources:
  - { format: tasmota, map: [{ from: MT681.E_in, quantity: energy_import_wh }] }
  - { format: zigbee2mqtt, map: [{ from: voltage, quantity: battery, unit: mV, model: WSDCGQ11LM }] }
  - format: chirpstack
    map:
      - { from: energy, quantity: heat_kwh, model: CMi4160 }
      - { from: power, quantity: power, unit: kW, model: CMi4160 }
      - { from: flow, quantity: flow_m3_h, model: CMi4160 }
  - { format: cayenne-lpp, topics: [lpp/+] }
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
  const { code, output } = await mosquittoPub(
    obieg.mqttPort,
    gateway,
    topic,
    typeof payload === "string" || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  );
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

/** What a foreign client publishes, and what is read back of it: `{time} {quantity} {value} {unit}`; `*` for the time of receipt. */
const foreign: {
  format: string;
  device: string;
  messages: [topic: string, payload: unknown][];
  read: string[];
}[] = [
  {
    format: "OpenDTU",
    device: "roof",
    messages: [
      ["solar/114180000001/0/power", "412.5"],
      ["solar/114180000001/0/yieldtotal", "1832.117"],
      ["solar/114180000001/0/yieldday", "1250"],
      ["solar/114180000001/0/powerfactor", "99.9"],
    ],
    read: ["* energy_generated_kwh 1832.117 kWh", "* power_factor 0.999 ", "* power_w 412.5 W"],
  },
  {
    format: "wmbusmeters",
    device: "heat-1",
    messages: [
      [
        "wmbusmeters/55775511",
        {
          media: "heat",
          meter: "kamheat",
          id: "55775511",
          total_energy_consumption_gj: 13.6116,
          total_volume_l: 344270,
          target_energy_kwh: 2933,
          target_date: "2026-11-01",
          timestamp: "2026-11-23T07:20:22Z",
        },
      ],
    ],
    read: [
      "2026-10-31T23:00:00.000Z heat_kwh 2933 kWh",
      "2026-11-23T07:20:22.000Z heat_kwh 3781 kWh",
      "2026-11-23T07:20:22.000Z heat_volume_m3 344.27 m³",
    ],
  },
  {
    format: "Zigbee2MQTT",
    device: "air-z",
    messages: [
      [
        "zigbee2mqtt/0x00158d0001abcdef",
        {
          battery: 91,
          voltage: 2985,
          temperature: 3.4,
          humidity: 81.5,
          pressure: 989.4,
          linkquality: 120,
          last_seen: "2026-11-23T07:15:10+01:00",
        },
      ],
    ],
    read: [
      "2026-11-23T06:15:10.000Z battery_percent 91 %",
      "2026-11-23T06:15:10.000Z battery_v 2.985 V",
      "2026-11-23T06:15:10.000Z humidity_percent 81.5 %",
      "2026-11-23T06:15:10.000Z pressure_hpa 989.4 hPa",
      "2026-11-23T06:15:10.000Z temperature_celsius 3.4 °C",
    ],
  },
  {
    format: "The Things Stack",
    device: "water-1",
    messages: [
      [
        "v3/water@krakow/devices/flow-1/up",
        {
          end_device_ids: { device_id: "flow-1", dev_eui: "70B3D5E75E000001" },
          uplink_message: {
            f_port: 1,
            received_at: "2026-11-23T06:15:02.201459Z",
            normalized_payload: [{ metering: { water: { total: 12345 } }, battery: 3.61 }],
            rx_metadata: [
              { rssi: -118, snr: -7 },
              { rssi: -103, snr: 4.5 },
            ],
          },
        },
      ],
    ],
    read: [
      "2026-11-23T06:15:02.201Z battery_v 3.61 V",
      "2026-11-23T06:15:02.201Z rssi_dbm -103 dBm",
      "2026-11-23T06:15:02.201Z snr_db 4.5 dB",
      "2026-11-23T06:15:02.201Z water_m3 12.345 m³",
    ],
  },
  {
    format: "ChirpStack",
    device: "node-117",
    messages: [
      [
        "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/94193a0103000117/event/up",
        {
          time: "2026-11-23T06:15:02.201+00:00",
          deviceInfo: { deviceName: "node-117", devEui: "94193a0103000117" },
          fPort: 2,
          object: { energy: 106895, power: 4.047, flow: 0.093 },
          // The first is far, the last is loudest and broken.
          rxInfo: [
            { rssi: -118, snr: 9.8, crcStatus: "CRC_OK" },
            { rssi: -97, snr: 7.2, crcStatus: "CRC_OK" },
            { rssi: -61, snr: 12, crcStatus: "BAD_CRC" },
          ],
        },
      ],
      [
        "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/94193a0103000117/event/status",
        {
          time: "2026-11-23T06:20:02.201+00:00",
          deviceInfo: { devEui: "94193a0103000117" },
          margin: 7,
          batteryLevel: 87.5,
        },
      ],
    ],
    read: [
      "2026-11-23T06:15:02.201Z flow_m3_h 0.093 m³/h",
      "2026-11-23T06:15:02.201Z heat_kwh 106895 kWh",
      "2026-11-23T06:15:02.201Z power_w 4047 W",
      "2026-11-23T06:15:02.201Z rssi_dbm -97 dBm",
      "2026-11-23T06:15:02.201Z snr_db 7.2 dB",
      "2026-11-23T06:20:02.201Z battery_percent 87.5 %",
      "2026-11-23T06:20:02.201Z link_margin_db 7 dB",
    ],
  },
  {
    format: "Cayenne LPP",
    device: "lpp-3",
    messages: [["lpp/klasa-3", Buffer.from("01670110026856037327a6", "hex")]],
    read: ["* humidity_percent 43 %", "* pressure_hpa 1015 hPa", "* temperature_celsius 27.2 °C"],
  },
];

test.each(foreign)(
  "what $format publishes is read back under its device, its units converted",
  async (one) => {
    for (const [topic, payload] of one.messages) await publish(topic, payload);
    const found = await until(
      () => readings(one.device),
      (list) => list.length >= one.read.length,
    );
    const got = found.map((reading) => {
      const isReceipt = Math.abs(Date.parse(reading.time) - Date.now()) < 300_000;
      return isReceipt ? briefly({ ...reading, time: "*" }) : briefly(reading);
    });
    expect(got.toSorted()).toEqual(one.read.toSorted());
  },
);

test("a device whose connection breaks is offline by its last will, and shown so", async () => {
  const presence = async (): Promise<unknown> =>
    ((await obieg.api("/api/v1/devices/plug-17")).body as { presence: unknown }).presence;
  const lwt = "tele/tasmota_8F12A0/LWT";
  await mosquittoPub(obieg.mqttPort, gateway, lwt, "Online");
  await until(presence, (now) => (now as { online?: boolean } | null)?.online === true);
  const will = ["--will-topic", lwt, "--will-payload", "Offline", "--will-qos", "1", "--will-retain"];
  const at = ["-h", "127.0.0.1", "-p", String(obieg.mqttPort), "-u", gateway.user, "-P", gateway.secret];
  // What it says once it is connected shows that its will is known.
  const said = ["-q", "1", "-t", "tele/tasmota_8F12A0/STATE", "-l"];
  const plug = spawn("/usr/bin/mosquitto_pub", [...at, ...will, ...said]);
  plug.stdin.write('{"Time":"2026-11-23T07:25:10","Wifi":{"Signal":-61}}\n');
  await until(
    () => readings("plug-17"),
    (list) => list.some(({ quantity, value }) => quantity === "rssi_dbm" && value === -61),
  );
  plug.kill("SIGKILL");
  const gone = await until(presence, (now) => (now as { online?: boolean } | null)?.online === false);
  expect(gone).toEqual({ online: false, since: expect.stringMatching(/Z$/) as string });
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
  const denied = await mosquittoPub(obieg.mqttPort, gateway, "solar/114189999999/0/power", "1");
  expect(denied.code).not.toBe(0);
  const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
  const device = await mosquittoPub(obieg.mqttPort, bin, "tele/tasmota_8F12A0/SENSOR", "{}");
  expect(device.code).not.toBe(0);
});
