import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Database } from "../ingest/stores/database.js";
import { rowsOf } from "../ingest/stores/sql.js";

let dir: string;
let database: Database;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "obieg-memory-"));
  database = await Database.open(dir, "20MB", () => undefined);
});
afterEach(async () => {
  await database.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Takes more memory than there is: a list can't be put on the disk. */
const greedy = "select list(i) as all_of_them from range(20000000) t(i)";

test("what finds the database's memory taken is asked anew once it is free, on a connection that is clean", async () => {
  let tries = 0;
  const rows = await database.read(async (connection) => {
    tries += 1;
    if (tries < 3) await connection.runAndReadAll(greedy);
    return rowsOf(connection, "select 7 as n");
  });
  expect(rows).toEqual([{ n: 7 }]);
  expect(tries).toBe(3);
});

test("what needs more memory than there is is told so, with a code, and nobody else is the worse for it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    const asked = database
      .read((connection) => connection.runAndReadAll(greedy))
      .catch((error: unknown) => error);
    let answer: unknown;
    void asked.then((error) => (answer = error));
    await vi.waitUntil(async () => (await vi.advanceTimersByTimeAsync(1_000), answer !== undefined), 60_000);
    expect(answer).toMatchObject({ code: "history-memory", retryable: true });
    expect(await database.read((connection) => rowsOf(connection, "select 7 as n"))).toEqual([{ n: 7 }]);
  } finally {
    vi.useRealTimers();
  }
}, 60_000);
