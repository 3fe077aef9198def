import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DuckDBConnection } from "@duckdb/node-api";
import { expect, test, vi } from "vitest";
import { type JournalMessage, parseCity } from "../devices/index.js";
import type { Batch } from "../ingest/batch.js";
import type { StoredReading } from "../ingest/stores/port.js";
import { accountsOf } from "./support/accounts.js";
import { makeFolder, removeFolder } from "./support/obieg.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";
import { mountSmallDisk, noSmallDisk } from "./support/small-disk.js";
import { noonMs, openTestHistory, take, valueAt } from "./support/stores-history.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow, every: 15m }
rules:
  - { id: full, kind: threshold, quantity: fill_percent, above: 90, clear: 60, severity: warning, title: { pl: P, en: F } }
`;
const pair = city.replace("rules:", "  - { id: bin-2, class: bin, place: krakow, every: 15m }\nrules:");
const readingsOf = (from: number, to: number): JournalMessage[] =>
  Array.from({ length: to - from + 1 }, (_, n) => {
    const sequence = from + n;
    const payload = Buffer.from(
      JSON.stringify({ time: nowMs - 60_000 + sequence, fill_percent: sequence % 2 ? 95 : 10 }),
    );
    return {
      sequence,
      topic: "readings/bin-1",
      payload,
      user: "t",
      clientId: "t",
      qos: 1,
      receivedMs: nowMs,
    } satisfies JournalMessage;
  });

test("a batch whose second commit fails is counted once, judged once, and told once when it is tried again", async () => {
  const works = await openTestPipeline(city, nowMs);
  const takeOf = (from: number, to: number): Promise<void> =>
    works.pipeline.take(works.pipeline.understand(readingsOf(from, to)));
  await takeOf(1, 4);
  const again = works.pipeline.understand(readingsOf(5, 9));
  works.disk.failsState = true;
  for (let tries = 0; tries < 3; tries += 1)
    await expect(works.pipeline.take(again)).rejects.toMatchObject({ code: "state-commit" });
  await expect(works.pipeline.tick()).rejects.toMatchObject({ code: "state-commit" });
  works.disk.failsState = false;
  await works.pipeline.take(again);
  await takeOf(10, 10);
  const [account] = await accountsOf(works.history, { fromDay: "2026-11-23", toDay: "2026-11-23" });
  expect(account?.messages.received).toBe(10);
  expect(account?.values).toMatchObject({ stored: 10, duplicate: 0, conflict: 0 });
  expect(works.history.position).toBe(10);
  // Odd ones raise, even ones resolve.
  const alerts = works.alerts.list({ limit: 100 }).items;
  expect(alerts.map(({ sinceMs }) => sinceMs - nowMs + 60_000)).toEqual([9, 7, 5, 3, 1]);
  expect(alerts.every(({ state }) => state === "resolved")).toBe(true);
  expect(works.alerts.outbox.all().length).toBe(10);
  await works.close();
});

/** The next commit fails and leaves the instance invalid; `onRead` is asked before each read of what stands in the one that is opened anew. */
function failCommit(onRead: () => void): void {
  const fails = { commits: 1, probes: 1 };
  const run = Reflect.get(DuckDBConnection.prototype, "run");
  const stream = Reflect.get(DuckDBConnection.prototype, "stream");
  vi.spyOn(DuckDBConnection.prototype, "run").mockImplementation(async function (
    this: DuckDBConnection,
    ...sql
  ) {
    if (sql[0] === "commit" && fails.commits-- > 0) throw new Error("the disk is full");
    if (sql[0].startsWith("select value from meta") && fails.probes-- > 0) throw new Error("invalidated");
    return run.apply(this, sql);
  });
  vi.spyOn(DuckDBConnection.prototype, "stream").mockImplementation(async function (
    this: DuckDBConnection,
    ...sql
  ) {
    onRead();
    return stream.apply(this, sql);
  });
}

const understood = ({ pipeline }: TestPipeline, sequence: number, device: string, value: number): Batch => {
  const payload = Buffer.from(JSON.stringify({ time: nowMs + sequence, fill_percent: value }));
  const messages = readingsOf(sequence, sequence);
  return pipeline.understand(messages.map((one) => ({ ...one, topic: `readings/${device}`, payload })));
};
const linesOf = (readings: readonly StoredReading[]): string[] =>
  readings.map(({ device, value }) => `${device} ${value}`);

test("series keep their ids when history was opened anew and couldn't be read at first", async () => {
  const works = await openTestPipeline(pair, nowMs);
  const { pipeline, history } = works;
  await pipeline.take(understood(works, 1, "bin-1", 11));
  let fails = 2;
  failCommit(() => {
    if (fails-- > 0) throw new Error("the disk gave an error");
  });
  await expect(pipeline.take(understood(works, 2, "bin-2", 22))).rejects.toThrow("the disk gave an error");
  await expect(pipeline.dismiss([], "test")).rejects.toThrow("the disk gave an error");
  const again = pipeline.take(understood(works, 2, "bin-2", 22));
  await expect(again).rejects.toMatchObject({ code: "history-closed", retryable: true });
  vi.restoreAllMocks();
  await pipeline.take(understood(works, 2, "bin-2", 22));
  await pipeline.take(understood(works, 3, "bin-1", 12));
  expect(linesOf((await history.readings({ limit: 10 })).items)).toEqual([
    "bin-1 11",
    "bin-2 22",
    "bin-1 12",
  ]);
  expect(linesOf(await history.latest())).toEqual(["bin-1 12", "bin-2 22"]);
  expect([history.position, history.lastSequence]).toEqual([3, 3]);
  await works.close();
});

test("what was understood while history is read anew has no series that isn't in there", async () => {
  const works = await openTestPipeline(pair, nowMs);
  const { pipeline, history } = works;
  let meanwhile: Batch | undefined;
  failCommit(() => (meanwhile ??= understood(works, 1, "bin-1", 11)));
  await expect(pipeline.dismiss([], "test")).rejects.toMatchObject({ code: "history-commit" });
  vi.restoreAllMocks();
  if (meanwhile) await pipeline.take(meanwhile);
  await pipeline.take(understood(works, 2, "bin-2", 22));
  expect(linesOf((await history.readings({ limit: 10 })).items)).toEqual(["bin-1 11", "bin-2 22"]);
  await works.close();
});

test.skipIf(noSmallDisk !== undefined)(
  "what was understood while a commit before it failed is stored once, and after it",
  async () => {
    const dir = makeFolder();
    const disk = mountSmallDisk(join(dir, "data"), 24);
    const works = await openTestPipeline(city, nowMs, disk.dir);
    await works.registry.apply(parseCity(city, { file: "city.yaml", env: {}, readBeside: () => "" }), "test");
    const { pipeline, history } = works;
    const large = pipeline.understand(readingsOf(1, 60_000));
    const payload = Buffer.from(JSON.stringify({ time: nowMs, temperature_celsius: 11 }));
    const [last] = readingsOf(60_001, 60_001);
    const ahead = pipeline.understand(last ? [{ ...last, payload }] : []);
    disk.fill(40_000);
    await expect(pipeline.take(large)).rejects.toMatchObject({ code: "history-commit" });
    disk.empty();
    await expect
      .poll(
        () =>
          pipeline.take(large).then(
            () => history.position,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(60_000);
    await pipeline.take(ahead);
    expect(history.lastSequence).toBe(60_001);
    const found = await history.readings({ limit: 10, quantity: "temperature_celsius" });
    expect(found.items.map(({ value }) => value)).toEqual([11]);
    await works.close();
    disk.remove();
    removeFolder(dir);
  },
);

test.skipIf(noSmallDisk !== undefined)(
  "sealing and committing on a full disk fail without harm, and go on when there is room",
  async () => {
    const dir = makeFolder();
    const disk = mountSmallDisk(join(dir, "data"), 24);
    const dayMs = 86_400_000;
    const { history, clock } = await openTestHistory({ dir: disk.dir });
    const valuesFrom = (base: number, count: number) =>
      Array.from({ length: count }, (_, n) => valueAt(base + n * 17, (n * 7919) % 10_007));
    await take(history, valuesFrom(noonMs - 4 * dayMs, 20_000));
    const before = await history.readings({ limit: 10_000 });
    for (const leave of [0, 40_000]) {
      disk.fill(leave);
      await expect(history.maintain(clock.nowMs)).rejects.toThrow();
      await history.forget();
      const files = readdirSync(join(disk.dir, "history"), { recursive: true, encoding: "utf8" });
      expect(files.filter((name) => name.endsWith(".tmp"))).toEqual([]);
      await expect(take(history, valuesFrom(noonMs - dayMs, 60_000))).rejects.toMatchObject({
        code: "history-commit",
        retryable: true,
      });
      await history.forget().catch(() => undefined);
      disk.empty();
      await history.forget();
      expect(await history.readings({ limit: 10_000, toMs: noonMs - 2 * dayMs })).toEqual(before);
      expect(history.lastSequence).toBe(20_000);
    }
    expect((await history.maintain(clock.nowMs)).sealedDays).toEqual(["2026-06-06"]);
    await take(history, valuesFrom(noonMs - dayMs, 100));
    expect((await history.readings({ limit: 10_000, fromMs: noonMs - 2 * dayMs })).items).toHaveLength(100);
    await history.close();
    disk.remove();
    removeFolder(dir);
  },
);
