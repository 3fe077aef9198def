import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RawMessage, runOf } from "../devices/index.js";
import { type Journal, openJournal, openJournalReader, verifyJournal } from "../ingest/journal/index.js";
import { type FaultyDisk, openFaultyDisk } from "./support/faulty-disk.js";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dir = "";
let disk: FaultyDisk;
/** What the journal has put off. */
let due: (() => void) | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-journal-"));
  disk = openFaultyDisk();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (bounds: { segmentBytes?: number; maxBytes?: number } = {}): Promise<Journal> => {
  due = undefined;
  return openJournal({
    dir: join(dir, "journal"),
    archiveDir: join(dir, "archive"),
    segmentBytes: bounds.segmentBytes ?? 2 ** 20,
    maxBytes: bounds.maxBytes ?? 2 ** 24,
    archive: { maxDays: 30, maxBytes: 2 ** 24 },
    clock: Date.now,
    fs: disk,
    later: (body) => {
      due = body;
      return () => (due = undefined);
    },
    log,
  });
};
const message = (n: number): RawMessage => ({
  topic: "readings/bin-1",
  payload: Buffer.from(`message ${n}`),
  user: "bin-1",
  clientId: "c",
  qos: 1,
  receivedMs: n,
});
/** Appends until `count` are taken or one is refused; gives the code of the refusal. */
async function appendUntilRefused(journal: Journal, count: number): Promise<string | undefined> {
  for (let n = 0; n < count; n += 1) {
    const next = journal.durableSequence + 1;
    const error = await new Promise<Error | undefined>((resolve) =>
      journal.append(runOf(message(next)), (refusal, sequence) => {
        if (!refusal) expect(sequence).toBe(next);
        resolve(refusal);
      }),
    );
    if (error) return (error as { code?: string }).code;
  }
  return undefined;
}
/** Lets a second pass: one try to recover, and how it ends. */
async function passTime(journal: Journal): Promise<void> {
  const body = due;
  due = undefined;
  body?.();
  for (let wait = 0; journal.status.fault && !due && wait < 5_000; wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 1));
}
/** Lets time pass until the journal takes messages again. */
async function recovered(journal: Journal): Promise<void> {
  for (let tries = 0; journal.status.fault && tries < 5; tries += 1) await passTime(journal);
  expect(journal.status.fault).toBeUndefined();
}
async function readAll(journal: Journal): Promise<void> {
  const reader = openJournalReader({ dir: join(dir, "journal"), after: 0 });
  const read = await reader.read(journal.durableSequence, 1_000_000, 2 ** 30);
  await reader.close();
  expect(read.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: journal.durableSequence }, (_, n) => n + 1),
  );
  expect(read.every(({ payload, sequence }) => String(payload) === `message ${sequence}`)).toBe(true);
}

test("whatever room a full disk leaves, nothing refused is read back, and it goes on when there is room", async () => {
  for (let room = 0; room < 250; room += 9) {
    const journal = await open({ segmentBytes: 200 });
    const before = journal.durableSequence;
    disk.room = room;
    expect(await appendUntilRefused(journal, 100)).toBe("journal-poisoned");
    expect(journal.status.fault).toMatchObject({
      code: "journal-poisoned",
      message: expect.stringContaining("ENOSPC") as string,
    });
    for (let tries = 0; tries < 3; tries += 1) {
      disk.room = tries * 20;
      await passTime(journal);
      expect(await appendUntilRefused(journal, 1)).toBe("journal-poisoned");
    }
    disk.room = Number.POSITIVE_INFINITY;
    await recovered(journal);
    expect(await appendUntilRefused(journal, 3)).toBeUndefined();
    expect(journal.durableSequence).toBeGreaterThanOrEqual(before + 3);
    await readAll(journal);
    await journal.close();
    expect((await verifyJournal(join(dir, "journal"))).faults).toEqual([]);
  }
});

test("a disk that fills up while the journal recovers leaves it able to recover", async () => {
  const journal = await open();
  expect(await appendUntilRefused(journal, 5)).toBeUndefined();
  for (const room of [0, 1, 15, 16, 17, 40]) {
    disk.room = room;
    await appendUntilRefused(journal, 100);
    // Enough by the figures, not enough when it writes: somebody else was faster.
    disk.freeBytes = async () => 2 ** 30;
    for (let tries = 0; tries < 4; tries += 1) {
      disk.room = tries * 5;
      await passTime(journal);
    }
    disk.room = Number.POSITIVE_INFINITY;
    await recovered(journal);
    expect(await appendUntilRefused(journal, 2)).toBeUndefined();
  }
  await readAll(journal);
  await journal.close();
  const again = await open();
  await readAll(again);
  await again.close();
});

test("a failed fdatasync refuses the group and everything behind it until the journal was reopened and checked", async () => {
  const journal = await open();
  expect(await appendUntilRefused(journal, 3)).toBeUndefined();
  disk.failsSync = true;
  const verdicts = await Promise.all(
    [4, 5, 6].map(
      (n) =>
        new Promise<string | undefined>((resolve) =>
          journal.append(runOf(message(n)), (error) =>
            resolve((error as { code?: string } | undefined)?.code),
          ),
        ),
    ),
  );
  expect(verdicts).toEqual(["journal-poisoned", "journal-poisoned", "journal-poisoned"]);
  expect(journal.durableSequence).toBe(3);
  disk.failsSync = false;
  expect(await appendUntilRefused(journal, 1)).toBe("journal-poisoned");
  await recovered(journal);
  expect(await appendUntilRefused(journal, 4)).toBeUndefined();
  await readAll(journal);
  expect(readdirSync(join(dir, "journal")).length).toBe(2);
  await journal.close();
});

test("at its bound it says so while a message doesn't fit, and no longer", async () => {
  const journal = await open({ segmentBytes: 2 ** 20, maxBytes: 4_000 });
  expect(await appendUntilRefused(journal, 1_000)).toBe("journal-full");
  expect(journal.status.fault).toMatchObject({ code: "journal-full" });
  expect(journal.status.bytes).toBeLessThanOrEqual(4_000);
  journal.trim(journal.durableSequence);
  for (let turn = 0; journal.status.fault && turn < 1_000; turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(journal.status.fault).toBeUndefined();
  expect(await appendUntilRefused(journal, 5)).toBeUndefined();
  await journal.close();
});

test("a read that fails once skips nothing", async () => {
  const journal = await open({ segmentBytes: 300 });
  expect(await appendUntilRefused(journal, 60)).toBeUndefined();
  let reads = 0;
  const shaky: FaultyDisk = {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode);
      return {
        ...file,
        read(into, position) {
          reads += 1;
          return reads % 3 === 0
            ? Promise.reject(new Error("EIO: i/o error, read"))
            : file.read(into, position);
        },
      };
    },
  };
  const reader = openJournalReader({ dir: join(dir, "journal"), after: 0, fs: shaky });
  const read: number[] = [];
  for (let tries = 0; read.length < 60 && tries < 1_000; tries += 1) {
    const batch = await reader.read(60, 1_000, 2 ** 20).catch(() => []);
    read.push(...batch.map(({ sequence }) => sequence));
  }
  expect(read).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
  await reader.close();
  await journal.close();
});

test("used segments go when the archive has no room, and its unfinished file doesn't stay", async () => {
  const journal = await open({ segmentBytes: 300 });
  expect(await appendUntilRefused(journal, 40)).toBeUndefined();
  disk.room = 50;
  journal.trim(30);
  await journal.close();
  expect(readdirSync(join(dir, "archive"))).toEqual([]);
  expect(readdirSync(join(dir, "journal")).length).toBeLessThan(15);
  disk.room = Number.POSITIVE_INFINITY;
  const again = await open({ segmentBytes: 300 });
  expect(again.durableSequence).toBe(40);
  await again.close();
});
