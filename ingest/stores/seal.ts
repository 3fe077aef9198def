import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { mkdirSync, statSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import type { HistoryCore } from "./core.js";
import { type SealedDay, sha256Of } from "./days.js";
import { sealedColumns, sealedFormat, sealedTable } from "./sealed-file.js";
import { sealedRows } from "./sealed-rows.js";
import { coveredSlots, expectedSlots, slotsOf } from "./slots.js";
import { checksumFile, writeChecksum } from "./checksum.js";
import { literal, literals, numberOf, rowsOf, textOf } from "./sql.js";
import type { LocalDay } from "./zone.js";

/** What one day is sealed from. */
export interface SealOrder {
  day: LocalDay;
  /** The revision that stands, to be replaced. */
  former: SealedDay | undefined;
  /** Hot rows up to this sequence are taken. */
  upTo: number;
  /** Devices whose rows have reached the end of their retention. */
  expired: readonly string[];
  /** Table of the hot rows: `readings`, or the staging table of a bulk load. */
  table: string;
  demo: boolean;
}

/** A file on disk that no manifest names yet. */
interface SealedDraft {
  sealed: SealedDay | undefined;
  expiredRows: number;
}

/**
 * Writes a day as a Parquet file sorted by quantity, device and time, then lets the manifest name it.
 * Guarantee: at every moment the day's rows are either all in the former place or all in the new one; a crash leaves at most a file that nothing names.
 * Throws `sealed-day-damaged` when the former revision can't be trusted.
 */
export async function sealDay(core: HistoryCore, order: SealOrder): Promise<SealedDraft> {
  const draft = await writeFile(core, order);
  await enlist(core, order, draft.sealed);
  return draft;
}

/** Lets the manifest name a file that is on disk (or nothing), with its rollups and slots, in one transaction. */
export async function enlist(
  core: HistoryCore,
  order: SealOrder,
  sealed: SealedDay | undefined,
): Promise<void> {
  const covered = await prepareRollups(core, sealed);
  if (sealed && order.table !== "readings") await noteNewest(core, sealed);
  await core.database.write(
    (connection) => publish(core, connection, order, sealed, covered),
    core.database.keeper,
  );
}

/** Learns the newest values of a day that didn't come through `identify`. */
async function noteNewest(core: HistoryCore, sealed: SealedDay): Promise<void> {
  for (const row of await rowsOf(
    core.database.keeper,
    `select series, max("time")::double as t, arg_max(value, "time") as v, arg_max(received, "time")::double as r
     from (${sealedRows([core.files.pathOf(sealed)])}) group by series`,
  )) {
    const series = core.series.byId(numberOf(row["series"]));
    const timeMs = numberOf(row["t"]);
    if (!series || (series.newest && series.newest.timeMs >= timeMs)) continue;
    series.newest = { timeMs, value: numberOf(row["v"]), receivedMs: numberOf(row["r"]), sequence: 0 };
  }
}

async function writeFile(core: HistoryCore, order: SealOrder): Promise<SealedDraft> {
  const { dir } = core.options;
  const { day, former } = order;
  const connection = core.database.keeper;
  const revision = (former?.revision ?? 0) + 1;
  const file = join("history", day.day.slice(0, 4), `${day.day}.r${revision}.parquet`);
  const path = join(dir, file);
  const temporary = `${path}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  const source = await sourceOf(core, order);
  const kept = order.expired.length === 0 ? "true" : `device not in ${literals(order.expired)}`;
  const [count] = await rowsOf(
    connection,
    `select count(*)::double as n, count(*) filter (${kept})::double as kept from (${source})`,
  );
  const rows = numberOf(count?.["kept"]);
  const expiredRows = numberOf(count?.["n"]) - rows;
  if (rows === 0) return { sealed: undefined, expiredRows };
  let sha256: string;
  try {
    await connection.run(
      `copy (${sealedColumns(`select * from (${source}) where ${kept}`)}) to ${literal(temporary)} ${sealedFormat}`,
    );
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
  const sealed: SealedDay = {
    day: day.day,
    revision,
    file,
    rows,
    bytes: statSync(path).size,
    sha256,
    fromMs: day.fromMs,
    toMs: day.toMs,
    demo: order.demo,
  };
  await core.files.trust(sealed);
  return { sealed, expiredRows };
}

/** The rows of a day: what the former revision holds, and hot rows of other identities. */
async function sourceOf(core: HistoryCore, order: SealOrder): Promise<string> {
  const { day, former, table, upTo } = order;
  const units = [...new Set([...core.series.all()].map(({ quantity }) => quantity))]
    .map((quantity) => `when ${literal(quantity)} then ${literal(core.options.unitOf(quantity))}`)
    .join(" ");
  const unit = units === "" ? "''" : `case s.quantity ${units} else '' end`;
  const range = `r."time" >= ${day.fromMs} and r."time" < ${day.toMs} and r.sequence <= ${upTo}`;
  const hot = `select s.device, s.quantity, ${unit} as unit, epoch_ms(r."time")::timestamptz as "time", r.value, s.attributes, r.received - r."time" as received_delay_ms
    from ${table} r join series s on s.id = r.series where ${range}`;
  if (!former) return hot;
  const files = await core.files.require([former]);
  return `select device, quantity, unit, "time", value, attributes, received_delay_ms from ${sealedTable(files)}
    union all (select h.device, h.quantity, h.unit, h."time", h.value, h.attributes, h.received_delay_ms from (${hot}) h anti join ${sealedTable(files)} f using (device, quantity, attributes, "time"))`;
}

/** Sums the sealed rows by hour and by day into temporary tables, before the write transaction. */
async function prepareRollups(
  core: HistoryCore,
  sealed: SealedDay | undefined,
): Promise<Map<string, number>> {
  if (!sealed) return new Map();
  const connection = core.database.keeper;
  const source = sealedRows([core.files.pathOf(sealed)]);
  await connection.run(
    `create or replace temp table hours as select ${literal(sealed.day)} as day, series, ("time" // 3600000) * 3600000 as start,
       count(*)::integer as count, sum(value) as sum, min(value) as min, max(value) as max, max("time") as last_time, arg_max(value, "time") as last
     from (${source}) group by series, start order by series, start`,
  );
  await connection.run(
    `create or replace temp table whole as select day, series, ${sealed.fromMs} as start, sum(count)::integer as count, sum(sum) as sum,
       min(min) as min, max(max) as max, max(last_time) as last_time, arg_max(last, last_time) as last from hours group by day, series order by series`,
  );
  const day = core.zone.day(sealed.day);
  return coveredSlots(connection, core, source, day, core.options.clock());
}

async function publish(
  core: HistoryCore,
  connection: DuckDBConnection,
  order: SealOrder,
  sealed: SealedDay | undefined,
  covered: ReadonlyMap<string, number>,
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
    await connection.run("insert into rollup_hour select * from hours");
    await connection.run(
      `delete from rollup_day where day = ${day} and series in (select series from whole)`,
    );
    await connection.run("insert into rollup_day select * from whole");
    await keepDevices(core, connection, order.day, covered);
  }
  await keepNewest(core, connection, order.day);
}

/** Rows and slots of each device's day; a registered device that was silent has a row too. */
async function keepDevices(
  core: HistoryCore,
  connection: DuckDBConnection,
  day: LocalDay,
  covered: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = new Map<string, number>();
  for (const row of await rowsOf(
    connection,
    "select s.device, sum(w.count)::double as n from whole w join series s on s.id = w.series group by s.device",
  )) {
    rows.set(textOf(row["device"]), numberOf(row["n"]));
  }
  for (const device of core.options.devices()) if (!rows.has(device)) rows.set(device, 0);
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
    appender.appendInteger(Math.min(expected, covered.get(device) ?? 0));
    appender.endRow();
  }
  appender.closeSync();
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
