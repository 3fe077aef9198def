import { InfluxDB, Point } from "@influxdata/influxdb-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Obieg, removeFolder, startObieg } from "./support/obieg.js";

const city = `
city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow }
  - { id: air-1, class: air-sensor, place: krakow, identifiers: { sensor: esp8266-1234567 } }
`;
let obieg: Obieg;
beforeAll(async () => {
  obieg = await startObieg({ city });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const read = async (device: string): Promise<unknown[]> => {
  const { items } = (await obieg.api(`/api/v1/readings?device=${device}`)).body as {
    items: { quantity: string; value: number }[];
  };
  return items
    .toSorted((a, b) => (a.quantity < b.quantity ? -1 : 1))
    .map(({ quantity, value }) => [quantity, value]);
};

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
  await expect
    .poll(() => read("bin-1"), { timeout: 20_000 })
    .toEqual([
      ["battery_v", 3.61],
      ["fill_percent", 43.2],
    ]);
});

test("airrohr's firmware sends here, and the readings are found in our units", async () => {
  const answer = await fetch(`${obieg.httpUrl}/api/v1/airrohr`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`x:${obieg.token}`).toString("base64")}`,
      "content-type": "application/json",
      "x-sensor": "esp8266-1234567",
    },
    body: '{"esp8266id": "1234567", "software_version": "NRZ-2024-135", "sensordatavalues":[{"value_type":"SDS_P1","value":"18.45"},{"value_type":"SDS_P2","value":"9.20"},{"value_type":"BME280_pressure","value":"98765.31"}]}',
  });
  expect(answer.status).toBe(202);
  await expect
    .poll(() => read("air-1"), { timeout: 20_000 })
    .toEqual([
      ["pm10_ug_m3", 18.45],
      ["pm2_5_ug_m3", 9.2],
      ["pressure_hpa", 987.6531],
    ]);
});
