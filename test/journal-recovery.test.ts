import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ObiegError, type RawMessage, runOf } from "../devices/index.js";
import {
  type FileSystem,
  type Journal,
  nodeFileSystem,
  openJournal,
  openJournalReader,
  readArchive,
  repairJournal,
  verifyJournal,
} from "../ingest/journal/index.js";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-journal-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (folder: string, bounds: { segmentBytes?: number; maxBytes?: number } = {}): Promise<Journal> =>
  openJournal({
    dir: join(folder, "journal"),
    archiveDir: join(folder, "archive"),
    segmentBytes: bounds.segmentBytes ?? 2 ** 20,
    maxBytes: bounds.maxBytes ?? 2 ** 24,
    archive: { maxDays: 30, maxBytes: 2 ** 24 },
    clock: Date.now,
    log,
  });
const message = (n: number, size = 10): RawMessage => ({
  topic: `readings/zażółć-${n}`,
  payload: Buffer.alloc(size, n % 256),
  user: "bin-1",
  clientId: `c${Math.floor(n / 3)}`,
  qos: 1,
  receivedMs: 1_700_000_000_000 + Math.floor(n / 3),
});
const append = (journal: Journal, raw: RawMessage): Promise<number> =>
  new Promise((resolve, reject) =>
    journal.append(runOf(raw), (error, sequence) => (error ? reject(error) : resolve(sequence))),
  );
const appendMany = (journal: Journal, count: number, from = 1): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, (_unused, index) => append(journal, message(from + index))));
/** Appends messages in runs of up to three, those of one client together. */
const appendRuns = async (journal: Journal, count: number, from: number): Promise<void> => {
  const done: Promise<void>[] = [];
  for (let n = from; n < from + count;) {
    const runs = [message(n)];
    for (n += 1; n < from + count && n % 3 !== 0; n += 1) runs.push(message(n));
    const last = n - 1;
    const packets = runs.map((one) => runOf(one).bytes);
    const bytes = Buffer.concat([Buffer.from("before"), ...packets, Buffer.from("after")]);
    const place = { bytes, start: 6, end: bytes.length - 5, count: runs.length };
    const run = { ...runOf(runs[0] ?? message(n)), ...place, receivedMs: runs[0]?.receivedMs ?? 0 };
    done.push(
      new Promise((resolve, reject) =>
        journal.append(run, (error, sequence) => {
          if (error) reject(error);
          else if (sequence === last) resolve();
          else reject(new Error(`the run to ${last} was told as ${sequence}`));
        }),
      ),
    );
  }
  await Promise.all(done);
};
const readAll = async (folder: string, durable: number, after = 0): Promise<number[]> => {
  const reader = openJournalReader({ dir: join(folder, "journal"), after });
  const read: number[] = [];
  for (;;) {
    const batch = await reader.read(durable, 7, 2 ** 20);
    if (batch.length === 0) break;
    for (const one of batch) {
      const { topic, payload, user, clientId, qos, receivedMs, sequence } = one;
      expect({ topic, payload, user, clientId, qos, receivedMs }).toEqual(message(sequence));
      read.push(one.sequence);
    }
  }
  await reader.close();
  return read;
};
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_unused, i) => from + i);
/** The machine's file system, of which nothing works any more after so many calls. */
const cutAfter = (calls: number): FileSystem => {
  let made = 0;
  return new Proxy(nodeFileSystem, {
    get: (fs, name: keyof FileSystem) =>
      (made += 1) > calls ? () => Promise.reject(new Error("the power is cut")) : fs[name],
  });
};
const segments = (): string[] =>
  readdirSync(join(dir, "journal")).filter((name) => name.endsWith(".journal"));

test("gives back what was appended, in order, across segments and restarts", async () => {
  const first = await open(dir, { segmentBytes: 300 });
  expect(await appendMany(first, 40)).toEqual(range(1, 40));
  await first.close();
  const second = await open(dir, { segmentBytes: 300 });
  expect(second.durableSequence).toBe(40);
  expect(await append(second, message(41))).toBe(41);
  expect(await readAll(dir, 41)).toEqual(range(1, 41));
  expect(await readAll(dir, 41, 17)).toEqual(range(18, 41));
  await second.close();
});

test("a reader follows a writer without seeing more than is durable", async () => {
  const journal = await open(dir, { segmentBytes: 500 });
  const reader = openJournalReader({ dir: join(dir, "journal"), after: 0 });
  const read: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    await appendMany(journal, 5, round * 5 + 1);
    const batch = await reader.read(journal.durableSequence - 2, 1_000, 2 ** 20);
    read.push(...batch.map(({ sequence }) => sequence));
    expect(read).toEqual(range(1, round * 5 + 3));
  }
  await reader.close();
  await journal.close();
});

test("a journal cut at any byte recovers to a prefix and goes on", async () => {
  const journal = await open(dir);
  await appendMany(journal, 6);
  await journal.close();
  const file = join(dir, "journal", segments()[0] ?? "");
  const whole = readFileSync(file);
  const ends: number[] = [];
  for (let at = 16; at < whole.length; at += whole.readUInt32LE(at)) ends.push(at);
  for (let cut = 0; cut < whole.length; cut += 1) {
    writeFileSync(file, whole.subarray(0, cut));
    const again = await open(dir);
    const kept = Math.max(0, ends.filter((end) => end <= cut).length - 1);
    expect(again.durableSequence, `cut at ${cut}`).toBe(kept);
    expect(await append(again, message(kept + 1))).toBe(kept + 1);
    await again.close();
    expect(await readAll(dir, kept + 1)).toEqual(range(1, kept + 1));
    rmSync(file);
  }
});

test("a broken record in the middle stops the start, and a repair keeps every other record", async () => {
  const journal = await open(dir, { segmentBytes: 700 });
  for (const n of range(1, 30)) await append(journal, message(n));
  await journal.close();
  const [victim = ""] = segments();
  const path = join(dir, "journal", victim);
  const bytes = readFileSync(path);
  bytes[16 + bytes.readUInt32LE(16) + 40] = 0xff;
  writeFileSync(path, bytes);
  await expect(open(dir)).rejects.toMatchObject({ code: "journal-damaged" });
  expect((await verifyJournal(join(dir, "journal"))).faults).toMatchObject([{ kind: "broken-record" }]);
  const repair = await repairJournal(join(dir, "journal"));
  expect(repair.rewritten).toEqual([path]);
  expect(readFileSync(repair.kept[0] ?? "")).toEqual(bytes);
  expect((await verifyJournal(join(dir, "journal"))).faults).toEqual([]);
  expect(await repairJournal(join(dir, "journal"))).toEqual({ rewritten: [], kept: [], salvaged: 0 });
  const again = await open(dir);
  expect(await readAll(dir, again.durableSequence)).toEqual([1, ...range(3, 30)]);
  await again.close();
});

test.each(["in the middle", "at the end"])(
  "a repair of a segment that is broken %s, cut anywhere, is done again and loses nothing that is readable",
  async (place) => {
    const journal = await open(dir, { segmentBytes: 700 });
    for (const n of range(1, 30)) await append(journal, message(n));
    await journal.close();
    const [victim = ""] = segments();
    const path = join(dir, "journal", victim);
    const bytes = readFileSync(path);
    const starts: number[] = [];
    for (let at = 16; at < bytes.length; at += bytes.readUInt32LE(at)) starts.push(at);
    bytes[(starts.at(place === "at the end" ? -1 : 1) ?? 0) + 40] = 0xff;
    writeFileSync(path, bytes);
    const repaired = async (done: number): Promise<number[]> => {
      const copy = join(dir, `cut-${done}`);
      cpSync(join(dir, "journal"), join(copy, "journal"), { recursive: true });
      await repairJournal(join(copy, "journal"), cutAfter(done)).catch(() => undefined);
      await repairJournal(join(copy, "journal"));
      expect((await verifyJournal(join(copy, "journal"))).faults).toEqual([]);
      expect(readFileSync(join(copy, "journal", `${victim}.damaged`))).toEqual(bytes);
      return readAll(copy, 30);
    };
    const broken = place === "at the end" ? starts.length : 2;
    const readable = range(1, 30).filter((n) => n !== broken);
    for (let done = 0; done < 40; done += 1) expect([done, await repaired(done)]).toEqual([done, readable]);
  },
);

test("a missing segment is named", async () => {
  const journal = await open(dir, { segmentBytes: 300 });
  for (const n of range(1, 30)) await append(journal, message(n));
  await journal.close();
  const gone = segments()[1] ?? "";
  rmSync(join(dir, "journal", gone));
  await expect(open(dir)).rejects.toMatchObject({ code: "journal-damaged" });
});

test("lost pages in the middle of the last, unsynced group are a torn end, not damage", async () => {
  const journal = await open(dir);
  await append(journal, message(1));
  await appendMany(journal, 5, 2);
  await journal.close();
  const path = join(dir, "journal", segments()[0] ?? "");
  const bytes = readFileSync(path);
  const second = 16 + bytes.readUInt32LE(16);
  bytes.fill(0, second, second + 30);
  writeFileSync(path, bytes);
  const again = await open(dir);
  expect(again.durableSequence).toBe(1);
  await again.close();
});

test("at its bound it refuses, and takes messages again when used segments have gone to the archive", async () => {
  const journal = await open(dir, { segmentBytes: 1_000, maxBytes: 5_000 });
  let n = 0;
  for (;;) {
    const taken = await append(journal, message(n + 1)).catch((error: unknown) => error as ObiegError);
    if (taken instanceof ObiegError) {
      expect(taken).toMatchObject({ code: "journal-full", retryable: true });
      break;
    }
    n = taken;
  }
  expect(journal.status.bytes).toBeLessThanOrEqual(5_000);
  journal.trim(n);
  await journal.close();
  const again = await open(dir, { segmentBytes: 1_000, maxBytes: 5_000 });
  expect(await append(again, message(n + 1))).toBe(n + 1);
  const archived: number[] = [];
  for await (const one of readArchive(nodeFileSystem, join(dir, "archive"))) archived.push(one.sequence);
  expect(archived).toEqual(range(1, archived.length));
  expect(await readAll(dir, n + 1, archived.length)).toEqual(range(archived.length + 1, n + 1));
  await again.close();
});

test("any mixture of appends, restarts, cuts of the end and trims keeps every acknowledged message once", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ do: fc.constant("restart" as const), garbage: fc.uint8Array({ maxLength: 60 }) }),
    fc.record({ do: fc.constant("trim" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), "obieg-journal-"));
      let journal = await open(folder, { segmentBytes: 800 });
      let acknowledged = 0;
      let trimmed = 0;
      for (const one of steps) {
        if (one.do === "append") {
          await appendRuns(journal, one.count, acknowledged + 1);
          acknowledged += one.count;
        } else if (one.do === "trim") {
          trimmed = Math.max(trimmed, Math.floor(acknowledged * one.share));
          journal.trim(trimmed);
        } else {
          await journal.close();
          const name = readdirSync(join(folder, "journal"))
            .filter((file) => file.endsWith(".journal"))
            .sort()
            .at(-1);
          const path = join(folder, "journal", name ?? "");
          writeFileSync(path, Buffer.concat([readFileSync(path), one.garbage]));
          journal = await open(folder, { segmentBytes: 800 });
        }
        expect(journal.durableSequence).toBe(acknowledged);
        expect(await readAll(folder, acknowledged, trimmed)).toEqual(range(trimmed + 1, acknowledged));
      }
      await journal.close();
      rmSync(folder, { recursive: true, force: true });
    }),
    { numRuns: 40 },
  );
});

test("an emptied file at the end is made anew", async () => {
  const journal = await open(dir, { segmentBytes: 300 });
  for (const n of range(1, 10)) await append(journal, message(n));
  await journal.close();
  const last = segments().at(-1) ?? "";
  truncateSync(join(dir, "journal", last), 0);
  const again = await open(dir, { segmentBytes: 300 });
  expect(again.durableSequence).toBe(Number(last.slice(0, 16)) - 1);
  await again.close();
});
