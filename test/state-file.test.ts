import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ObiegError } from "../devices/index.js";
import { checkStateFile, worksFault } from "../ingest/stores/state-file.js";

const pageBytes = 4_096;
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-state-file-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What is said of a file before LMDB maps it; undefined when it is whole. */
const saidOf = (file: string): string | undefined => {
  try {
    checkStateFile(file, worksFault);
    return undefined;
  } catch (error) {
    if (!(error instanceof ObiegError)) throw error;
    return `${error.code}: ${error.message}`;
  }
};

test("a file that ends before the last page of its newest transaction is damaged, wherever it was cut, however long it grew", async () => {
  const file = join(dir, "works.mdb");
  const root = open({ path: file, maxDbs: 8, noSubdir: true, overlappingSync: false });
  const cut = join(dir, "cut.mdb");
  for (let round = 0; round < 12; round += 1) {
    const table = root.openDB<string, string>({ name: `table-${round % 3}` });
    await root.transaction(() => {
      for (let n = 0; n < 40; n += 1) void table.put(`${round} ${n}`, "x".repeat(200));
    });
    await root.flushed;
    const { lastPageNumber } = root.getStats() as { lastPageNumber: number };
    const whole = (lastPageNumber + 1) * pageBytes;
    copyFileSync(file, cut);
    if (statSync(cut).size < whole) throw new Error(`${statSync(cut).size} bytes of ${lastPageNumber} pages`);
    expect([round, saidOf(cut)]).toEqual([round, undefined]);
    truncateSync(cut, whole);
    expect([round, saidOf(cut)]).toEqual([round, undefined]);
    for (let size = whole - 1; size > 2 * pageBytes; size -= pageBytes) {
      truncateSync(cut, size);
      expect(saidOf(cut)).toContain(
        `state-damaged: ${cut} is damaged (it has ${size} bytes instead of ${whole})`,
      );
    }
  }
  await root.close();
});
