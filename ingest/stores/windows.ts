import type { DuckDBConnection } from "@duckdb/node-api";
import type { SealedDay } from "./days.js";
import { seriesIn } from "./hot.js";
import type { TimeRange } from "./port.js";
import type { Series } from "./series-table.js";
import { literal, numberOf, numbersOf, rowsOf } from "./sql.js";

/** A stretch of event time with the sealed days in it. */
export interface Window extends TimeRange {
  days: SealedDay[];
}

/** Rows that are sorted for a page at least; to sort all rows of a full day for each page takes the database's memory. */
const sortedAtOnce = 50_000;
/** Steps of time that rows are counted by to find where a page ends. */
const steps = 1_000;

/** Cuts a range at ends of sealed days, `first`, twice, four times … as many a window; the last one is open. */
export function windowsOf(days: readonly SealedDay[], fromMs: number, toMs: number, first = 1): Window[] {
  const windows: Window[] = [];
  let from = fromMs;
  for (let at = 0, size = first; at < days.length; at += size, size *= 2) {
    const group = days.slice(at, at + size);
    const to = at + size >= days.length ? toMs : Math.min(toMs, group.at(-1)?.toMs ?? toMs);
    windows.push({ fromMs: from, toMs: to, days: group });
    from = to;
  }
  if (windows.length === 0) windows.push({ fromMs, toMs, days: [] });
  return windows;
}

/** Conditions of a window on the column `time`. */
export function inWindow({ fromMs, toMs }: TimeRange): string[] {
  return [
    ...(Number.isFinite(fromMs) ? [`"time" >= ${fromMs}`] : []),
    ...(Number.isFinite(toMs) ? [`"time" < ${toMs}`] : []),
  ];
}

/** How many rows of these series (all when undefined) a window holds at most: hot ones counted, sealed ones by the rollups. */
export async function mostRows(
  connection: DuckDBConnection,
  window: Window,
  selected: readonly Series[] | undefined,
): Promise<number> {
  const hot = `select count(*) as n from readings where ${[seriesIn(selected), ...inWindow(window)].join(" and ")}`;
  const [first, last] = [window.days[0], window.days.at(-1)];
  if (!first || !last || !selected) {
    const [row] = await rowsOf(connection, `select n::double as n from (${hot})`);
    return numberOf(row?.["n"]) + window.days.reduce((sum, { rows }) => sum + rows, 0);
  }
  const sealed = `select coalesce(sum(count), 0) as n from rollup_day where day between ${literal(first.day)} and ${literal(last.day)} and ${seriesIn(selected)}`;
  const [row] = await rowsOf(connection, `select sum(n)::double as n from (${hot} union all ${sealed})`);
  return numberOf(row?.["n"]);
}

/**
 * Bounds a query that gives `time`, of at most `most` rows, to what holds its earliest `rows` rows, and not many more: a page is
 * sorted from them. Rows are counted by steps of time, ever finer, until few enough are left or they are of the same millisecond.
 */
export async function earliest(
  connection: DuckDBConnection,
  source: string,
  rows: number,
  most: number,
): Promise<string> {
  const enough = Math.max(sortedAtOnce, 2 * rows);
  if (most <= enough) return source;
  const [all] = await rowsOf(
    connection,
    `select count(*)::double as n, min("time")::double as low, max("time")::double as high from (${source})`,
  );
  if (numberOf(all?.["n"]) <= enough) return source;
  let [fromMs, toMs] = [numberOf(all?.["low"]), numberOf(all?.["high"]) + 1];
  for (let earlier = 0; ;) {
    const width = Math.ceil((toMs - fromMs) / steps);
    const { columns } = await numbersOf(
      connection,
      `select (("time" - ${fromMs}) // ${width})::double as step, count(*)::double as n from (${source})
       where "time" >= ${fromMs} and "time" < ${toMs} group by step order by step`,
    );
    const [at, counts] = columns as [Float64Array, Float64Array];
    let last = 0;
    for (; last < at.length - 1 && earlier + (counts[last] as number) < rows; last += 1)
      earlier += counts[last] as number;
    fromMs += (at[last] as number) * width;
    toMs = fromMs + width;
    if (earlier + (counts[last] as number) <= enough || width === 1)
      return `select * from (${source}) where "time" < ${toMs}`;
  }
}
