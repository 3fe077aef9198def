import { execFile } from "node:child_process";
import { request as httpRequest } from "node:http";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { InfluxDB, Point } from "@influxdata/influxdb-client";
import { encode } from "cborg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg } from "./support/obieg.js";

const gateway = { user: "szkola", secret: "the secret of szkola" };
const city = `
city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow }
  - { id: bin-2, class: bin, place: krakow }
  - { id: bin-3, class: bin, place: krakow }
  - { id: em-2, class: electricity-meter, place: krakow, identifiers: { name: rozdzielnia } }
  - { id: air-1, class: air-sensor, place: krakow, identifiers: { sensor: esp8266-1234567 } }
  - { id: air-2, class: air-sensor, place: krakow, identifiers: { serial: "7654321" } }
  - { id: em-3, class: electricity-meter, place: krakow, identifiers: { mac: "00:24:be:80:4f:f1" } }
  - { id: em-4, class: electricity-meter, place: krakow }
  - { id: em-5, class: electricity-meter, place: krakow }
  - { id: bin-4, class: bin, place: krakow }
  - { id: bin-5, class: bin, place: krakow }
  - { id: heat-1, class: heat-meter, place: krakow }
  - { id: room-1, class: air-sensor, place: krakow, identifiers: { name: "2001:db8::1" } }
credentials:
  - { user: szkola, secret: "${gateway.secret}", publish: ["influx/#", "telegraf/#", "airrohr/+", "senml/#"] }
`;
let obieg: Obieg;
beforeAll(async () => {
  obieg = await startObieg({ city });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const read = async (device: string): Promise<string[]> => {
  const { items } = (await obieg.api(`/api/v1/readings?device=${device}`)).body as {
    items: { quantity: string; value: number; unit: string; time: string }[];
  };
  return items
    .map(({ quantity, value, unit, time }) => {
      const isReceipt = Math.abs(Date.parse(time) - Date.now()) < 300_000;
      return `${isReceipt ? "*" : time} ${quantity} ${value} ${unit}`;
    })
    .toSorted();
};
/** Waits until exactly this is read back of a device: `{time} {quantity} {value} {unit}`; `*` for the time of receipt. */
const isReadBack = (device: string, readings: string[]): Promise<void> =>
  expect.poll(() => read(device), { timeout: 20_000 }).toEqual(readings);

/** What curl gets for a body that it posts: status, and the answer's body. */
async function curl(path: string, body: string, headers: readonly string[]): Promise<[string, string]> {
  const { stdout } = await promisify(execFile)("/usr/bin/curl", [
    "-sS",
    "--max-time",
    "20",
    "-w",
    "\n%{http_code}",
    "--data-binary",
    body,
    ...headers.flatMap((header) => ["-H", header]),
    `${obieg.httpUrl}${path}`,
  ]);
  const at = stdout.lastIndexOf("\n");
  return [stdout.slice(at + 1), stdout.slice(0, at)];
}

test("InfluxDB's own client writes here, packed and with its token, and the readings are found", async () => {
  const api = new InfluxDB({
    url: obieg.httpUrl,
    token: obieg.token,
    writeOptions: { maxRetries: 0, gzipThreshold: 0 },
  }).getWriteApi("o", "b", "ms");
  api.writePoint(
    new Point("bins")
      .tag("device", "bin-1")
      .floatField("fill_percent", 43.2)
      .intField("battery_mv", 3_610)
      .timestamp(Date.now()),
  );
  await api.close();
  await isReadBack("bin-1", ["* battery_v 3.61 V", "* fill_percent 43.2 %"]);
});

test("curl writes lines as to InfluxDB 1: the bad one is told, the others are read back", async () => {
  const lines = [
    "bins,device=bin-2 distance_m=0.873 1795428000",
    "bins,device=bin-2",
    "bins,device=bin-2 fill_ratio=0.432 1795428060",
  ];
  const [status, body] = await curl("/write?db=any&precision=s", lines.join("\n"), [
    `Authorization: Basic ${Buffer.from(`any:${obieg.token}`).toString("base64")}`,
  ]);
  expect([status, JSON.parse(body)]).toMatchObject([
    "400",
    { error: "partial write: unable to parse 'bins,device=bin-2': missing fields dropped=0", line: 2 },
  ]);
  await isReadBack("bin-2", [
    "2026-11-23T10:00:00.000Z distance_mm 873 mm",
    "2026-11-23T10:01:00.000Z fill_percent 43.2 %",
  ]);
});

/** Sends as Telegraf 1.30.0 was seen to: its headers in their order; a write is packed, and in chunks without a length. */
function telegraf(
  path: string,
  authorization: string,
  body: string,
): Promise<{ status: number | undefined; text: string }> {
  const isWrite = path !== "/query";
  const bytes = isWrite ? gzipSync(body) : Buffer.from(body);
  const headers = [
    ["Host", new URL(obieg.httpUrl).host],
    ["User-Agent", "Telegraf/1.30.0 Go/1.26.8"],
    isWrite ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(bytes.length)],
    ["Authorization", authorization],
    ...(isWrite ? [["Content-Encoding", "gzip"]] : []),
    ["Content-Type", isWrite ? "text/plain; charset=utf-8" : "application/x-www-form-urlencoded"],
    ["Accept-Encoding", "gzip"],
  ].flat();
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${obieg.httpUrl}${path}`, { method: "POST", headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(bytes);
  });
}

/** What Telegraf's `inputs.mem` gathers beside what a device measures. */
const memory =
  "active=1574723584i,available=23425478656i,available_percent=92.67762,buffered=130891776i,cached=4842835968i,commit_limit=12638257152i,committed_as=1559748608i,dirty=244482048i,free=18702028800i,high_free=0i,high_total=0i,huge_page_size=2097152i,huge_pages_free=0i,huge_pages_total=0i,inactive=4760555520i,low_free=0i,low_total=0i,mapped=154169344i,page_tables=18595840i,shared=8998912i,slab=780091392i,sreclaimable=716984320i,sunreclaim=63107072i,swap_cached=0i,swap_free=0i,swap_total=0i,total=25276514304i,used=1381945344i,used_percent=5.46731,vmalloc_chunk=0i,vmalloc_total=35184372087808i,vmalloc_used=16674816i,write_back=61440i,write_back_tmp=0i";

test.each([
  {
    output: "outputs.influxdb_v2",
    device: "em-4",
    path: "/api/v2/write?bucket=any&org=any",
    authorization: (token: string) => `Token ${token}`,
  },
  {
    output: "outputs.influxdb",
    device: "em-5",
    path: "/write?db=telegraf",
    authorization: (token: string) => `Basic ${Buffer.from(`any:${token}`).toString("base64")}`,
  },
])("Telegraf's $output writes a whole batch of its default size, and the readings are found", async (one) => {
  const authorization = one.authorization(obieg.token);
  if (one.output === "outputs.influxdb")
    expect(await telegraf("/query", authorization, "q=CREATE+DATABASE+%22telegraf%22")).toEqual({
      status: 200,
      text: '{"results":[{"statement_id":0}]}',
    });
  const lines = Array.from(
    { length: 1_000 },
    (_, n) => `mem,device=${one.device},host=vm power_w=${n}i,${memory} ${1_795_428_000 + n}000000000\n`,
  );
  expect(await telegraf(one.path, authorization, lines.join(""))).toEqual({ status: 204, text: "" });
  const items = async (): Promise<{ time: string; value: number }[]> =>
    (
      (await obieg.api(`/api/v1/readings?device=${one.device}&limit=2000`)).body as {
        items: { time: string; value: number }[];
      }
    ).items;
  await expect.poll(async () => (await items()).length, { timeout: 20_000 }).toBe(1_000);
  expect((await items()).map(({ time, value }) => [Date.parse(time), value])).toEqual(
    lines.map((_, n) => [1_795_428_000_000 + n * 1_000, n]),
  );
});

test("Telegraf hears why its token isn't taken, and of a batch with a wrong value what was wrong; the rest is read back", async () => {
  const path = "/api/v2/write?bucket=any&org=any";
  const refused = await telegraf(path, "Token wrong", "bins,device=bin-4,host=vm fill_percent=51\n");
  expect([refused.status, JSON.parse(refused.text)]).toMatchObject([
    401,
    { code: "token-unknown", message: "this token is unknown, removed or expired" },
  ]);
  const answer = await telegraf(
    path,
    `Token ${obieg.token}`,
    'bins,device=bin-4,host=vm fill_percent="full" 1795428000000000000\nbins,device=bin-4,host=vm fill_percent=52,nonsense=7 1795428060000000000\n',
  );
  expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
    400,
    { code: "invalid", message: "partial write: bins.fill_percent should be a number dropped=0", line: 1 },
  ]);
  await isReadBack("bin-4", ["2026-11-23T10:01:00.000Z fill_percent 52 %"]);
});

test("curl sends as airrohr's firmware does, and the readings are found in our units", async () => {
  const [status] = await curl(
    "/api/v1/airrohr",
    '{"esp8266id": "1234567", "software_version": "NRZ-2024-135", "sensordatavalues":[{"value_type":"SDS_P1","value":"18.45"},{"value_type":"SDS_P2","value":"9.20"},{"value_type":"BME280_pressure","value":"98765.31"}]}',
    [
      `Authorization: Basic ${Buffer.from(`x:${obieg.token}`).toString("base64")}`,
      "Content-Type: application/json",
      "X-Sensor: esp8266-1234567",
    ],
  );
  expect(status).toBe("202");
  await isReadBack("air-1", [
    "* pm10_ug_m3 18.45 µg/m³",
    "* pm2_5_ug_m3 9.2 µg/m³",
    "* pressure_hpa 987.6531 hPa",
  ]);
});

/** A pack as another's encoder writes it: the label's numbers as keys. Source: RFC 8428, table 4. */
const pack = [
  new Map<number, unknown>([
    [-2, "heat-1:"],
    [-3, 1_795_428_000],
    [0, "power"],
    [1, "kW"],
    [2, 4.047],
    [5, 7_200],
  ]),
  new Map<number, unknown>([
    [0, "supply_temperature"],
    [1, "K"],
    [2, 344.55],
    [6, -60],
  ]),
];

test.each([
  {
    what: "lines in milliseconds",
    topic: "influx/ms",
    payload:
      "meters,device=rozdzielnia,place=szkola energy_import_wh=617294.5,power_kw=4.047 1795428000000\nmeters,device=bin-3,fraction=bio weight_g=8120i 1795428000250",
    devices: {
      "em-2": [
        "2026-11-23T10:00:00.000Z energy_import_kwh 617.2945 kWh",
        "2026-11-23T10:00:00.000Z power_w 4047 W",
      ],
      "bin-3": ["2026-11-23T10:00:00.250Z weight_kg 8.12 kg"],
    },
  },
  {
    what: "Telegraf's outputs.mqtt under its own topic, whatever the measurement is called",
    topic: "telegraf/vm/s",
    payload: "s,device=bin-5,host=vm fill_percent=61 1795428000000000000\n",
    devices: { "bin-5": ["2026-11-23T10:00:00.000Z fill_percent 61 %"] },
  },
  {
    what: "an airrohr",
    topic: "airrohr/esp8266-7654321",
    payload:
      '{"sensordatavalues":[{"value_type":"SPS30_P1","value":"5.06"},{"value_type":"BME280_pressure","value":"99105.00"}]}',
    devices: { "air-2": ["* pm10_ug_m3 5.06 µg/m³", "* pressure_hpa 991.05 hPa"] },
  },
  {
    what: "SenML in JSON of two devices",
    topic: "senml/szkola",
    payload:
      '[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1795428000,"n":"power","u":"W","v":1204,"s":8640000},{"n":"voltage","u":"V","t":-60,"v":230.1},{"bn":"2001:db8::1/","n":"temperature","u":"K","v":294.25}]',
    devices: {
      "em-3": [
        "2026-11-23T09:59:00.000Z voltage_v 230.1 V",
        "2026-11-23T10:00:00.000Z energy_import_kwh 2.4 kWh",
        "2026-11-23T10:00:00.000Z power_w 1204 W",
      ],
      "room-1": ["2026-11-23T10:00:00.000Z temperature_celsius 21.1 °C"],
    },
  },
  {
    what: "SenML in CBOR",
    topic: "senml/heat-1",
    payload: Buffer.from(encode(pack)),
    devices: {
      "heat-1": [
        "2026-11-23T09:59:00.000Z supply_temperature_celsius 71.4 °C",
        "2026-11-23T10:00:00.000Z heat_kwh 2 kWh",
        "2026-11-23T10:00:00.000Z power_w 4047 W",
      ],
    },
  },
])("what mosquitto_pub publishes as $what is read back, its units converted", async (one) => {
  const { code, output } = await mosquittoPub(obieg.mqttPort, gateway, one.topic, one.payload);
  expect([code, output]).toEqual([0, ""]);
  for (const [device, readings] of Object.entries(one.devices)) await isReadBack(device, readings);
});
