import {
  BIGINT,
  DOUBLE,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  INTEGER,
} from "@duckdb/node-api";

/** A row as a query gives it: columns by name. BIGINT is cast to DOUBLE in our queries, so that numbers are numbers. */
export type Row = Record<string, unknown>;

/** Runs a query and gives all its rows. */
export async function rowsOf(connection: DuckDBConnection, sql: string): Promise<Row[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS();
}

/** Runs a query and gives its rows some thousand at a time: for answers as large as the city. Nothing else may use the connection meanwhile. */
export async function* rowsInTurn(connection: DuckDBConnection, sql: string): AsyncGenerator<Row[]> {
  yield* (await connection.stream(sql)).yieldRowObjectJs();
}

/** Columns of a query's answer, all of them DOUBLE; row `i` of each belongs together. */
export interface Numbers {
  rows: number;
  columns: Float64Array[];
}

/** Runs a query that gives only DOUBLE columns without nulls, straight from DuckDB's vectors: no object a row. */
export async function numbersOf(connection: DuckDBConnection, sql: string): Promise<Numbers> {
  const result = await connection.run(sql);
  const chunks = await result.fetchAllChunks();
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0);
  const columns = Array.from({ length: result.columnCount }, () => new Float64Array(rows));
  let at = 0;
  for (const chunk of chunks) {
    columns.forEach((column, index) => {
      const { items } = chunk.getColumnVector(index) as unknown as { items: Float64Array };
      column.set(items.subarray(0, chunk.rowCount), at);
    });
    at += chunk.rowCount;
  }
  return { rows, columns };
}

/** A cell as a number; null and undefined are NaN. */
export function numberOf(cell: unknown): number {
  return cell === null || cell === undefined ? Number.NaN : Number(cell);
}

/** A cell as text; null is "". */
export function textOf(cell: unknown): string {
  return typeof cell === "string" ? cell : "";
}

/** A SQL literal of a text. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''").replaceAll("\0", "")}'`;
}

/** `('a','b')` for `in`; an empty list matches nothing. */
export function literals(texts: Iterable<string>): string {
  const list = [...texts].map(literal);
  return list.length === 0 ? "(null)" : `(${list.join(",")})`;
}

/** `(1,2)` for `in`; an empty list matches nothing. */
export function integers(numbers: Iterable<number>): string {
  const list = [...numbers].map((number) => Math.trunc(number));
  return list.length === 0 ? "(null)" : `(${list.join(",")})`;
}

/** The rows of Parquet files, as a table. */
export function parquetTable(files: readonly string[]): string {
  return `read_parquet([${files.map(literal).join(",")}])`;
}

/** Rows that a data chunk holds at most (DuckDB's vector size). */
export const chunkRows = 2_048;

const types: Record<ColumnKind, DuckDBType> = { integer: INTEGER, bigint: BIGINT, double: DOUBLE };

/** How a numeric column is written. */
export type ColumnKind = "integer" | "bigint" | "double";

/** Writes number `i` of a column, as {@link ColumnWriter} asks for it. */
export type ColumnSource = (index: number) => number;

/**
 * Appends rows of numbers column by column, straight into DuckDB's vectors. The measured fast way: no object, no bigint a cell.
 * `sources[c](i)` gives the number of column c in row i; whole numbers up to 2^53 for `bigint`.
 */
export function appendColumns(
  appender: DuckDBAppender,
  kinds: readonly ColumnKind[],
  rows: number,
  sources: readonly ColumnSource[],
): void {
  const chunkTypes = kinds.map((kind) => types[kind]);
  for (let offset = 0; offset < rows; offset += chunkRows) {
    const size = Math.min(chunkRows, rows - offset);
    const chunk = DuckDBDataChunk.create(chunkTypes, size);
    kinds.forEach((kind, column) => {
      const vector = chunk.getColumnVector(column);
      const source = sources[column];
      if (source) fill(kind, (vector as unknown as { items: Items }).items, size, offset, source);
      vector.flush();
    });
    appender.appendDataChunk(chunk);
  }
}

type Items = Int32Array | BigInt64Array | Float64Array;

function fill(kind: ColumnKind, items: Items, size: number, offset: number, source: ColumnSource): void {
  if (kind === "bigint") {
    const halves = new Int32Array(items.buffer, items.byteOffset, items.length * 2);
    for (let i = 0; i < size; i += 1) {
      const number = source(offset + i);
      halves[2 * i] = (number % 4_294_967_296) | 0;
      halves[2 * i + 1] = Math.floor(number / 4_294_967_296);
    }
    return;
  }
  const numbers = items as Int32Array | Float64Array;
  for (let i = 0; i < size; i += 1) numbers[i] = source(offset + i);
}
