import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { generate } from "mqtt-packet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openJournal, openJournalReader } from "../ingest/journal/index.js";
import { accountsOf } from "./support/accounts.js";
import { secrets, testCity } from "./support/city.js";
import { type DiskEvent, readRecord, recordedCalls } from "./support/disk-record.js";
import { losses, LossyDisk } from "./support/lossy-disk.js";
import { openProgress } from "./support/progress.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { openTestPipeline } from "./support/pipeline.js";

/** 200 cuts unless told: `npm run rounds -- power --rounds 1000`. */
const cuts = Number(process.env["OBIEG_POWER_CUTS"] ?? 200);
const seed = Number(process.env["OBIEG_POWER_SEED"] ?? 1);
/** At each of so many cuts the whole service is started too. */
const serviceEvery = 25;
const bins = 4;
const messages = 1_600;
const window = 16;
const stepMs = 10 * 60_000;
const sinceMs = Date.now() - 6 * 86_400_000;
/** The day so many days from now, in UTC. */
const dayOf = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const city = testCity({
  devices: Array.from({ length: bins }, (_, n) => `{ id: bin-p${n}, class: bin, place: krakow, every: 15m }`),
  rules: [
    "{ id: full, kind: threshold, quantity: fill_percent, above: 80, clear: 40.5, severity: warning, title: { pl: Pełny, en: Full } }",
  ],
  hookUrl: "http://127.0.0.1:9/",
});
const config = "journal: { segmentBytes: 16384 }\nhistory: { hotDays: 1 }\n";

const reading = (n: number): { device: string; timeMs: number; fill: number } => ({
  device: `bin-p${n % bins}`,
  timeMs: sinceMs + Math.floor(n / bins) * stepMs,
  fill: (n * 37) % 101,
});

/** Publishes message after message, the number as packet id, at most `window` unacknowledged. */
async function publish(obieg: Obieg, from: number, to: number): Promise<void> {
  const socket = connect(obieg.mqttPort, "127.0.0.1");
  const login = { username: "gw-1", password: Buffer.from(secrets.GATEWAY_SECRET) };
  socket.write(generate({ cmd: "connect", clientId: `power-${from}`, clean: true, keepalive: 0, ...login }));
  await once(socket, "data");
  await new Promise<void>((resolve, reject) => {
    let sent = from;
    let acknowledged = from;
    const push = (): void => {
      for (; sent < to && sent < acknowledged + window; sent += 1) {
        const { device, timeMs, fill } = reading(sent);
        const payload = JSON.stringify({ time: timeMs, fill_percent: fill });
        const head = { qos: 1, dup: false, retain: false, messageId: sent + 1 } as const;
        socket.write(generate({ cmd: "publish", topic: `readings/${device}`, payload, ...head }));
      }
    };
    socket.on("data", (bytes) => {
      acknowledged += bytes.length / 4;
      push();
      if (acknowledged === to) resolve();
    });
    socket.on("error", reject);
    push();
  });
  socket.destroy();
}

/** Numbers of the messages whose PUBACKs are in what was sent. */
function acknowledgedIn(bytes: Buffer): number[] {
  const found: number[] = [];
  if (bytes[0] !== 0x40) return found;
  for (let at = 0; at + 4 <= bytes.length && bytes[at] === 0x40; at += 4)
    found.push(bytes.readUInt16BE(at + 2) - 1);
  return found;
}

const dir = makeFolder();
let record: DiskEvent[] = [];
let loadedFrom = 0;

beforeAll(async () => {
  const file = join(dir, "record");
  const under = ["/usr/bin/strace", "-f", "-y", "-xx", "-s", "4194304", "--seccomp-bpf"];
  under.push("-e", `trace=${recordedCalls}`, "-o", file);
  const obieg = await startObieg({ dir, city, config, env: secrets, under });
  await publish(obieg, 0, 1_000);
  await until(
    async () => readdirSync(join(obieg.data, "history"), { recursive: true, encoding: "utf8" }),
    (names) => names.some((name) => name.endsWith(".parquet")),
    60_000,
  );
  await publish(obieg, 1_000, messages);
  // strace ends with the process that it watches.
  const { pid } = JSON.parse(readFileSync(join(obieg.data, "run.json"), "utf8")) as { pid: number };
  process.kill(pid, "SIGTERM");
  await once(obieg.process, "exit");
  record = readRecord(file, obieg.data);
  loadedFrom = record.findIndex((event) => event.do === "sent" && acknowledgedIn(event.bytes).length > 0);
}, 120_000);
afterAll(() => removeFolder(dir));

/** A generator of numbers in [0, 1), the same for the same seed. Source: Tommy Ettinger's Mulberry32. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Alerts as the first `count` messages demand them, oldest first. */
function demanded(count: number): { device: string; raised: number; resolved: number | undefined }[] {
  const list: { device: string; raised: number; resolved: number | undefined }[] = [];
  const open = new Map<string, (typeof list)[number]>();
  for (let n = 0; n < count; n += 1) {
    const { device, timeMs, fill } = reading(n);
    const alert = open.get(device);
    if (!alert && fill > 80) {
      const raised = { device, raised: timeMs, resolved: undefined };
      open.set(device, raised);
      list.push(raised);
    } else if (alert && fill < 40.5) {
      alert.resolved = timeMs;
      open.delete(device);
    }
  }
  return list;
}

/** Starts on a rebuilt disk, processes what the journal holds, and compares it with what was acknowledged. */
async function check(data: string, acknowledged: number): Promise<void> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const journal = await openJournal({
    dir: join(data, "journal"),
    archiveDir: join(data, "archive"),
    segmentBytes: 16_384,
    maxBytes: 2 ** 30,
    archive: { maxDays: 30, maxBytes: 2 ** 30 },
    clock: Date.now,
    log,
  });
  const works = await openTestPipeline(city, Date.now(), data);
  try {
    const { pipeline, history, alerts } = works;
    await pipeline.catchUp();
    await journal.skipTo(history.position);
    const reader = openJournalReader({ dir: join(data, "journal"), after: history.position });
    for (;;) {
      const batch = await reader.read(journal.durableSequence, 1_000, 2 ** 20);
      if (batch.length === 0) break;
      await pipeline.take(pipeline.understand(batch));
    }
    await reader.close();
    const held = history.position;
    expect(held).toBeGreaterThanOrEqual(acknowledged);
    const found = await history.readings({ limit: 10_000 });
    const wanted = Array.from({ length: held }, (_, n) => reading(n));
    const plain = found.items.map(({ device, timeMs, value }) => ({ device, timeMs, fill: value }));
    const order = (a: { device: string; timeMs: number }, b: typeof a): number =>
      a.timeMs - b.timeMs || (a.device < b.device ? -1 : 1);
    expect(plain.sort(order)).toEqual(wanted.sort(order));
    const accounts = await accountsOf(history, { fromDay: dayOf(-8), toDay: dayOf(1) });
    expect(accounts.reduce((sum, account) => sum + account.messages.received, 0)).toBe(held);
    expect(accounts.reduce((sum, account) => sum + account.values.stored, 0)).toBe(held);
    const listed = alerts.list({ limit: 10_000 }).items.map((alert) => ({
      device: alert.device,
      raised: alert.sinceMs,
      isOpen: alert.state === "raised",
      owed: alert.deliveries.map(({ channel, state }) => `${channel} ${state}`).sort(),
    }));
    const wantedAlerts = demanded(held).map(({ device, raised, resolved }) => ({
      device,
      raised,
      isOpen: resolved === undefined,
      owed: [
        "crews raised",
        "mqtt raised",
        ...(resolved === undefined ? [] : ["crews resolved", "mqtt resolved"]),
      ].sort(),
    }));
    const byDevice = (a: { device: string; raised: number }, b: typeof a): number =>
      a.raised - b.raised || (a.device < b.device ? -1 : 1);
    expect(listed.sort(byDevice)).toEqual(wantedAlerts.sort(byDevice));
  } finally {
    await works.close();
    await journal.close();
  }
}

test("the record holds every acknowledgement, rotation, archive and sealed day that a cut can hit", () => {
  const acknowledged = record.flatMap((event) => (event.do === "sent" ? acknowledgedIn(event.bytes) : []));
  expect(acknowledged).toEqual(Array.from({ length: messages }, (_, n) => n));
  const named = record.flatMap((event) =>
    event.do === "rename" ? [event.to] : "path" in event ? [event.path] : [],
  );
  for (const kind of [/\/journal\/\d+\.journal$/, /\.journal\.gz$/, /\.parquet$/, /\.mdb$/, /\.duckdb/])
    expect(new Set(named.filter((name) => kind.test(name))).size, String(kind)).toBeGreaterThan(0);
});

test(
  `every acknowledged message is there once after a power cut, ${cuts} of them`,
  async () => {
    const random = mulberry32(seed);
    const points = Array.from(
      { length: cuts },
      () => loadedFrom + Math.floor(random() * (record.length - loadedFrom)),
    ).sort((a, b) => a - b);
    const disk = new LossyDisk(join(dir, "data"));
    const target = join(dir, "cut", "data");
    let applied = 0;
    let acknowledged = 0;
    let started = 0;
    const progress = openProgress("power cuts", cuts);
    for (const [index, point] of points.entries()) {
      for (; applied < point; applied += 1) {
        const event = record[applied];
        if (!event) break;
        disk.apply(event);
        if (event.do === "sent")
          acknowledged = Math.max(acknowledged, ...acknowledgedIn(event.bytes).map((n) => n + 1));
      }
      const loss = losses[index % losses.length] ?? "all";
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target, { recursive: true });
      disk.rebuild(target, loss, random);
      try {
        if (index % serviceEvery === 0) {
          const obieg = await startObieg({ dir: join(dir, "cut"), config, env: secrets });
          expect(await obieg.stop()).toBe(0);
          started += 1;
        }
        await check(target, acknowledged);
      } catch (error) {
        throw new Error(`cut ${index} at event ${point}, losing ${loss}, ${acknowledged} acknowledged`, {
          cause: error,
        });
      }
      progress.at(index + 1, `${acknowledged} acknowledged at the last`);
    }
    progress.end(`none of at most ${acknowledged} acknowledged missing or twice; ${started} whole starts`);
  },
  60_000 + cuts * 3_000,
);
