import { connect } from "mqtt";
import { expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { openProgress } from "./support/progress.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

/** 20 rounds unless told: `npm run rounds -- kill --rounds 1000`. */
const rounds = Number(process.env["OBIEG_KILL_ROUNDS"] ?? 20);
const publishers = 4;
const inFlight = 50;
/** After so many in a round a publisher slows down: the load lasts until the kill, and a thousand rounds stay countable. */
const burst = 100;
const pauseMs = 50;
const rule =
  "{ id: full, kind: threshold, quantity: fill_percent, above: 90, clear: 60, severity: warning, title: { pl: Pełny, en: Full } }";
const devices = Array.from(
  { length: publishers },
  (_, n) => `{ id: bin-k${n}, class: bin, place: krakow, every: 15m }`,
);

interface Ledger {
  device: string;
  balanced: boolean;
  messages: { received: number; decoded: number };
  values: { stored: number; duplicate: number; conflict: number };
}

/** Publishes as fast as is acknowledged until the connection breaks; notes what was acknowledged. */
function publishUntilCut(
  port: number,
  device: number,
  next: () => number,
  acknowledged: Map<number, number>,
): Promise<void> {
  const client = connect(`mqtt://127.0.0.1:${port}`, {
    username: "gw-1",
    password: secrets.GATEWAY_SECRET,
    reconnectPeriod: 0,
    clean: true,
  });
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve(void client.end(true))));
  client.on("error", () => undefined);
  let taken = 0;
  const publish = (): void => {
    const timeMs = next();
    const fill = timeMs % 101;
    client.publish(
      `readings/bin-k${device}`,
      JSON.stringify({ time: timeMs, fill_percent: fill }),
      { qos: 1 },
      (error) => {
        if (error) return;
        acknowledged.set(timeMs, fill);
        taken += 1;
        if (taken < burst) publish();
        else setTimeout(() => client.connected && publish(), pauseMs);
      },
    );
  };
  client.once("connect", () => {
    for (let n = 0; n < inFlight; n += 1) publish();
  });
  return closed;
}

async function drained(obieg: Obieg): Promise<void> {
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
    60_000,
  );
}

/** Times and values of everything stored of a device, in the order of the export. */
async function storedOf(obieg: Obieg, device: string): Promise<[number, number][]> {
  const { text } = await obieg.api(`/api/v1/readings?device=${device}`, {
    headers: { accept: "application/x-ndjson" },
  });
  return text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { time: string; value: number })
    .map(({ time, value }) => [Date.parse(time), value]);
}

test(
  `keeps every acknowledged reading, once, through ${rounds} rounds of kill -9 under load`,
  async () => {
    const dir = makeFolder();
    const acknowledged = Array.from({ length: publishers }, () => new Map<number, number>());
    const clocks = Array.from({ length: publishers }, () => Date.parse("2026-11-01T00:00:00Z"));
    const city = testCity({ devices, rules: [rule] });
    let started = 0;
    const progress = openProgress("kill -9", rounds);
    const kept = (): number => acknowledged.reduce((sum, { size }) => sum + size, 0);
    for (let round = 0; round < rounds; round += 1) {
      const obieg = await startObieg({ dir, city, env: secrets });
      started += 1;
      const publishing = clocks.map((_, device) =>
        publishUntilCut(
          obieg.mqttPort,
          device,
          () => (clocks[device] = (clocks[device] ?? 0) + 1),
          acknowledged[device] ?? new Map(),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 50 + ((round * 337) % 500)));
      await obieg.kill();
      await Promise.all(publishing);
      progress.at(started, `${kept()} acknowledged`);
    }
    expect(started).toBe(rounds);
    const obieg = await startObieg({ dir, city, env: secrets });
    await drained(obieg);
    let total = 0;
    for (let device = 0; device < publishers; device += 1) {
      const stored = await storedOf(obieg, `bin-k${device}`);
      const found = new Map(stored);
      expect(found.size).toBe(stored.length);
      const missing = [...(acknowledged[device] ?? [])].filter(
        ([timeMs, fill]) => found.get(timeMs) !== fill,
      );
      expect(missing).toEqual([]);
      total += stored.length;
    }
    expect(total).toBeGreaterThan(rounds * 10);
    const accounts = ((await obieg.api("/api/v1/ledger")).body as { items: Ledger[] }).items;
    const mine = accounts.filter(({ device }) => device.startsWith("bin-k"));
    expect(mine.every(({ balanced }) => balanced)).toBe(true);
    expect(mine.reduce((sum, { values }) => sum + values.stored, 0)).toBe(total);
    expect(mine.reduce((sum, { values }) => sum + values.duplicate + values.conflict, 0)).toBe(0);
    const last = await Promise.all(devices.map((_, device) => storedOf(obieg, `bin-k${device}`)));
    const open = ((await obieg.api("/api/v1/alerts?state=raised")).body as { items: { device: string }[] })
      .items;
    const wanted = last.flatMap((list, device) => {
      const deciding = list.findLast(([, fill]) => fill > 90 || fill < 60);
      return deciding && deciding[1] > 90 ? [`bin-k${device}`] : [];
    });
    expect(open.map(({ device }) => device).sort()).toEqual(wanted);
    progress.end(`${kept()} acknowledged, ${total} stored, none missing, none twice`);
    await obieg.stop();
    removeFolder(dir);
  },
  Math.max(480_000, rounds * 12_000),
);
