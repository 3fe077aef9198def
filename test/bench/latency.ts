import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { generate } from "mqtt-packet";
import { alarms } from "./city.js";
import { login, runLoad } from "./generator.js";
import { connectPacket } from "./packets.js";
import { digits, figure, type Figure, percentile } from "./report.js";
import type { Size } from "./size.js";
import { makeFolder, startService, type Target } from "./target.js";
import { Workloads } from "./workload.js";

const loadPerSecond = 2_000;
const pollMs = 5;

/** A connection that publishes one message at a time. */
interface Probe {
  publish(device: string, payload: string): void;
  close(): void;
}

async function openProbe(port: number): Promise<Probe> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(connectPacket("probe", login.user, login.password));
  await once(socket, "data");
  socket.resume();
  let messageId = 0;
  return {
    publish(device, payload) {
      messageId += 1;
      const topic = `readings/${device}`;
      socket.write(
        generate({ cmd: "publish", topic, payload, qos: 1, messageId, retain: false, dup: false }),
      );
    },
    close: () => socket.destroy(),
  };
}

/** Arrivals at a receiver of webhooks, by device. */
async function startHook(): Promise<{ url: string; atMs: Map<string, number>; stop(): void }> {
  const atMs = new Map<string, number>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const alert = JSON.parse(Buffer.concat(parts).toString()) as { device: string; state: string };
      if (alert.state === "raised") atMs.set(alert.device, performance.now());
      response.writeHead(204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    atMs,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Publishes one reading after another and polls the API until it shows it; milliseconds each. */
async function timeReadings(target: Target, probe: Probe, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    await pause(20 + ((n * 37) % 60));
    const device = `alarm-${alarms - 1}`;
    const time = new Date(Date.now()).toISOString();
    const begun = performance.now();
    probe.publish(device, `{"time":"${time}","fill_percent":${n % 90}}`);
    const path = `/api/v1/readings?device=${device}&quantity=fill_percent&from=${time}&limit=1`;
    for (;;) {
      const { items } = JSON.parse(await target.get(path)) as { items: unknown[] };
      if (items.length > 0) break;
      if (performance.now() - begun > 30_000) throw new Error("a reading isn't shown within 30 s");
      await pause(pollMs);
    }
    times.push(performance.now() - begun);
  }
  return times;
}

/** Publishes one alarming reading after another and waits for each webhook; milliseconds each. */
async function timeAlerts(probe: Probe, atMs: Map<string, number>, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < Math.min(count, alarms - 1); n += 1) {
    await pause(20 + ((n * 37) % 60));
    const device = `alarm-${n}`;
    const begun = performance.now();
    probe.publish(device, `{"time":"${new Date().toISOString()}","weight_kg":900}`);
    while (!atMs.has(device)) {
      if (performance.now() - begun > 30_000) throw new Error("an alert isn't told within 30 s");
      await pause(1);
    }
    times.push((atMs.get(device) ?? Number.NaN) - begun);
  }
  return times;
}

/** From publishing to the API's showing it, and to the webhook, while a load of 2,000 messages a second goes on. */
export async function measureLatency(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const folder = makeFolder();
  const hook = await startHook();
  const target = await startService(folder, { hook: hook.url });
  const probe = await openProbe(target.port);
  let isOver = false;
  const loads = new Workloads();
  const load = (async () => {
    while (!isOver) await runLoad(target.port, loads.take(loadPerSecond * 5, 5), loadPerSecond);
  })();
  await pause(2_000);
  const readings = await timeReadings(target, probe, size.probes);
  const alerts = await timeAlerts(probe, hook.atMs, size.probes);
  isOver = true;
  await load;
  probe.close();
  await target.stop();
  hook.stop();
  folder.remove();
  const at = (list: readonly number[]): string =>
    [0.5, 0.95, 0.99].map((share) => `${digits(percentile(list, share))} ms`).join(", ");
  say(`publish to queryable: ${at(readings)}; to webhook: ${at(alerts)}`);
  return [
    figure(
      `publish to queryable (polled every ${pollMs} ms) at 2,000 messages of 5 values a second: p50, p95, p99`,
      percentile(readings, 0.95),
      { most: 200, unit: "ms" },
      at(readings),
    ),
    figure(
      `publish to webhook, the same load, ${alerts.length} alerts: p50, p95, p99`,
      percentile(alerts, 0.99),
      { most: 300, unit: "ms" },
      at(alerts),
    ),
  ];
}
