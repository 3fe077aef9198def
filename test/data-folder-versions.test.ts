import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { open } from "lmdb";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFileSystem, openJournal, readArchive } from "../ingest/journal/index.js";
import { openState } from "../ingest/stores/state.js";
import { openTestHistory } from "./support/stores-history.js";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-version-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A segment's head as version `version` writes it. */
function head(version: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(`OBJ${version}`, "latin1");
  bytes.writeDoubleLE(1, 8);
  return bytes;
}

test.each(["1", "9"])(
  "a journal or archive of format %s is refused, named, and left as it is",
  async (version) => {
    const segment = join(dir, "journal", "0000000000000001.journal");
    mkdirSync(join(dir, "journal"));
    mkdirSync(join(dir, "archive"));
    writeFileSync(segment, Buffer.concat([head(version), Buffer.alloc(100, 7)]));
    const before = readFileSync(segment);
    const opening = openJournal({
      dir: join(dir, "journal"),
      archiveDir: join(dir, "archive"),
      segmentBytes: 2 ** 20,
      maxBytes: 2 ** 24,
      archive: { maxDays: 30, maxBytes: 2 ** 24 },
      clock: Date.now,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    await expect(opening).rejects.toMatchObject({
      code: "journal-version",
      message: expect.stringContaining(`format ${version}`) as string,
    });
    expect(readFileSync(segment)).toEqual(before);
    writeFileSync(join(dir, "archive", "0000000000000001-0000000000000002.journal.gz"), gzipSync(before));
    await expect(readArchive(nodeFileSystem, join(dir, "archive")).next()).rejects.toMatchObject({
      code: "archive-version",
      message: expect.stringContaining(`format ${version}`) as string,
    });
  },
);

test.each([1, 99])("a history of format %s is refused, named, and left as it is", async (format) => {
  const { history } = await openTestHistory({ dir });
  await history.close();
  const file = await DuckDBInstance.create(join(dir, "history.duckdb"));
  const connection = await file.connect();
  await connection.run(`update meta set value = ${format} where key = 'format'`);
  await connection.run("checkpoint");
  connection.closeSync();
  file.closeSync();
  const before = readFileSync(join(dir, "history.duckdb"));
  await expect(openTestHistory({ dir })).rejects.toMatchObject({
    code: "history-format",
    message: expect.stringContaining(`format ${format}`) as string,
  });
  expect(readFileSync(join(dir, "history.duckdb")).equals(before)).toBe(true);
  expect(readdirSync(dir).sort()).toEqual(["history", "history.duckdb"]);
});

test.each([undefined, 99])("a state of format %s is refused, and named", async (format) => {
  const made = openState(dir);
  await made.transaction(() => void made.table<number>("registry").put("a", 1));
  await made.close();
  const root = open({ path: join(dir, "works.mdb"), maxDbs: 8, noSubdir: true });
  const meta = root.openDB<number, string>({ name: "meta" });
  if (format === undefined) await meta.remove("format");
  else await meta.put("format", format);
  await root.close();
  expect(() => openState(dir)).toThrow(
    expect.objectContaining({
      code: "state-version",
      message: expect.stringContaining(`format ${format ?? 0}`) as string,
    }) as Error,
  );
});
