import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { mkdirSync, statSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import type { HistoryCore } from "./core.js";
import { type SealedDay, sha256Of } from "./days.js";
import { orderDay, orderedRows } from "./day-order.js";
import { type DaySums, sumDay } from "./day-sums.js";
import { sealFault, type SealOrder } from "./seal-order.js";
import { sealedColumns, sealedFormat } from "./sealed-file.js";
import { sealedRows } from "./sealed-rows.js";
import { expectedSlots, slotsOf } from "./slots.js";
import { checksumFile, writeChecksum } from "./checksum.js";
import { literal, literals, numberOf, parquetTable } from "./sql.js";
import type { Workshop } from "./workshop.js";
import type { LocalDay } from "./zone.js";

/** A file on disk that no manifest names yet. */
interface SealedDraft {
  sealed: SealedDay | undefined;
  expiredRows: number;
}

/**
 * Writes a day as a Parquet file in the order of quantity, device and time, then lets the manifest name it.
 * Guarantee: at every moment the day's rows are either all in the former place or all in the new one; a crash leaves at most a file that nothing names.
 * Throws `sealed-day-damaged` when the former revision can't be trusted, `history-seal` when rows don't add up.
 */
export async function sealDay(core: HistoryCore, workshop: Workshop, order: SealOrder): Promise<SealedDraft> {
  await workshop.begin();
  const draft = await writeFile(core, workshop, order);
  await publishDay(core, workshop, order, draft.sealed);
  return draft;
}

/** Lets the manifest name a day's file that lies in the folder, as {@link sealDay} does with the one that it wrote. */
export async function enlist(core: HistoryCore, workshop: Workshop, sealed: SealedDay): Promise<void> {
  await workshop.begin();
  const day = core.zone.day(sealed.day);
  const order = { day, former: undefined, upTo: 0, expired: [], table: "adopted", demo: sealed.demo };
  await publishDay(core, workshop, order, sealed);
}

/** Lets the manifest name a file that is on disk (or nothing), with its rollups and slots, in one transaction. */
async function publishDay(
  core: HistoryCore,
  workshop: Workshop,
  order: SealOrder,
  sealed: SealedDay | undefined,
): Promise<void> {
  const { database } = core;
  const day = sealed && { ...sealed, sums: await sumDay(core, workshop, sealed) };
  if (sealed && order.table !== "readings") await noteNewest(core, workshop, sealed);
  await database.write((connection) => publish(core, connection, order, day), database.keeper);
}

/** Learns the newest values of a day that didn't come through `identify`. */
async function noteNewest(core: HistoryCore, workshop: Workshop, sealed: SealedDay): Promise<void> {
  for (const row of await workshop.rows(
    `select series, max("time")::double as t, arg_max(value, "time") as v, arg_max(received, "time")::double as r
     from (${sealedRows([core.files.pathOf(sealed)])}) group by series`,
  )) {
    const series = core.series.byId(numberOf(row["series"]));
    const timeMs = numberOf(row["t"]);
    if (!series || (series.newest && series.newest.timeMs >= timeMs)) continue;
    series.newest = { timeMs, value: numberOf(row["v"]), receivedMs: numberOf(row["r"]), sequence: 0 };
  }
}

async function writeFile(core: HistoryCore, workshop: Workshop, order: SealOrder): Promise<SealedDraft> {
  const { files, options } = core;
  const { day, former } = order;
  const revision = (former?.revision ?? 0) + 1;
  const file = join("history", day.day.slice(0, 4), `${day.day}.r${revision}.parquet`);
  const path = join(options.dir, file);
  const temporary = `${path}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  const [formerFile] = former ? await files.require([former]) : [];
  const { parts, rows, expiredRows } = await orderDay(core, workshop, order, formerFile);
  if (rows === 0) return { sealed: undefined, expiredRows };
  let sha256: string;
  try {
    await workshop.run(
      `copy (${sealedColumns(orderedRows(parts))}) to ${literal(temporary)} ${sealedFormat}`,
    );
    const [written] = await workshop.rows(`select count(*)::double as n from ${parquetTable([temporary])}`);
    if (numberOf(written?.["n"]) !== rows)
      throw sealFault(order, `the file has ${numberOf(written?.["n"])} of ${rows} rows`);
    await sync(temporary);
    sha256 = await sha256Of(temporary);
    writeChecksum(path, sha256);
    await sync(checksumFile(path));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    await rm(checksumFile(path), { force: true });
    throw error;
  }
  await sync(dirname(path));
  // A zone's rules may have changed since: what the former file holds stays in reach.
  const fromMs = Math.min(day.fromMs, former?.fromMs ?? day.fromMs);
  const toMs = Math.max(day.toMs, former?.toMs ?? day.toMs);
  const bytes = statSync(path).size;
  const sealed = { day: day.day, revision, file, rows, bytes, sha256, fromMs, toMs, demo: order.demo };
  await files.trust(sealed);
  return { sealed, expiredRows };
}

async function publish(
  core: HistoryCore,
  connection: DuckDBConnection,
  order: SealOrder,
  sealed: (SealedDay & { sums: DaySums }) | undefined,
): Promise<void> {
  const day = literal(order.day.day);
  await connection.run(`delete from days where day = ${day}`);
  await connection.run(`delete from rollup_hour where day = ${day}`);
  if (order.table === "readings") {
    await connection.run(
      `delete from readings where "time" >= ${order.day.fromMs} and "time" < ${order.day.toMs} and sequence <= ${order.upTo}`,
    );
  }
  if (sealed) {
    await connection.run(
      `insert into days values (${day}, ${sealed.revision}, ${literal(sealed.file)}, ${sealed.rows}, ${sealed.bytes}, ${literal(sealed.sha256)}, ${sealed.fromMs}, ${sealed.toMs}, ${core.options.clock()}, ${sealed.demo})`,
    );
    const { sums } = sealed;
    const whole = parquetTable(sums.whole);
    await connection.run(`insert into rollup_hour select * from ${parquetTable(sums.hours)}`);
    await connection.run(
      `delete from rollup_day where day = ${day} and series in (select series from ${whole})`,
    );
    await connection.run(`insert into rollup_day select * from ${whole}`);
    await keepDevices(core, connection, order, sums);
  }
  await emptyExpired(connection, order);
  await keepNewest(core, connection, order.day);
}

/**
 * Rows and slots of each device's day; a registered device that was silent has a row too. Of a device whose rows have expired the
 * slots stay as they were counted while it had them.
 */
async function keepDevices(
  core: HistoryCore,
  connection: DuckDBConnection,
  { day, expired }: SealOrder,
  sums: DaySums,
): Promise<void> {
  const rows = new Map(sums.rows);
  for (const device of core.options.devices()) if (!rows.has(device)) rows.set(device, 0);
  for (const device of expired) rows.delete(device);
  await connection.run(
    `delete from day_devices where day = ${literal(day.day)} and device in ${literals(rows.keys())}`,
  );
  const appender = await connection.createAppender("day_devices");
  for (const [device, count] of rows) {
    const expected = expectedSlots(slotsOf(core, device, day, core.options.clock()));
    if (count === 0 && expected === 0) continue;
    appender.appendVarchar(day.day);
    appender.appendVarchar(device);
    appender.appendBigInt(BigInt(count));
    appender.appendInteger(expected);
    appender.appendInteger(Math.min(expected, sums.covered.get(device) ?? 0));
    appender.endRow();
  }
  appender.closeSync();
}

/** Lets the day say that it holds no rows of the devices whose rows have expired. */
async function emptyExpired(connection: DuckDBConnection, { day, expired }: SealOrder): Promise<void> {
  if (expired.length === 0) return;
  await connection.run(
    `update day_devices set rows = 0 where day = ${literal(day.day)} and rows > 0 and device in ${literals(expired)}`,
  );
}

/** Keeps the newest value of the series whose newest has just left the hot table. */
async function keepNewest(core: HistoryCore, connection: DuckDBConnection, day: LocalDay): Promise<void> {
  const gone = [...core.series.all()].filter(
    ({ newest }) => newest && newest.timeMs >= day.fromMs && newest.timeMs < day.toMs,
  );
  if (gone.length === 0) return;
  await connection.run(`delete from series_last where series in (${gone.map(({ id }) => id).join(",")})`);
  const appender = await connection.createAppender("series_last");
  for (const { id, newest } of gone) {
    if (!newest) continue;
    appender.appendInteger(id);
    appender.appendBigInt(BigInt(newest.timeMs));
    appender.appendDouble(newest.value);
    appender.appendBigInt(BigInt(newest.receivedMs));
    appender.endRow();
  }
  appender.closeSync();
}

/** Makes what was written durable: a file's bytes, or a folder's names. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes a file that nothing names any more. Throws `history-cleanup` when it can't. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await rm(checksumFile(path), { force: true });
  } catch (cause) {
    throw new ObiegError("history-cleanup", `cannot remove ${path}`, { cause, retryable: true });
  }
}
