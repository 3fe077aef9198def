import type { DuckDBConnection } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import { numberOf, rowsOf, textOf } from "./sql.js";

/** Version of the tables in `history.duckdb` and of the sealed files beside it. */
export const historyFormat = 2;

/** `rebuild_until` of a history that is new: whether it is made again from the journal's past isn't decided yet. */
export const undecided = -1;

const counts = [
  "received",
  "decoded",
  "ignored",
  "quarantined",
  "values_decoded",
  "values_stored",
  "values_duplicate",
  "values_conflict",
  "values_quarantined",
  "values_late",
] as const;

/** The counting columns of the ledger tables, in their order. */
export const ledgerColumns: readonly string[] = counts;

const ledgerColumnsSql = `day VARCHAR, device VARCHAR, ${counts.map((name) => `${name} BIGINT`).join(", ")}`;
const rollupColumnsSql =
  "day VARCHAR, series INTEGER, start BIGINT, count INTEGER, sum DOUBLE, min DOUBLE, max DOUBLE, last_time BIGINT, last DOUBLE";

/** The table of series, as `create table` takes it. */
export const seriesTable = "series(id INTEGER, device VARCHAR, quantity VARCHAR, attributes VARCHAR)";

const tables: readonly string[] = [
  "meta(key VARCHAR, value BIGINT)",
  seriesTable,
  "series_last(series INTEGER, time BIGINT, value DOUBLE, received BIGINT)",
  "readings(series INTEGER, time BIGINT, received BIGINT, value DOUBLE, message BIGINT, sequence BIGINT)",
  "conflicts(series INTEGER, time BIGINT, received BIGINT, value DOUBLE, message BIGINT, sequence BIGINT)",
  `ledger(${ledgerColumnsSql})`,
  `ledger_partial(${ledgerColumnsSql})`,
  "quarantine(id VARCHAR, message BIGINT, received BIGINT, device VARCHAR, user_name VARCHAR, topic VARCHAR, whole BOOLEAN, reason VARCHAR, paths VARCHAR, count INTEGER, detail VARCHAR, status VARCHAR, changed BIGINT, changed_by VARCHAR)",
  "quarantine_raw(message BIGINT, payload BLOB)",
  "days(day VARCHAR, revision INTEGER, file VARCHAR, rows BIGINT, bytes BIGINT, sha256 VARCHAR, start BIGINT, until BIGINT, sealed BIGINT, demo BOOLEAN)",
  "day_devices(day VARCHAR, device VARCHAR, rows BIGINT, expected INTEGER, covered INTEGER)",
  `rollup_hour(${rollupColumnsSql})`,
  `rollup_day(${rollupColumnsSql})`,
];

/**
 * Makes the tables of an empty database, or checks the version of an existing one. Gives true when it made them.
 * Throws `history-format`: the folder was written by a newer version.
 */
export async function prepareSchema(connection: DuckDBConnection): Promise<boolean> {
  const [found] = await rowsOf(
    connection,
    "select count(*)::integer as n from information_schema.tables where table_name = 'meta'",
  );
  if (numberOf(found?.["n"]) === 0) {
    await connection.run("begin");
    for (const table of tables) await connection.run(`create table ${table}`);
    await connection.run(
      `insert into meta values ('format', ${historyFormat}), ('position', 0), ('last_sequence', 0), ('rebuild_until', ${undecided})`,
    );
    await connection.run("commit");
    return true;
  }
  const [row] = await rowsOf(connection, "select value::double as value from meta where key = 'format'");
  const format = numberOf(row?.["value"]);
  if (format !== historyFormat) {
    throw new ObiegError(
      "history-format",
      `history.duckdb has format ${format}, this version reads ${historyFormat}: start the version that wrote it, or restore a backup of this one`,
      { detail: { found: format, supported: historyFormat } },
    );
  }
  return false;
}

/** What the table `meta` says, by key. */
export async function readMeta(connection: DuckDBConnection): Promise<Map<string, number>> {
  const rows = await rowsOf(connection, "select key, value::double as v from meta");
  return new Map(rows.map((row) => [textOf(row["key"]), numberOf(row["v"])]));
}
