import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onAlerts } from "./support/browser.js";
import { secrets, testCity } from "./support/city.js";
import { type Hook, startHook } from "./support/hook.js";
import { mosquittoPub, mosquittoSub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { type Service, startInfluxDb, startVictoriaMetrics, startWriteProxy } from "./support/services.js";

interface Items<T> {
  items: T[];
}
interface Reading {
  device: string;
  quantity: string;
  unit: string;
  value: number;
  time: string;
  attributes: Record<string, string>;
}
interface AlertDocument {
  id: string;
  rule: string;
  state: string;
  device: string;
  value: number;
  limit: number;
}

const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
const rule =
  '{ id: bin-full, kind: threshold, class: bin, quantity: fill_percent, above: 90, clear: 60, for: 2s, severity: warning, title: { pl: "Pełny", en: "Full" } }';

/** Where screenshots go when somebody wants to look at them. */
const shots = process.env["OBIEG_SCREENSHOTS"];

let influx: Service;
let proxy: Service;
let hook: Hook;
let obieg: Obieg;

beforeAll(async () => {
  hook = await startHook();
  influx = await startInfluxDb();
  proxy = await startWriteProxy(influx.url);
  obieg = await startObieg({
    city: testCity({ rules: [rule], hookUrl: hook.url }),
    config: `influx: { url: "${proxy.url}", token: "\${INFLUX_TOKEN}", bucket: obieg }\n`,
    env: { ...secrets, INFLUX_TOKEN: "a-token-of-influx" },
  });
});

afterAll(async () => {
  await obieg.stop();
  await proxy.stop();
  await influx.stop();
  await hook.stop();
  removeFolder(obieg.dir);
});

/** Logs in with a browser and waits until the list of alerts shows a text. */
async function onThePage(text: string): Promise<void> {
  await onAlerts(obieg.httpUrl, "a long enough password", async (page) => {
    await page.getByText(text).first().waitFor();
    if (shots !== undefined) await page.screenshot({ path: `${shots}/real-alert.png` });
  });
}

const readings = async (query: string): Promise<Reading[]> =>
  ((await obieg.api(`/api/v1/readings?${query}`)).body as Items<Reading>).items;
const alerts = async (): Promise<AlertDocument[]> =>
  ((await obieg.api("/api/v1/alerts")).body as Items<AlertDocument>).items;

test("what mosquitto_pub publishes with a device's secret is in the history and in InfluxDB 1.6", async () => {
  const payload =
    '{"time": "2026-11-23T10:00:00Z", "fill_percent": 43.2, "battery_v": 3.61, "fraction": "bio"}';
  expect(await mosquittoPub(obieg.mqttPort, bin, "readings/bin-1", payload)).toMatchObject({ code: 0 });
  const found = await until(
    () => readings("device=bin-1&quantity=fill_percent"),
    (list) => list.length > 0,
  );
  expect(found).toMatchObject([
    {
      device: "bin-1",
      quantity: "fill_percent",
      unit: "%",
      value: 43.2,
      time: "2026-11-23T10:00:00.000Z",
      attributes: { fraction: "bio" },
    },
  ]);
  const asked = `${influx.url}/query?db=obieg&epoch=ms&q=${encodeURIComponent("select * from bin")}`;
  const rows = await until(
    async () => (await fetch(asked)).text(),
    (text) => text.includes("fill_percent"),
  );
  const [series] = (
    JSON.parse(rows) as { results: { series: { columns: string[]; values: unknown[][] }[] }[] }
  ).results[0]!.series;
  const row = Object.fromEntries(series!.columns.map((column, n) => [column, series!.values[0]![n]]));
  expect(row).toMatchObject({
    time: Date.parse("2026-11-23T10:00:00Z"),
    device: "bin-1",
    place: "krakow/podgorze",
    district: "krakow/podgorze",
    fraction: "bio",
    fill_percent: 43.2,
    battery_v: 3.61,
  });
});

test("nobody publishes as another, with a wrong secret, or without one", async () => {
  const payload = '{"energy_import_kwh": 1}';
  const asAnother = await mosquittoPub(obieg.mqttPort, bin, "readings/em-1", payload);
  expect(asAnother.code).not.toBe(0);
  const wrong = await mosquittoPub(obieg.mqttPort, { ...bin, secret: "not it" }, "readings/bin-1", payload);
  expect(wrong.code).not.toBe(0);
  expect((await mosquittoPub(obieg.mqttPort, undefined, "readings/bin-1", payload)).code).not.toBe(0);
  const gateway = { user: "gw-1", secret: secrets.GATEWAY_SECRET };
  expect((await mosquittoPub(obieg.mqttPort, gateway, "readings/em-1", payload)).code).toBe(0);
  await until(
    () => readings("device=em-1"),
    (list) => list.length === 1,
  );
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /obieg_messages_refused_total\{reason="[^"]+"\} [1-9]/.test(text),
  );
});

test("a broken limit raises after its duration and clears at its clear level: list, page, webhook, MQTT", async () => {
  const tools = { user: "tools", secret: secrets.TOOLS_SECRET };
  const heard = mosquittoSub(obieg.mqttPort, tools, "alerts/#");
  const publish = (fill: number): Promise<unknown> =>
    mosquittoPub(obieg.mqttPort, bin, "readings/bin-1", `{"fill_percent": ${fill}}`);
  await publish(95);
  const raised = await until(alerts, (list) => list.some(({ state }) => state === "raised"));
  expect(raised).toMatchObject([{ rule: "bin-full", device: "bin-1", value: 95, limit: 90 }]);
  await onThePage("Pełny");
  const retained = mosquittoSub(obieg.mqttPort, tools, "alerts/#");
  await until(
    async () => retained.lines,
    (lines) => lines.length > 0,
  );
  expect(retained.lines[0]).toMatch(/^alerts\/krakow\/podgorze\/bin-full\/bin-1 \{.*"state":"raised"/);
  await publish(70);
  await publish(50);
  await until(alerts, (list) => list.every(({ state }) => state === "resolved"));
  await until(
    async () => hook.calls.length,
    (count) => count >= 2,
  );
  const verifier = new Webhook(secrets.HOOK_SECRET);
  const told = hook.calls.map(
    ({ headers, body }) => verifier.verify(body, headers as Record<string, string>) as AlertDocument,
  );
  expect(told.map(({ state }) => state)).toEqual(["raised", "resolved"]);
  expect(told[0]).toMatchObject({ rule: "bin-full", device: "bin-1", value: 95, limit: 90 });
  // mosquitto_sub prints an empty retained message (the alert is over) as its topic alone.
  await until(
    async () => heard.lines,
    (lines) => lines.length >= 2,
  );
  heard.stop();
  retained.stop();
});

test("VictoriaMetrics takes the same lines at /api/v2/write", async () => {
  const victoria = await startVictoriaMetrics();
  const other = await startObieg({
    city: testCity(),
    config: `influx: { url: "${victoria.url}", token: unused }\n`,
    env: secrets,
  });
  try {
    await mosquittoPub(
      other.mqttPort,
      bin,
      "readings/bin-1",
      '{"time": "2026-11-23T10:00:00Z", "fill_percent": 12.5}',
    );
    const line = await until(
      async () =>
        (
          await fetch(`${victoria.url}/api/v1/export?match[]=${encodeURIComponent('{device="bin-1"}')}`)
        ).text(),
      (text) => text.includes("fill_percent"),
    );
    expect(JSON.parse(line)).toMatchObject({
      metric: { __name__: "bin_fill_percent", device: "bin-1" },
      values: [12.5],
      timestamps: [Date.parse("2026-11-23T10:00:00Z")],
    });
  } finally {
    await other.stop();
    await victoria.stop();
    removeFolder(other.dir);
  }
});
