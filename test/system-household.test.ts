import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { type Service, startInfluxDb, startWriteProxy } from "./support/services.js";

/** The recording as a meter's register: the running sum, read at the end of each hour. */
const readings = (() => {
  const file = join(import.meta.dirname, "data/household-electricity-hourly-2021.csv");
  let wattHours = 0;
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [start = "", kwh = ""] = line.split(",");
      wattHours += Math.round(Number(kwh) * 1_000);
      return { timeMs: Date.parse(start) + 3_600_000, kwh: wattHours / 1_000 };
    });
})();

let influx: Service;
let proxy: Service;
let obieg: Obieg;

beforeAll(async () => {
  influx = await startInfluxDb();
  proxy = await startWriteProxy(influx.url);
  obieg = await startObieg({
    city: testCity(),
    config: `influx: { url: "${proxy.url}", token: unused }\n`,
    env: secrets,
  });
});
afterAll(async () => {
  await obieg.stop();
  await proxy.stop();
  await influx.stop();
  removeFolder(obieg.dir);
});

const exported = async (): Promise<Map<number, number>> => {
  const { text } = await obieg.api("/api/v1/readings?device=em-1&quantity=energy_import_kwh", {
    headers: { accept: "application/x-ndjson" },
  });
  const rows = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { time: string; value: number });
  expect(rows).toHaveLength(readings.length);
  return new Map(rows.map(({ time, value }) => [Date.parse(time), value]));
};
const compare = (found: ReadonlyMap<number, number>): void => {
  expect(found.size).toBe(readings.length);
  expect(readings.filter(({ timeMs, kwh }) => found.get(timeMs) !== kwh)).toEqual([]);
};

test("a household's real year goes through and is found again, value by value", async () => {
  expect(readings).toHaveLength(8_760);
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "em-1",
    password: secrets.METER_SECRET,
  });
  await Promise.all(
    readings.map(({ timeMs, kwh }) =>
      client.publishAsync(
        "readings/em-1",
        JSON.stringify({ time: new Date(timeMs).toISOString(), energy_import_kwh: kwh }),
        { qos: 1 },
      ),
    ),
  );
  await client.endAsync();
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_values_stored_total 8760$/m.test(text),
    60_000,
  );
  compare(await exported());
});

test("its days are sealed and hold the same", async () => {
  const history = join(obieg.data, "history");
  await until(
    async () => readdirSync(history, { recursive: true }).filter((name) => String(name).endsWith(".parquet")),
    // Local days: the year's 365 and the two it overlaps by an hour at its ends.
    (files) => files.length >= 365,
    150_000,
  );
  compare(await exported());
}, 200_000);

test("its ledger is balanced", async () => {
  const { body } = await obieg.api("/api/v1/ledger?device=em-1");
  expect((body as { items: unknown[] }).items).toMatchObject([
    {
      device: "em-1",
      messages: { received: 8_760, decoded: 8_760, ignored: 0, quarantined: 0 },
      values: { decoded: 8_760, stored: 8_760, duplicate: 0, conflict: 0, quarantined: 0, late: 8_760 },
      balanced: true,
    },
  ]);
});

test("InfluxDB holds the same", async () => {
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_sink_lag_values\{sink="influxdb"\} 0$/m.test(text),
    60_000,
  );
  const query = encodeURIComponent("select energy_import_kwh from electricity_meter");
  const answer = await fetch(`${influx.url}/query?db=obieg&epoch=ms&q=${query}`);
  const { results } = (await answer.json()) as {
    results: { series: { values: [number, number][] }[] }[];
  };
  compare(new Map(results[0]?.series[0]?.values));
});
