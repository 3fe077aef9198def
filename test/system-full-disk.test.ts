import { join } from "node:path";
import { type MqttClient, connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { mountSmallDisk, noSmallDisk, type SmallDisk } from "./support/small-disk.js";

const config = "journal: { segmentBytes: 1048576 }\nhistory: { hotDays: 1 }\n";
const city = testCity({
  devices: ["{ id: bin-f0, class: bin, place: krakow, every: 15m }"],
  rules: [
    "{ id: full, kind: threshold, quantity: fill_percent, above: 90, clear: 60, severity: warning, title: { pl: Pełny, en: Full } }",
  ],
});
const sinceMs = Date.now() - 2 * 86_400_000;
const dir = makeFolder();
let disk: SmallDisk;
let obieg: Obieg;
let next = 0;
const acknowledged = new Map<number, number>();

beforeAll(async () => {
  if (noSmallDisk !== undefined) return;
  disk = mountSmallDisk(join(dir, "data"), 40);
  obieg = await startObieg({ dir, city, config, env: secrets });
});
afterAll(async () => {
  if (noSmallDisk !== undefined) return;
  await obieg.kill();
  disk.remove();
  removeFolder(dir);
});

/** Publishes with 50 in flight until `until` are acknowledged or the connection is closed; gives how many were. */
async function publish(count: number): Promise<{ taken: number; closed: boolean }> {
  const client: MqttClient = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "gw-1",
    password: secrets.GATEWAY_SECRET,
    reconnectPeriod: 0,
  });
  let taken = 0;
  let sent = 0;
  return new Promise((resolve) => {
    client.on("error", () => undefined);
    client.once("close", () => {
      client.end(true);
      resolve({ taken, closed: taken < count });
    });
    const one = (): void => {
      if (sent === count) return;
      sent += 1;
      next += 1;
      const timeMs = sinceMs + next;
      const fill = next % 101;
      const payload = JSON.stringify({ time: timeMs, fill_percent: fill });
      client.publish("readings/bin-f0", payload, { qos: 1 }, (error) => {
        if (error) return;
        acknowledged.set(timeMs, fill);
        taken += 1;
        if (taken === count) client.end();
        else one();
      });
    };
    for (let n = 0; n < 50; n += 1) one();
  });
}

const refusals = async (): Promise<number> => {
  const { text } = await obieg.api("/metrics");
  return Number(/obieg_messages_refused_total\{reason="journal-poisoned"\} (\d+)/.exec(text)?.[1] ?? 0);
};
const ready = async (): Promise<{ status: number; text: string }> => obieg.api("/readyz");
const drained = (): Promise<string> =>
  until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
    60_000,
  );

/** Everything acknowledged is there once with its value, and the account and the alerts agree with it. */
async function agrees(): Promise<void> {
  await drained();
  const { text } = await obieg.api("/api/v1/readings?device=bin-f0", {
    headers: { accept: "application/x-ndjson" },
  });
  const rows = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { time: string; value: number })
    .map(({ time, value }): [number, number] => [Date.parse(time), value]);
  const found = new Map(rows);
  expect(found.size).toBe(rows.length);
  expect([...acknowledged].filter(([timeMs, fill]) => found.get(timeMs) !== fill)).toEqual([]);
  const { items } = (await obieg.api("/api/v1/ledger?device=bin-f0")).body as {
    items: { balanced: boolean; messages: { received: number }; values: { stored: number } }[];
  };
  expect(items.every(({ balanced }) => balanced)).toBe(true);
  expect(items.reduce((sum, { messages }) => sum + messages.received, 0)).toBe(rows.length);
  expect(items.reduce((sum, { values }) => sum + values.stored, 0)).toBe(rows.length);
  let raised = 0;
  let open = false;
  for (const [, fill] of rows) {
    if (!open && fill > 90) raised += 1;
    open = open ? fill >= 60 : fill > 90;
  }
  const alerts = (await obieg.api("/api/v1/alerts?limit=10000")).body as { items: unknown[] };
  expect(alerts.items.length).toBe(raised);
}

test.skipIf(noSmallDisk !== undefined)(
  "a full disk stops acknowledgements with a counted reason, is told by /readyz, and goes by itself; nothing acknowledged is lost",
  async () => {
    expect(await publish(2_000)).toEqual({ taken: 2_000, closed: false });
    for (const leave of [0, 300_000, 1_500_000]) {
      disk.fill(leave);
      const before = await refusals();
      let refused = false;
      for (let round = 0; round < 200 && !refused; round += 1) refused = (await publish(5_000)).closed;
      expect(refused).toBe(true);
      await until(refusals, (count) => count > before);
      const told = await until(ready, ({ status }) => status === 503);
      expect(told.text).toMatch(/no room|no space|No space/);
      expect((await publish(1)).closed).toBe(true);
      expect((await obieg.api("/healthz")).status).toBe(200);
      disk.empty();
      await until(ready, ({ status }) => status === 200, 60_000);
      expect(await publish(1_000)).toEqual({ taken: 1_000, closed: false });
      await agrees();
    }
  },
  240_000,
);

test.skipIf(noSmallDisk !== undefined)(
  "killed on a full disk, it starts again when there is room, with everything that it acknowledged",
  async () => {
    disk.fill(100_000);
    while (!(await publish(5_000)).closed);
    await obieg.kill();
    disk.empty();
    obieg = await startObieg({ dir, config, env: secrets });
    await agrees();
    expect(await obieg.stop()).toBe(0);
  },
  120_000,
);

test.skipIf(noSmallDisk !== undefined)("a start without room says what it needs", async () => {
  disk.fill();
  const folder = join(disk.dir, "another");
  await expect(startObieg({ dir: folder })).rejects.toThrow(/disk-full: there is no room in .*another/);
});
