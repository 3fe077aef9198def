import { expect, test } from "vitest";
import { type JournalMessage, parseCity } from "../devices/index.js";
import { MemoryBook } from "../ingest/memory.js";
import { accountsOf } from "./support/accounts.js";
import { makeFolder, removeFolder } from "./support/obieg.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";
import { readSparkplug, type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: em-1, class: electricity-meter, place: krakow, identifiers: { sparkplug: K/gw/em } }
`;
const parsed = (): ReturnType<typeof parseCity> =>
  parseCity(city, { file: "city.yaml", env: {}, readBeside: () => "" });

type Metric = NonNullable<SparkplugPayload["metrics"]>[number];
const messageOf = (
  sequence: number,
  level: string,
  seq: number,
  metrics: readonly object[],
  receivedMs = nowMs,
): JournalMessage => ({
  sequence,
  topic: `spBv1.0/K/${level}`,
  payload: Buffer.from(sparkplugBytes({ timestamp: receivedMs, seq, metrics: metrics as Metric[] })),
  user: "gw",
  clientId: "gw",
  qos: 1,
  receivedMs,
});
const nodeBirth = (sequence: number, bdSeq = 0, receivedMs = nowMs): JournalMessage =>
  messageOf(sequence, "NBIRTH/gw", 0, [{ name: "bdSeq", type: "UInt64", value: bdSeq }], receivedMs);
const nodeDeath = (sequence: number, bdSeq = 0): JournalMessage =>
  messageOf(sequence, "NDEATH/gw", 0, [{ name: "bdSeq", type: "UInt64", value: bdSeq }]);
/** A meter's birth: its import under one alias, its export under another. */
const birth = (sequence: number, seq: number, [imported, exported] = [1, 2]): JournalMessage =>
  messageOf(sequence, "DBIRTH/gw/em", seq, [
    { name: "energy_import_kwh", alias: imported, type: "Double", value: 100 },
    { name: "energy_export_kwh", alias: exported, type: "Double", value: 50 },
  ]);
const data = (sequence: number, seq: number, value: number, receivedMs = nowMs + sequence): JournalMessage =>
  messageOf(sequence, "DDATA/gw/em", seq, [{ alias: 1, type: "Double", value }], receivedMs);

const take = (works: TestPipeline, messages: readonly JournalMessage[]): Promise<void> =>
  works.pipeline.take(works.pipeline.understand(messages));
const valuesOf = async ({ history }: TestPipeline): Promise<string[]> =>
  (await history.readings({ limit: 100 })).items
    .map(({ quantity, value }) => `${quantity} ${value}`)
    .toSorted();
const refusedOf = async ({ history }: TestPipeline): Promise<string[]> =>
  (await history.quarantine({ limit: 100, status: "open" })).items.map(
    ({ message, reason }) => `${message} ${reason}`,
  );
const born = ["energy_export_kwh 50", "energy_import_kwh 100"];

test("a batch understood ahead is read by what the one that is being stored teaches", async () => {
  const works = await openTestPipeline(city, nowMs);
  const first = works.pipeline.understand([nodeBirth(1), birth(2, 1)]);
  const ahead = works.pipeline.understand([data(3, 2, 101)]);
  await works.pipeline.take(first);
  // Nothing of it has to be understood anew.
  expect(works.pipeline.memory.isCurrent(ahead.memory)).toBe(true);
  await works.pipeline.take(ahead);
  expect(await valuesOf(works)).toEqual([...born, "energy_import_kwh 101"]);
  expect(works.answers).toEqual([]);
  await works.close();
});

test("batches understood anew, one after a change of the registry and one after a state that couldn't be written, teach once", async () => {
  const works = await openTestPipeline(city, nowMs);
  const first = works.pipeline.understand([nodeBirth(1), birth(2, 1)]);
  works.pipeline.renew();
  // Understood by the new registry, but on top of a batch that will be understood anew.
  const ahead = works.pipeline.understand([data(3, 2, 101)]);
  works.disk.failsState = true;
  await expect(works.pipeline.take(first)).rejects.toMatchObject({ code: "state-commit" });
  works.disk.failsState = false;
  await works.pipeline.take(first);
  await works.pipeline.take(ahead);
  await take(works, [data(4, 3, 102)]);
  expect(await valuesOf(works)).toEqual([...born, "energy_import_kwh 101", "energy_import_kwh 102"]);
  expect([works.answers, await refusedOf(works)]).toEqual([[], []]);
  await works.close();
});

test("a value whose message teaches something is stored, though the state couldn't be written at first", async () => {
  const works = await openTestPipeline(city, nowMs);
  await take(works, [nodeBirth(1), birth(2, 1)]);
  for (const ahead of [false, true]) {
    const value = ahead ? 102 : 101;
    const messages = [data(value - 98, value - 99, value)];
    const batch = works.pipeline.understand(messages);
    works.disk.failsState = true;
    await expect(works.pipeline.take(batch)).rejects.toMatchObject({ code: "state-commit" });
    works.disk.failsState = false;
    await works.pipeline.take(ahead ? batch : works.pipeline.understand(messages));
    expect(await valuesOf(works)).toContain(`energy_import_kwh ${value}`);
  }
  const accounts = await accountsOf(works.history, { fromDay: "2026-11-01", toDay: "2026-11-30" });
  const account = accounts.find(({ device }) => device === "em-1");
  expect(account).toMatchObject({ balanced: true, values: { decoded: 4, stored: 4, duplicate: 0 } });
  await works.close();
});

test("after a crash between the two commits of a batch its messages find what they found before", async () => {
  const dir = makeFolder();
  const before = await openTestPipeline(city, nowMs, dir);
  await before.registry.apply(parsed(), "test");
  await take(before, [nodeBirth(1), birth(2, 1)]);
  const lost = before.pipeline.understand([data(3, 2, 101), birth(4, 3, [2, 1])]);
  await before.pipeline.memory.stage(lost.memory, before.history.position);
  await before.close();

  const after = await openTestPipeline(city, nowMs, dir);
  await take(after, [data(3, 2, 101)]);
  await take(after, [data(4, 3, 102)]);
  expect(await valuesOf(after)).toEqual([...born, "energy_import_kwh 101", "energy_import_kwh 102"]);
  expect([after.answers, await refusedOf(after)]).toEqual([[], []]);
  await after.close();

  const again = await openTestPipeline(city, nowMs, dir);
  await take(again, [data(5, 4, 103)]);
  expect(await valuesOf(again)).toContain("energy_import_kwh 103");
  expect(again.answers).toEqual([]);
  await again.close();
  removeFolder(dir);
});

test("a node isn't asked for its births again within a minute, and ever more seldom while it doesn't answer", async () => {
  const works = await openTestPipeline(city, nowMs);
  const askedAfterS: number[] = [];
  const tell = async (n: number, message: JournalMessage): Promise<void> => {
    works.clock.nowMs = message.receivedMs;
    const told = works.answers.length;
    await take(works, [message]);
    if (works.answers.length > told) askedAfterS.push(n * 10);
  };
  for (let n = 0; n <= 60; n += 1) await tell(n, data(n + 1, n, n, nowMs + n * 10_000));
  expect(askedAfterS).toEqual([0, 60, 180, 420]);
  const [answer] = works.answers;
  expect(answer?.topic).toBe("spBv1.0/K/NCMD/gw");
  expect(readSparkplug(answer?.payload ?? Buffer.alloc(0)).metrics).toMatchObject([
    { name: "Node Control/Rebirth", type: "Boolean", value: true },
  ]);
  // Born at last: the next gap is asked about a minute later, not four.
  await tell(61, nodeBirth(62, 0, nowMs + 610_000));
  for (let n = 62; n <= 70; n += 1) await tell(n, data(n + 1, 7, n, nowMs + n * 10_000));
  expect(askedAfterS.slice(4)).toEqual([620, 680]);
  await works.close();
});

test("what waited for a birth is replayed by it; what was sent in another session isn't read by this one's aliases", async () => {
  const works = await openTestPipeline(city, nowMs);
  await take(works, [data(1, 6, 99)]);
  await take(works, [nodeBirth(2), birth(3, 1)]);
  expect(await refusedOf(works)).toEqual(["1 unknown-alias"]);
  const waiting = (await works.history.quarantine({ limit: 10, status: "open" })).items;
  expect(await works.pipeline.replay(waiting, "test")).toEqual({ replayed: 1, refused: 0 });
  expect(await valuesOf(works)).toContain("energy_import_kwh 99");

  await take(works, [nodeDeath(4), data(5, 2, 1_000), nodeDeath(6), nodeBirth(7, 1)]);
  await take(works, [birth(8, 1, [2, 1]), data(9, 2, 51)]);
  expect(await valuesOf(works)).toContain("energy_export_kwh 51");
  await take(works, [nodeBirth(10, 2), birth(11, 1)]);
  const older = (await works.history.quarantine({ limit: 10, status: "open" })).items;
  expect(older.map(({ message }) => message)).toEqual([5]);
  expect(await works.pipeline.replay(older, "test")).toEqual({ replayed: 0, refused: 1 });
  await works.close();
});

test("a credential that teaches past its bound forgets what it taught longest ago, and costs the others nothing", async () => {
  const works = await openTestPipeline(city, nowMs);
  const open = (position: number): MemoryBook =>
    new MemoryBook(works.state, position, { entries: 3, bytes: 1_100, entryBytes: 500 });
  const book = open(0);
  let sequence = 0;
  const teach = async (user: string, lessons: Record<string, unknown>): Promise<void> => {
    const layer = book.open((sequence += 1));
    layer.learn(new Map(Object.entries(lessons)), { user, sequence });
    book.close(layer, sequence);
    await book.stage(layer, sequence - 1);
    book.settle(sequence);
  };
  const known = (from: MemoryBook): string =>
    ["quiet", "a", "b", "c", "d", "e", "large"]
      .filter((key) => from.past(99).recall(key) !== undefined)
      .join(" ");
  await teach("other", { quiet: 1 });
  await teach("flood", { a: 1, b: 1 });
  await teach("flood", { c: 1 });
  await teach("flood", { a: 2 });
  await teach("flood", { d: "w".repeat(200) });
  expect(known(book)).toBe("quiet a c d");
  await teach("flood", { e: "x".repeat(490), c: "y".repeat(490) });
  expect(known(book)).toBe("quiet c e");
  await teach("flood", { large: "z".repeat(501) });
  expect(known(book)).toBe("quiet c e");
  expect(known(open(sequence))).toBe("quiet c e");
  expect(known(open(0))).toBe("");
  await works.close();
});

test("a credential that teaches something new with each message makes room once in a tenth of its bound, on disk as well", async () => {
  const works = await openTestPipeline(city, nowMs);
  const open = (position: number): MemoryBook =>
    new MemoryBook(works.state, position, { entries: 100, bytes: 1e6, entryBytes: 500 });
  const book = open(0);
  const known = (from: MemoryBook): number[] =>
    Array.from({ length: 201 }, (_unused, key) => key).filter(
      (key) => from.past(999).recall(`node-${key}`) !== undefined,
    );
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_unused, index) => from + index);
  let madeRoom = 0;
  for (let sequence = 1; sequence <= 200; sequence += 1) {
    const layer = book.open(sequence);
    layer.learn(new Map([[`node-${sequence}`, 1]]), { user: "flood", sequence });
    book.close(layer, sequence);
    await book.stage(layer, sequence - 1);
    if ([...layer.changes.values()].includes(undefined)) {
      madeRoom += 1;
      // A crash before history took that batch gives back what made room.
      expect(known(open(sequence - 1))).toEqual(known(book));
    }
    book.settle(sequence);
    if (sequence === 101) expect(known(book)).toEqual(range(12, 101));
  }
  expect(madeRoom).toBe(10);
  expect(known(book)).toEqual(range(111, 200));
  expect(known(open(200))).toEqual(known(book));
  await works.close();
});
