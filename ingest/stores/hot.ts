import type { DuckDBConnection } from "@duckdb/node-api";
import type { Asked, Found, FoundValue } from "./identity.js";
import type { Series } from "./series-table.js";
import type { ValueColumns } from "./values.js";
import {
  appendColumns,
  type ColumnKind,
  type ColumnSource,
  integers,
  numberOf,
  type Row,
  rowsOf,
} from "./sql.js";

const kinds: readonly ColumnKind[] = ["integer", "bigint", "bigint", "double", "bigint", "bigint"];

/** Appends rows of a batch to `readings` or `conflicts` (same columns), inside the caller's transaction. */
export async function appendRows(
  connection: DuckDBConnection,
  table: "readings" | "conflicts",
  values: ValueColumns,
  rows: Int32Array,
): Promise<void> {
  if (rows.length === 0) return;
  const { series, timeMs, receivedMs, value, message, sequence } = values;
  const numbers =
    (column: Float64Array): ColumnSource =>
    (i) =>
      column[rows[i] as number] as number;
  const appender = await connection.createAppender(table);
  appendColumns(appender, kinds, rows.length, [
    (i) => (series[rows[i] as number] as Series).id,
    numbers(timeMs),
    numbers(receivedMs),
    numbers(value),
    numbers(message),
    numbers(sequence),
  ]);
  appender.closeSync();
}

/** Saves new series, inside the caller's transaction. */
export async function appendSeries(connection: DuckDBConnection, series: readonly Series[]): Promise<void> {
  if (series.length === 0) return;
  const appender = await connection.createAppender("series");
  for (const { id, device, quantity, attributes } of series) {
    appender.appendInteger(id);
    appender.appendVarchar(device);
    appender.appendVarchar(quantity);
    appender.appendVarchar(attributes);
    appender.endRow();
  }
  appender.closeSync();
}

/** Fills the reader's temporary table `asked` with places to look at. */
export async function ask(connection: DuckDBConnection, asked: readonly Asked[]): Promise<void> {
  await connection.run("delete from asked");
  const at = (index: number): Asked => asked[index] as Asked;
  const appender = await connection.createAppender("asked", "main", "temp");
  appendColumns(appender, ["integer", "bigint"], asked.length, [(i) => at(i).series.id, (i) => at(i).timeMs]);
  appender.closeSync();
}

/** Adds what hot rows hold at the asked places to `found`. */
export async function findHot(
  connection: DuckDBConnection,
  asked: readonly Asked[],
  found: Found,
): Promise<void> {
  let fromMs = Number.POSITIVE_INFINITY;
  let toMs = Number.NEGATIVE_INFINITY;
  for (const { timeMs } of asked) {
    if (timeMs < fromMs) fromMs = timeMs;
    if (timeMs > toMs) toMs = timeMs;
  }
  note(
    found,
    await rowsOf(
      connection,
      `select r.series, r.time::double as t, r.value, r.received::double as r from readings r semi join asked a on r.series = a.series and r.time = a.time
       where r.time between ${fromMs} and ${toMs}`,
    ),
  );
}

/** Notes rows (series, t, value, r) as found. */
export function note(found: Found, rows: readonly Row[], isSealed = false): void {
  for (const row of rows) {
    const series = numberOf(row["series"]);
    let times = found.get(series);
    if (!times) found.set(series, (times = new Map<number, FoundValue>()));
    times.set(numberOf(row["t"]), {
      value: numberOf(row["value"]),
      receivedMs: numberOf(row["r"]),
      isSealed,
    });
  }
}

/** `series in (...)`, or `true` when all are meant. */
export function seriesIn(selected: readonly Series[] | undefined): string {
  return selected ? `series in ${integers(selected.map((series) => series.id))}` : "true";
}
