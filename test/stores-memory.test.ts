import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Database } from "../ingest/stores/database.js";
import { numberOf, rowsOf } from "../ingest/stores/sql.js";

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
const seven = (connection: DuckDBConnection): Promise<unknown> => rowsOf(connection, "select 7 as n");

test("what finds the database's memory taken is asked anew, on a connection that is clean", async () => {
  let tries = 0;
  const rows = await database.read(async (connection) => {
    tries += 1;
    if (tries < 3) await connection.runAndReadAll(greedy);
    return seven(connection);
  });
  expect(rows).toEqual([{ n: 7 }]);
  expect(tries).toBe(3);
});

test("what needs more memory than there is is told so, with a code, and nobody else is the worse for it", async () => {
  let tries = 0;
  const answer = database.read((connection) => {
    tries += 1;
    return connection.runAndReadAll(greedy);
  });
  await expect(answer).rejects.toMatchObject({ code: "history-memory", retryable: true });
  expect(tries).toBe(4);
  expect(await database.read(seven)).toEqual([{ n: 7 }]);
});

test("what is done anew has a turn of its own: after what runs, before what comes; a commit waits for nobody", async () => {
  await database.write((connection) => connection.run("create table kept(n INTEGER)"));
  const told: string[] = [];
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const earlier = database.read(async () => {
    await held;
    told.push("earlier");
  });
  let tries = 0;
  let failed = (): void => undefined;
  const hasFailed = new Promise<void>((resolve) => (failed = resolve));
  const upkeep = database.keep(async (connection) => {
    tries += 1;
    if (tries === 1) await connection.runAndReadAll(greedy).finally(() => setImmediate(failed));
    told.push("upkeep");
  });
  await hasFailed;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const later = database.read(async () => void told.push("later"));
  await database.write((connection) => connection.run("insert into kept values (1)"));
  told.push("commit");
  letGo();
  await Promise.all([earlier, upkeep, later]);
  expect(told).toEqual(["commit", "earlier", "upkeep", "later"]);
});

test("a transaction that finds the memory taken is rolled back and written anew, once", async () => {
  await database.write((connection) => connection.run("create table kept(n INTEGER)"));
  let tries = 0;
  let meanwhiles = 0;
  await database.write(
    async (connection) => {
      tries += 1;
      await connection.run(`insert into kept values (${tries})`);
      if (tries === 1) await connection.runAndReadAll(greedy);
    },
    undefined,
    () => (meanwhiles += 1),
  );
  const rows = await database.read((connection) => rowsOf(connection, "select n from kept"));
  expect(rows.map((row) => numberOf(row["n"]))).toEqual([2]);
  expect(meanwhiles).toBe(1);
});
