import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import mqtt from "mqtt";
import { alarms } from "./city.js";
import { login } from "./generator.js";
import type { Target } from "./target.js";

/** What goes on beside the load. */
export interface Disturbance {
  /** Messages that were acknowledged, and messages that may have been taken before their connection was cut. */
  readonly counts: { acknowledged: number; unsure: number; calls: number; feeds: number; refused: number };
  /** Answers that no well-behaved caller should get. */
  readonly faults: string[];
  /** Ends everything and waits for it. */
  stop(): Promise<void>;
}

/** A query over the load's 500 devices and their last day. */
function placeSeries(): string {
  const [from, to] = [Date.now() - 86_400_000, Date.now()].map((ms) => new Date(ms).toISOString());
  return `/api/v1/series?place=krakow/load&quantity=fill_percent&step=1h&from=${from}&to=${to}`;
}

/** What is asked, one after another. */
export const queries: readonly (() => string)[] = [
  () => "/api/v1/overview",
  () => "/api/v1/alerts?limit=100",
  () => "/api/v1/ledger",
  () => "/api/v1/quarantine?limit=50",
  () => "/api/v1/devices?limit=50",
  () => "/api/v1/readings?device=bin-1&limit=500",
  placeSeries,
  () => "/metrics",
];
const garbage = [
  "",
  "{",
  "\0\u0001\u0002",
  '{"fill_percent": NaN}',
  `{"a":${"[".repeat(500)}`,
  '{"nothing_known": 1}',
];

/** Keeps calling, one after another, with a pause between; a fault is noted and doesn't end it. */
function repeat(everyMs: number, faults: string[], act: (n: number) => Promise<void>): () => Promise<void> {
  const stopping = new AbortController();
  const done = (async () => {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      await act(n).catch((error: unknown) => void (faults.length < 20 && faults.push(String(error))));
      await setTimeout(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return async () => {
    stopping.abort();
    await done;
  };
}

/**
 * Disturbs a service until stopped: queries, feeds that come and go, alerts raised and resolved, devices that reconnect and
 * are cut off, unknown devices and users, garbage in payloads and on both ports.
 */
export async function startDisturbance(target: Target, token: string): Promise<Disturbance> {
  const counts = { acknowledged: 0, unsure: 0, calls: 0, feeds: 0, refused: 0 };
  const faults: string[] = [];
  const headers = { authorization: `Bearer ${token}` };
  const options = { port: target.port, host: "127.0.0.1", username: login.user, password: login.password };
  const steady = await mqtt.connectAsync({ ...options, clientId: "steady" });
  const publish = async (client: mqtt.MqttClient, device: string, payload: string): Promise<void> => {
    await client.publishAsync(`readings/${device}`, payload, { qos: 1 });
    counts.acknowledged += 1;
  };

  const alerting = repeat(200, faults, async (n) => {
    const isHeavy = Math.floor(n / alarms) % 2 === 0;
    await publish(steady, `alarm-${n % alarms}`, `{"weight_kg":${isHeavy ? 600 : 100}}`);
  });
  const misleading = repeat(500, faults, async (n) => {
    await publish(steady, `bin-unknown-${n % 20}`, '{"fill_percent": 1}');
    await publish(steady, `bin-${n % 100}`, garbage[n % garbage.length] ?? "");
  });
  const reconnecting = repeat(500, faults, async (n) => {
    const client = await mqtt.connectAsync({
      ...options,
      clientId: `device-${n % 15}`,
      clean: n % 3 === 0,
      reconnectPeriod: 0,
    });
    client.on("error", () => undefined);
    await client.subscribeAsync(`rejections/bin-${n % 100}`, { qos: 1 });
    await publish(client, `bin-unknown-${n % 20}`, '{"battery_v": 3.6}');
    if (n % 2 === 0) await client.endAsync();
    else {
      client.publish(`readings/bin-unknown-${n % 20}`, '{"battery_v": 3.7}', { qos: 1 }, () => undefined);
      counts.unsure += 1;
      client.stream.destroy();
      await client.endAsync(true);
    }
  });
  const intruding = repeat(1_000, faults, async (n) => {
    const port = n % 2 === 0 ? target.port : Number(new URL(target.http).port);
    await new Promise<void>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.setTimeout(5_000, () => socket.destroy());
      socket.resume();
      socket.end(Buffer.from(Array.from({ length: 64 }, (_, i) => (n * 31 + i * 17) % 256)));
    });
    const stranger = mqtt.connect({ ...options, username: `stranger-${n % 10}`, reconnectPeriod: 0 });
    await new Promise<void>((resolve) => {
      stranger.on("error", () => undefined);
      stranger.on("close", () => resolve());
    });
    stranger.end(true);
    counts.refused += 1;
  });
  const asking = repeat(250, faults, async (n) => {
    const path = queries[n % queries.length]?.() ?? "";
    const accept = n % 40 === 3 ? "text/csv" : "application/json, text/plain";
    const answer = await fetch(`${target.http}${path}`, { headers: { ...headers, accept } });
    await answer.text();
    if (!answer.ok && answer.status !== 406) throw new Error(`${path}: ${answer.status}`);
    counts.calls += 1;
  });
  const following = repeat(1_000, faults, async (n) => {
    const leave = AbortSignal.timeout(1_500 + (n % 5) * 2_000);
    const answer = await fetch(`${target.http}/api/v1/events`, { headers, signal: leave });
    counts.feeds += 1;
    if (answer.status !== 200) throw new Error(`/events: ${answer.status}`);
    const drain = async (): Promise<void> => {
      for await (const part of answer.body ?? []) void part;
    };
    drain().catch(() => undefined);
  });
  return {
    counts,
    faults,
    async stop() {
      await Promise.all([alerting(), misleading(), reconnecting(), intruding(), asking(), following()]);
      await steady.endAsync();
    },
  };
}
