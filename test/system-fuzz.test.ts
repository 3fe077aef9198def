import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { HostileClient } from "./support/hostile-client.js";
import { HostilePackets } from "./support/hostile-packets.js";
import { matches } from "./support/mqtt-fields.js";
import { type ModelBounds, type ModelUser } from "./support/mqtt-model.js";
import { makeFolder, removeFolder, startObieg, until } from "./support/obieg.js";
import { descriptors, metric, openProbe, probeCredential, refusals, residentMb } from "./support/probe.js";

/** 5,000 packets unless told: OBIEG_FUZZ_PACKETS=1000000 OBIEG_FUZZ_SEED=7 by hand. */
const packets = Number(process.env["OBIEG_FUZZ_PACKETS"] ?? 5_000);
const seed = Number(process.env["OBIEG_FUZZ_SEED"] ?? 20_261_123);
const workers = 16;
const payloadBytes = 4_096;
const topicBytes = 256;
const bounds: ModelBounds = {
  connectBytes: 8_192,
  packetBytes: payloadBytes + topicBytes + 1_024,
  payloadBytes,
  topicBytes,
  topicLevels: 16,
};
const secret = "the secret of the hostile";
const hostile: ModelUser = {
  user: "hostile",
  secret,
  mayPublish: (topic) => matches("fuzz/#", topic) || /^readings\/bin-[^/]*$/s.test(topic),
  maySubscribe: (filter) =>
    filter !== "#" && (/^fuzz(\/|$)/.test(filter) || /^rejections\/bin-[^/+#]*$/s.test(filter)),
  mayKeep: (clientId) => /^k([a-z])\1{7}$/.test(clientId),
};
const city = testCity({
  credentials: [
    `{ user: hostile, secret: "${secret}", publishesFor: ["bin-*"], publish: ["fuzz/#"], subscribe: ["fuzz/#"] }`,
    probeCredential,
  ],
});
const config = `limits: { messageBytes: ${payloadBytes} }`;

/** Reasons that the rooms' READMEs list. */
const known = new Set(
  ["broker", "ingest/journal"].flatMap((room) =>
    [
      ...readFileSync(join(import.meta.dirname, "..", room, "README.md"), "utf8").matchAll(/`([a-z0-9-]+)`/g),
    ].map(([, reason = ""]) => reason),
  ),
);

test(
  `acknowledges nothing that MQTT 3.1.1 forbids and serves its probe through ${packets} hostile packets (seed ${seed})`,
  async () => {
    const dir = makeFolder();
    const obieg = await startObieg({ dir, city, config, env: secrets, logLevel: "error" });
    const probe = await openProbe(obieg);
    const clients: HostileClient[] = [];
    let sent = 0;
    let connections = 0;
    let said = 0;
    const before = { mb: 0, descriptors: descriptors(obieg) };
    const work = async (worker: number): Promise<() => Promise<void>> => {
      const keptId = `k${String.fromCharCode(97 + worker).repeat(8)}`;
      const made = new HostilePackets(seed * 31 + worker, { user: "hostile", secret, keptId });
      const client = new HostileClient(obieg.mqttPort, hostile, bounds);
      clients.push(client);
      await client.play(made.first());
      return async () => {
        while (sent < packets) {
          const stream = made.next();
          sent += stream.packets;
          connections += 1;
          await client.play(stream).catch(async (error: Error) => {
            throw new Error(`${error.message}\nrefused by then: ${JSON.stringify(await refusals(obieg))}`);
          });
          if (before.mb === 0 && sent > packets / 5) before.mb = residentMb(obieg);
          if (sent - said >= 100_000) {
            said = sent;
            process.stderr.write(
              `${sent} packets, ${connections} connections, ${Math.round(residentMb(obieg))} MB\n`,
            );
          }
        }
      };
    };
    const ready = await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
    await Promise.all(ready.map((go) => go()));
    await until(
      async () => metric(obieg, "obieg_connections"),
      (count) => count === 3,
    );
    const { sent: probed, slowestMs } = await probe.stop();
    await until(
      async () => metric(obieg, "obieg_pipeline_lag_messages"),
      (lag) => lag === 0,
      120_000,
    );
    const refused = await refusals(obieg);
    expect(Object.keys(refused).filter((reason) => !known.has(reason))).toEqual([]);
    expect(Object.keys(refused).length).toBeGreaterThan(10);
    const may = clients.reduce((sum, { messages }) => sum + messages, 0) + 2 * probed;
    const kept = await metric(obieg, "obieg_messages_acknowledged_total");
    expect(kept).toBeLessThanOrEqual(may);
    expect(kept).toBeGreaterThanOrEqual(2 * probed);
    const stored = (await obieg.api("/api/v1/ledger?device=bin-1")).body as {
      items: { balanced: boolean; messages: { received: number } }[];
    };
    expect(stored.items.every(({ balanced }) => balanced)).toBe(true);
    const grownMb = residentMb(obieg) - before.mb;
    expect(grownMb).toBeLessThan(200);
    expect(descriptors(obieg)).toBeLessThan(before.descriptors + 20);
    const ends = clients.reduce<Record<string, number>>((sum, client) => {
      for (const [end, count] of Object.entries(client.ends)) sum[end] = (sum[end] ?? 0) + count;
      return sum;
    }, {});
    const figures = {
      packets: sent,
      seed,
      connections,
      ends,
      kept,
      may,
      probed,
      slowestMs,
      grownMb,
      refused,
    };
    process.stderr.write(`${JSON.stringify(figures)}\n`);
    expect(await obieg.stop()).toBe(0);
    removeFolder(dir);
  },
  Math.max(120_000, packets * 3),
);
