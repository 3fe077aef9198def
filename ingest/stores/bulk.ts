import { ObiegError } from "../../devices/index.js";
import type { HistoryCore } from "./core.js";
import { readDays } from "./days.js";
import { appendSeries } from "./hot.js";
import { sealDay } from "./seal.js";
import type { Series } from "./series-table.js";
import { appendColumns, literal, numberOf, rowsOf } from "./sql.js";
import { sealedBefore } from "./upkeep.js";
import { Workshop } from "./workshop.js";
import type { LocalDay } from "./zone.js";

/** A run of values of one series; times in epoch milliseconds, each once. */
export interface BulkRun {
  device: string;
  quantity: string;
  /** Canonical JSON, or "". */
  attributes: string;
  timesMs: Float64Array;
  values: Float64Array;
}

const columns = ["integer", "bigint", "bigint", "double", "bigint", "bigint"] as const;

/** Loads runs into sealed days (marked as demo) and, for days not yet due, hot rows. Gives the number of rows. Throws `bulk-overlap`. */
export async function loadBulk(
  core: HistoryCore,
  runs: AsyncIterable<BulkRun> | Iterable<BulkRun>,
): Promise<number> {
  const connection = core.database.keeper;
  await connection.run("drop table if exists bulk");
  await connection.run("drop table if exists bulk_unsorted");
  await connection.run("create table bulk_unsorted as select * from readings limit 0");
  const rows = await stage(core, runs);
  const unsaved = [...core.series.unsaved];
  await core.database.write((writer) => appendSeries(writer, unsaved));
  core.series.saved(unsaved.length);
  await connection.run('create table bulk as select * from bulk_unsorted order by "time"');
  await connection.run("drop table bulk_unsorted");
  try {
    await spread(core);
  } finally {
    await connection.run("drop table bulk");
  }
  return rows;
}

async function stage(core: HistoryCore, runs: AsyncIterable<BulkRun> | Iterable<BulkRun>): Promise<number> {
  let rows = 0;
  const appender = await core.database.keeper.createAppender("bulk_unsorted");
  try {
    for await (const run of runs) {
      const series = core.series.obtain(run.device, run.quantity, run.attributes);
      const time = (i: number): number => run.timesMs[i] ?? 0;
      const zero = (): number => 0;
      appendColumns(appender, columns, run.timesMs.length, [
        () => series.id,
        time,
        time,
        (i) => run.values[i] ?? 0,
        zero,
        zero,
      ]);
      rows += run.timesMs.length;
    }
  } finally {
    appender.closeSync();
  }
  return rows;
}

async function spread(core: HistoryCore): Promise<void> {
  const { database, zone, options } = core;
  const connection = database.keeper;
  const quarters = await rowsOf(
    connection,
    'select distinct ("time" // 900000 * 900000)::double as t from bulk order by t',
  );
  const days = new Map<string, LocalDay>();
  for (const row of quarters) {
    const day = zone.at(numberOf(row["t"]));
    days.set(day.day, day);
  }
  const sealed = new Set((await readDays(connection)).map(({ day }) => day));
  const overlap = [...days.keys()].find((day) => sealed.has(day));
  if (overlap !== undefined) {
    throw new ObiegError("bulk-overlap", `${overlap} is sealed already: load into days without data`);
  }
  const before = sealedBefore(core, options.clock());
  const workshop = new Workshop(core);
  try {
    for (const day of days.values()) {
      if (day.toMs <= before) {
        const order = { day, former: undefined, upTo: 0, expired: [], table: "bulk", demo: true };
        await sealDay(core, workshop, order);
      } else {
        await heat(core, day);
      }
      await account(core, day);
    }
  } finally {
    workshop.close();
  }
}

/** Moves a recent day's rows into the hot table. */
async function heat(core: HistoryCore, day: LocalDay): Promise<void> {
  const connection = core.database.keeper;
  const range = `"time" >= ${day.fromMs} and "time" < ${day.toMs}`;
  await core.database.write(async () => {
    await connection.run(`insert into readings select * from bulk where ${range}`);
  }, connection);
  for (const row of await rowsOf(
    connection,
    `select series, max("time")::double as t, arg_max(value, "time") as v from bulk where ${range} group by series`,
  )) {
    const series: Series | undefined = core.series.byId(numberOf(row["series"]));
    const timeMs = numberOf(row["t"]);
    if (!series || (series.newest && series.newest.timeMs >= timeMs)) continue;
    series.newest = { timeMs, value: numberOf(row["v"]), receivedMs: timeMs, sequence: 0 };
  }
}

/** Accounts for a day's rows as values without messages. */
async function account(core: HistoryCore, day: LocalDay): Promise<void> {
  await core.database.write(async (connection) => {
    await connection.run(
      `insert into ledger_partial select ${literal(day.day)}, s.device, 0, 0, 0, 0, count(*), count(*), 0, 0, 0, 0
       from bulk b join series s on s.id = b.series where b."time" >= ${day.fromMs} and b."time" < ${day.toMs} group by s.device`,
    );
  }, core.database.keeper);
}
