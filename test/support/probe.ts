import { readFileSync, readdirSync } from "node:fs";
import { connectAsync, type MqttClient } from "mqtt";
import { expect } from "vitest";
import { secrets } from "./city.js";
import { type Obieg, until } from "./obieg.js";

const secret = "the secret of the probe";
const login = (obieg: Obieg, username: string, password: string): Promise<MqttClient> =>
  connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, { username, password, reconnectPeriod: 0 });

/** Credential of the probe that speaks and listens, a line of the city's `credentials:`. */
export const probeCredential = `{ user: probe, secret: "${secret}", publish: ["probe/#"], subscribe: ["probe/#"] }`;

/** A well-behaved client at work. */
export interface Probe {
  /** How far it has come. */
  sent(): number;
  /** Stops it; throws when anything wasn't acknowledged or heard in its order within 15 s. */
  stop(): Promise<{ sent: number; slowestMs: number }>;
}

/** A client that does all as it should, for as long as it isn't stopped. */
export async function openProbe(obieg: Obieg): Promise<Probe> {
  const device = await login(obieg, "bin-1", secrets.BIN_SECRET);
  const speaker = await login(obieg, "probe", secret);
  const listener = await login(obieg, "probe", secret);
  const heard: number[] = [];
  const acknowledged: number[] = [];
  listener.on("message", (_topic, payload) => heard.push(Number(payload.toString())));
  await listener.subscribeAsync("probe/#", { qos: 1 });
  let isStopped = false;
  let slowestMs = 0;
  let sent = 0;
  const running = (async () => {
    for (; !isStopped; sent += 4) {
      const from = performance.now();
      const batch = [0, 1, 2, 3].map((n) => sent + n);
      await Promise.all(
        batch.map(async (n) => {
          await device.publishAsync("readings/bin-1", `{"fill_percent": ${n % 100}}`, { qos: 1 });
          acknowledged.push(n);
        }),
      );
      await Promise.all(batch.map((n) => speaker.publishAsync("probe/n", `${n}`, { qos: 1 })));
      await until(
        async () => heard.length,
        (length) => length >= sent + 4,
      );
      slowestMs = Math.max(slowestMs, performance.now() - from);
    }
  })();
  running.catch(() => undefined);
  return {
    sent: () => sent,
    async stop() {
      isStopped = true;
      await running;
      const inOrder = Array.from({ length: sent }, (_, n) => n);
      expect(acknowledged).toEqual(inOrder);
      expect(heard).toEqual(inOrder);
      await Promise.all([device.endAsync(), speaker.endAsync(), listener.endAsync()]);
      return { sent, slowestMs };
    },
  };
}

/** Resident memory of the process, MB. */
export const residentMb = (obieg: Obieg): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${obieg.process.pid}/status`, "utf8"))?.[1]) / 1_024;
/** Open file descriptors of the process. */
export const descriptors = (obieg: Obieg): number => readdirSync(`/proc/${obieg.process.pid}/fd`).length;
/** A figure of `/metrics`. */
export const metric = async (obieg: Obieg, name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\d+)$`, "m").exec((await obieg.api("/metrics")).text)?.[1] ?? Number.NaN);

/** What was refused, by reason. */
export async function refusals(obieg: Obieg): Promise<Record<string, number>> {
  const { text } = await obieg.api("/metrics");
  return Object.fromEntries(
    [...text.matchAll(/^obieg_messages_refused_total\{reason="([^"]+)"\} (\d+)$/gm)].map(
      ([, reason = "", count]) => [reason, Number(count)],
    ),
  );
}
