import type { DuckDBConnection } from "@duckdb/node-api";
import type { SeriesTable } from "./series-table.js";
import { numberOf, numbersOf, rowsOf } from "./sql.js";
import { StoredColumns, type StoredRows, type StoredSeries } from "./stored-values.js";

const columns = `series::double, "time"::double, received::double, value, message::double, sequence::double`;
/** A message holds fewer values than this. */
const mostOfMessage = 100_000;

/** Reads stored values forward by sequence: above `after`, up to `limit` and then to the end of the last message. */
export async function readAfter(
  connection: DuckDBConnection,
  series: SeriesTable,
  after: number,
  limit: number,
  lateAfterMs: number,
): Promise<StoredColumns> {
  const take = async (where: string): Promise<StoredRows> => {
    const found = await numbersOf(
      connection,
      `select ${columns} from readings where ${where} order by sequence`,
    );
    return rowsIn(found.columns, series);
  };
  const window = (from: number): Promise<StoredRows> =>
    take(`sequence >= ${from} and sequence < ${from + limit}`);
  let from = after + 1;
  let rows = await window(from);
  if (rows.series.length === 0) {
    // Sealed rows are gone from here: on to the first that is left.
    const [first] = await rowsOf(
      connection,
      `select min(sequence)::double as s from readings where sequence > ${after}`,
    );
    from = numberOf(first?.["s"]);
    if (Number.isNaN(from)) return new StoredColumns(rows, lateAfterMs);
    rows = await window(from);
  }
  const to = from + limit - 1;
  const last = rows.series.length - 1;
  if (rows.sequence[last] !== to) return new StoredColumns(rows, lateAfterMs);
  const rest = await take(
    `sequence > ${to} and message = ${rows.message[last]} and sequence < ${to + mostOfMessage}`,
  );
  return new StoredColumns(rest.series.length === 0 ? rows : joined(rows, rest), lateAfterMs);
}

/** Puts the series to the columns of a result, in the order of {@link columns}; a row of an unknown one is left out. */
function rowsIn(found: readonly Float64Array[], table: SeriesTable): StoredRows {
  const [ids = new Float64Array(0)] = found;
  const known: StoredSeries[] = [];
  const unknown = new Set<number>();
  ids.forEach((id, row) => {
    const series = table.byId(id);
    if (series) known.push(series);
    else unknown.add(row);
  });
  const column = (at: number): Float64Array => {
    const whole = found[at] ?? new Float64Array(0);
    return unknown.size === 0 ? whole : whole.filter((_, row) => !unknown.has(row));
  };
  return {
    series: known,
    timeMs: column(1),
    receivedMs: column(2),
    value: column(3),
    message: column(4),
    sequence: column(5),
  };
}

function joined(a: StoredRows, b: StoredRows): StoredRows {
  const both = (of: (rows: StoredRows) => Float64Array): Float64Array => {
    const [first, second] = [of(a), of(b)];
    const column = new Float64Array(first.length + second.length);
    column.set(first);
    column.set(second, first.length);
    return column;
  };
  return {
    series: [...a.series, ...b.series],
    timeMs: both((rows) => rows.timeMs),
    receivedMs: both((rows) => rows.receivedMs),
    value: both((rows) => rows.value),
    message: both((rows) => rows.message),
    sequence: both((rows) => rows.sequence),
  };
}
