import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import type { HistoryCore } from "./core.js";
import { writeChecksum } from "./checksum.js";
import { readDays, sha256Of } from "./days.js";
import { sync } from "./seal.js";
import { literal, rowsOf, textOf } from "./sql.js";

/**
 * Copies the history into a folder: the database as of one instant, and the sealed files that its manifest names.
 * The caller holds upkeep off, so that no file is superseded meanwhile; commits go on.
 * Throws `backup-not-empty`, `sealed-day-damaged` (a damaged day isn't copied as if it were whole).
 */
export async function backUp(core: HistoryCore, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  if ((await readdir(dir)).some((name) => name.startsWith("history"))) {
    throw new ObiegError("backup-not-empty", `${dir} already holds a history: name an empty folder`);
  }
  const { database, files } = core;
  const target = join(dir, "history.duckdb");
  await database.keep((connection) => copyDatabase(connection, target));
  await sync(target);
  for (const day of await readDays(database.keeper)) {
    await files.require([day]);
    const copy = join(dir, day.file);
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(files.pathOf(day), copy);
    writeChecksum(copy, day.sha256);
    await sync(copy);
    if ((await sha256Of(copy)) !== day.sha256) {
      throw new ObiegError("backup-copy", `${copy} differs from its original: check the disk, try again`);
    }
  }
  await sync(dir);
}

async function copyDatabase(connection: DuckDBConnection, target: string): Promise<void> {
  await rm(target, { force: true });
  const [current] = await rowsOf(connection, "select current_database() as name");
  await connection.run(`attach ${literal(target)} as backup_target`);
  try {
    await connection.run(`copy from database "${textOf(current?.["name"])}" to backup_target`);
    await connection.run("checkpoint backup_target");
  } finally {
    await connection.run("detach backup_target");
  }
}
