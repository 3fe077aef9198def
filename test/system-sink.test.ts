import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LineServer } from "./influx-fixture.js";
import { secrets, testCity } from "./support/city.js";
import { type Hook, startHook } from "./support/hook.js";
import { type Obieg, type ObiegOptions, removeFolder, startObieg, until } from "./support/obieg.js";

interface Sink {
  name: string;
  lag: number;
  written: number;
  offended: number;
  fault: string | null;
}

const rule =
  '{ id: bin-full, kind: threshold, class: bin, quantity: fill_percent, above: 90, severity: warning, title: { pl: "Pełny", en: "Full" } }';
let influx: LineServer;
let hook: Hook;
let obieg: Obieg;
let options: ObiegOptions;

beforeAll(async () => {
  influx = await new LineServer().start();
  hook = await startHook();
  options = {
    city: testCity({ rules: [rule], hookUrl: hook.url }),
    config: `influx: { url: "${influx.url}", token: "\${INFLUX_TOKEN}", batchValues: 100 }\n`,
    env: { ...secrets, INFLUX_TOKEN: "a-token-of-influx" },
  };
  obieg = await startObieg(options);
});
afterAll(async () => {
  await obieg.stop();
  await influx.stop();
  await hook.stop();
  removeFolder(obieg.dir);
});

const firstMs = Date.now() - 3_600_000;
let published = 0;
/** Publishes messages of two values each; their times tell their order. */
async function publish(count: number, fill = 40): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "bin-1",
    password: secrets.BIN_SECRET,
  });
  for (let n = 0; n < count; n += 1) {
    const time = firstMs + (published += 1) * 1_000;
    await client.publishAsync("readings/bin-1", JSON.stringify({ time, fill_percent: fill, weight_kg: n }), {
      qos: 1,
    });
  }
  await client.endAsync();
}
const items = async <T>(path: string): Promise<T[]> =>
  ((await obieg.api(`/api/v1/${path}`)).body as { items: T[] }).items;
const sink = async (): Promise<Sink | undefined> => (await items<Sink>("sinks"))[0];
const stored = async (): Promise<number> =>
  (await items("readings?device=bin-1&limit=10000&quantity=fill_percent")).length;
const untilFault = (fault: RegExp): Promise<unknown> => until(sink, (one) => fault.test(one?.fault ?? ""));

test("while InfluxDB hangs, is gone, refuses the token or asks to wait, the rest runs; it catches up in order over a kill -9, and shows what the server refused", async () => {
  // A server that takes the connection and never answers.
  influx.decide = () => "hang";
  await publish(150);
  await publish(1, 95);
  await until(stored, (count) => count === 151);
  await until(
    async () => hook.calls.length,
    (count) => count >= 1,
  );
  expect((await obieg.api("/readyz")).status).toBe(200);
  expect(await sink()).toMatchObject({ name: "influxdb", lag: 302, written: 0, offended: 0 });
  expect(influx.requests.length).toBe(1);
  influx.decide = () => "close";
  influx.cut();
  await untilFault(/^unreachable: /);

  influx.decide = () => ({ status: 401, body: "unauthorized access" });
  await untilFault(/^answered 401: unauthorized access$/);
  await publish(50);
  await until(stored, (count) => count === 201);

  await obieg.kill();
  influx.decide = () => ({ status: 429, headers: { "retry-after": "1" }, body: "slow down" });
  obieg = await startObieg({ ...options, dir: obieg.dir });
  await untilFault(/^answered 429: slow down$/);
  expect(await sink()).toMatchObject({ lag: 402, written: 0, offended: 0 });

  // One value that the server doesn't want, among all the others.
  const unwanted = firstMs + 77_000;
  influx.decide = (lines) =>
    lines.some((line) => line.includes("weight_kg=76") && line.endsWith(` ${unwanted}`))
      ? { status: 422, body: 'field type conflict: input field "weight_kg"' }
      : "take";
  await until(sink, (one) => one?.lag === 0, 30_000);
  expect(await sink()).toEqual({
    name: "influxdb",
    position: 402,
    lag: 0,
    written: 401,
    offended: 1,
    fault: null,
  });
  const times = influx.taken.map((line) => Number(line.split(" ").at(-1)));
  expect([...new Set(times)]).toEqual(Array.from({ length: 201 }, (_, n) => firstMs + (n + 1) * 1_000));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(await items("sinks/influxdb/offenders")).toEqual([
    {
      sequence: expect.any(Number) as number,
      device: "bin-1",
      quantity: "weight_kg",
      unit: "kg",
      time: new Date(unwanted).toISOString(),
      value: 76,
      words: '422: field type conflict: input field "weight_kg"',
      at: expect.any(String) as string,
    },
  ]);
  expect(await stored()).toBe(201);
  const metrics = (await obieg.api("/metrics")).text;
  expect(metrics).toMatch(/^obieg_sink_offended_total\{sink="influxdb"\} 1$/m);
  expect((await items<{ balanced: boolean }>("ledger")).every(({ balanced }) => balanced)).toBe(true);
});
