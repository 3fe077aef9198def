import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Overview } from "../dashboards/api.js";
import { runObieg } from "./support/command-line.js";
import { secrets, testCity } from "./support/city.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const config = "journal: { segmentBytes: 8192 }\nhistory: { hotDays: 1 }\n";
const city = testCity({
  rules: [
    "{ id: full, kind: threshold, quantity: fill_percent, above: 90, clear: 60, severity: warning, title: { pl: Pełny, en: Full } }",
  ],
});
const dayMs = 86_400_000;
const sinceMs = Math.floor(Date.now() / dayMs) * dayMs - 6 * dayMs;
const stepMs = 30 * 60_000;
const root = makeFolder();
const base = join(root, "base");
const backup = join(root, "backup");
let sealed: string[] = [];
let before: Awaited<ReturnType<typeof everything>>;

async function publish(obieg: Obieg, payloads: readonly (string | object)[]): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "gw-1",
    password: secrets.GATEWAY_SECRET,
  });
  for (const payload of payloads)
    await client.publishAsync(
      "readings/bin-1",
      typeof payload === "string" ? payload : JSON.stringify(payload),
      { qos: 1 },
    );
  await client.endAsync();
}
/** Waits until every message is processed and every alert delivered. */
const drained = (obieg: Obieg): Promise<string> =>
  until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text) && /^obieg_outbox_entries 0$/m.test(text),
    30_000,
  );

/** Everything that is to be the same after a recovery. */
async function everything(obieg: Obieg): Promise<{
  readings: unknown[];
  ledger: unknown[];
  alerts: unknown[];
  quarantine: unknown[];
  series: unknown;
}> {
  await drained(obieg);
  const list = async (path: string): Promise<Record<string, unknown>[]> =>
    ((await obieg.api(`/api/v1/${path}`)).body as { items: Record<string, unknown>[] }).items;
  const from = new Date(sinceMs).toISOString();
  const to = new Date(sinceMs + 6 * dayMs).toISOString();
  return {
    readings: (await list("readings?device=bin-1&limit=10000")).map(({ time, value, receivedAt }) => [
      time,
      value,
      receivedAt,
    ]),
    ledger: (await list("ledger?device=bin-1")).map(({ slots: _slots, ...account }) => account),
    alerts: (await list("alerts?limit=10000")).map(({ id, state }) => [id, state]),
    quarantine: (await list("quarantine")).map(({ id, reason, status }) => [id, reason, status]),
    series: (
      await obieg.api(`/api/v1/series?device=bin-1&quantity=fill_percent&step=day&from=${from}&to=${to}`)
    ).body,
  };
}

/** A copy of the data folder of a service that was stopped. */
function copyOf(name: string): string {
  const dir = join(root, name);
  mkdirSync(dir);
  cpSync(join(base, "data"), join(dir, "data"), { recursive: true });
  return dir;
}
function flip(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  for (let n = 0; n < 64 && at + n < bytes.length; n += 1) bytes[at + n] = (bytes[at + n] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}
const start = (dir: string, withCity = false): Promise<Obieg> =>
  startObieg({ dir, config, env: secrets, ...(withCity ? { city } : {}) });
/** What a start says that is refused. */
async function refusal(dir: string): Promise<string> {
  const error = await start(dir).then(
    async (obieg) => {
      await obieg.stop();
      return new Error("it started");
    },
    (reason: unknown) => reason as Error,
  );
  return error.message;
}

beforeAll(async () => {
  mkdirSync(base);
  const obieg = await startObieg({ dir: base, city, config, env: secrets });
  const old = Array.from({ length: 5 * 48 }, (_, n) => ({
    time: sinceMs + n * stepMs,
    fill_percent: (n * 37) % 101,
  }));
  await publish(obieg, old);
  await publish(obieg, old.slice(40, 60));
  await publish(obieg, [
    "not json",
    { time: sinceMs, fill_percent: 55 },
    { time: sinceMs + 1, fill_percent: 400 },
  ]);
  await until(
    async () => readdirSync(join(obieg.data, "history"), { recursive: true, encoding: "utf8" }),
    (names) => names.filter((name) => name.endsWith(".parquet")).length >= 4,
    40_000,
  );
  await publish(
    obieg,
    Array.from({ length: 30 }, (_, n) => ({
      time: Date.now() - 30_000 + n * 1_000,
      fill_percent: (n * 31) % 101,
    })),
  );
  before = await everything(obieg);
  expect((await runObieg(["backup", backup, "--data", obieg.data])).code).toBe(0);
  sealed = readdirSync(join(obieg.data, "history"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".parquet"))
    .sort();
  expect(await obieg.stop()).toBe(0);
}, 120_000);
afterAll(() => removeFolder(root));

test("a history that is lost is made again by the next start: the same readings, accounts, quarantine and alerts", async () => {
  const dir = copyOf("lost");
  for (const name of ["history.duckdb", "history.duckdb.wal"])
    rmSync(join(dir, "data", name), { force: true });
  const obieg = await start(dir);
  expect(await everything(obieg)).toEqual(before);
  expect(obieg.log()).toContain("history is made again from its past");
  await publish(obieg, [{ fill_percent: 10 }, { fill_percent: 99.5 }]);
  const after = await everything(obieg);
  expect(after.readings).toHaveLength(before.readings.length + 2);
  expect(after.alerts.length).toBe(before.alerts.length + 1);
  await obieg.stop();
});

test("a damaged history is named with its remedy, which makes it again; a damaged sealed day comes from the archive", async () => {
  const dir = copyOf("broken");
  truncateSync(join(dir, "data", "history.duckdb"), 5_000);
  expect(await refusal(dir)).toMatch(/history-open: .*history\.duckdb.*obieg history rebuild/s);
  const victim = join(dir, "data", "history", sealed[1] ?? "");
  flip(victim);
  expect(await runObieg(["history", "verify", "--data", join(dir, "data")])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`${sealed[1]}: damaged`) as string,
  });
  expect((await runObieg(["history", "rebuild", "--data", join(dir, "data")])).code).toBe(0);
  const obieg = await start(dir);
  expect(await everything(obieg)).toEqual(before);
  expect(existsSync(`${victim}.damaged`)).toBe(true);
  await obieg.stop();
});

const damagedDays = async (obieg: Obieg): Promise<unknown> =>
  ((await obieg.api("/api/v1/overview")).body as Overview).damagedDays;

test("a damaged or missing sealed day is named and refused, the others serve, and a backup brings it back at once", async () => {
  const dir = copyOf("sealed");
  const obieg = await start(dir);
  const asked = async (day: number): Promise<{ status: number; text: string }> => {
    const from = new Date(sinceMs + day * dayMs).toISOString();
    const to = new Date(sinceMs + day * dayMs + dayMs / 2).toISOString();
    const readings = await obieg.api(`/api/v1/readings?device=bin-1&from=${from}&to=${to}`);
    const series = await obieg.api(
      `/api/v1/series?device=bin-1&quantity=fill_percent&step=10m&from=${from}&to=${to}`,
    );
    expect(series.status === 200).toBe(readings.status === 200);
    return readings;
  };
  for (const harm of [flip, (file: string) => truncateSync(file, 100), (file: string) => rmSync(file)]) {
    harm(join(dir, "data", "history", sealed[2] ?? ""));
    const refused = await asked(2);
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(refused.text).toContain("sealed-day-damaged");
    expect(refused.text).toContain(sealed[2]);
    expect((await asked(0)).status).toBe(200);
    expect((await asked(4)).status).toBe(200);
    expect(await damagedDays(obieg)).toEqual([
      {
        file: `history/${sealed[2]}`,
        message: expect.stringContaining("obieg history restore --from") as string,
      },
    ]);
    const restored = await runObieg(["history", "restore", "--from", backup, "--data", join(dir, "data")]);
    expect(restored).toMatchObject({ code: 0, stdout: `history/${sealed[2]} restored\n` });
    expect((await asked(2)).status).toBe(200);
    expect(await damagedDays(obieg)).toEqual([]);
  }
  expect(await everything(obieg)).toEqual(before);
  await obieg.stop();
});

test("a damaged or missing state is named with its remedy; a backup's, or a new one, lets the readings be served", async () => {
  const dir = copyOf("state");
  const file = join(dir, "data", "state", "works.mdb");
  truncateSync(file, 20_000);
  expect(await refusal(dir)).toMatch(/state-damaged: .*works\.mdb is damaged.*backup/s);
  writeFileSync(file, Buffer.alloc(100_000));
  expect(await refusal(dir)).toMatch(/state-damaged/);
  rmSync(file);
  expect(await refusal(dir)).toMatch(/state-missing: .*works\.mdb is missing.*obieg state renew/s);
  cpSync(join(backup, "state", "works.mdb"), file);
  const again = await start(dir);
  expect(await everything(again)).toEqual(before);
  await again.stop();
  rmSync(file);
  expect((await runObieg(["state", "renew", "--data", join(dir, "data")])).code).toBe(0);
  const anew = await start(dir, true);
  expect((await everything(anew)).readings).toEqual(before.readings);
  await anew.stop();
});

test("damaged sessions are named with their remedy, and begin anew once they are moved away", async () => {
  const dir = copyOf("sessions");
  const file = join(dir, "data", "state", "broker.mdb");
  truncateSync(file, 9_000);
  expect(await refusal(dir)).toMatch(/sessions-damaged: .*broker\.mdb is damaged.*begin anew/s);
  rmSync(file);
  const obieg = await start(dir);
  expect(await everything(obieg)).toEqual(before);
  await obieg.stop();
});

test("a damaged segment of the journal is named at the start; a repair lets everything else be served", async () => {
  const dir = copyOf("journal");
  const [segment = ""] = readdirSync(join(dir, "data", "journal")).filter((name) =>
    name.endsWith(".journal"),
  );
  const path = join(dir, "data", "journal", segment);
  const bytes = readFileSync(path);
  bytes[60] = (bytes[60] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
  expect(await refusal(dir)).toMatch(
    new RegExp(`journal-damaged: .*${segment} is damaged at byte.*obieg journal repair`, "s"),
  );
  expect((await runObieg(["journal", "repair", "--data", join(dir, "data")])).code).toBe(0);
  const obieg = await start(dir);
  expect(await everything(obieg)).toEqual(before);
  await obieg.stop();
});

test("a journal without its last segment is told of, and what history holds is served", async () => {
  const dir = copyOf("journal-end");
  const journal = join(dir, "data", "journal");
  const last = readdirSync(journal)
    .filter((name) => name.endsWith(".journal"))
    .at(-1);
  writeFileSync(join(journal, last ?? ""), Buffer.alloc(5_000, 7));
  const obieg = await start(dir);
  expect(obieg.log()).toContain("the journal ends before what history holds");
  expect(await everything(obieg)).toEqual(before);
  await publish(obieg, [{ time: sinceMs + 5 * dayMs, fill_percent: 42 }]);
  await drained(obieg);
  const { readings } = await everything(obieg);
  expect(readings).toHaveLength(before.readings.length + 1);
  await obieg.stop();
});
