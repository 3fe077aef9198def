import { setImmediate } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { HistoryCore } from "./core.js";
import { readDays } from "./days.js";
import { seriesIn } from "./hot.js";
import type { SeriesPoint, SeriesQuery, TimeRange } from "./port.js";
import { PromisedValues } from "./promised-values.js";
import { sealedRows } from "./sealed-rows.js";
import type { Series } from "./series-table.js";
import { numbersOf } from "./sql.js";
import { Zone } from "./zone.js";

const hourMs = 3_600_000;
const quarterMs = 900_000;
/** Points that are made before others have a turn. */
const pointsInTurn = 1_000;

/** Grains of time with their sums, as columns in order of time; grains add up to the points of a series. */
interface Grains {
  rows: number;
  startMs: Float64Array;
  count: Float64Array;
  sum: Float64Array;
  min: Float64Array;
  max: Float64Array;
  lastMs: Float64Array;
  last: Float64Array;
}

/** How a query's range is read: where steps begin, the grain of reading, and what rollups may serve. */
interface Plan {
  edges: number[];
  grainMs: number;
  /** Where the grid of grains is anchored. */
  anchorMs: number;
  hours: TimeRange | undefined;
  days: TimeRange | undefined;
}

/** Series that a key tells apart; times are counted from 2000 on, so that a key fits 63 bits until 2069. */
const mostSeries = 2 ** 22;
const firstMs = Date.UTC(2000, 0, 1);

/** The newest value and its time; of several at the same time that of the highest series, whichever row is read first. */
const newest = (value: string, time: string): string => {
  const key = `(${time} - ${firstMs}) * ${mostSeries} + series`;
  return `max(${time})::double as last_t, max(${key}) % ${mostSeries} as last_series, arg_max(${value}, ${key}) final`;
};
const sums = (value: string): string =>
  `count(*)::integer as n, sum(${value}) total, min(${value}) low, max(${value}) high, ${newest(value, '"time"')}`;

/**
 * Aggregates a quantity over devices in steps of time; steps without a value are left out.
 * Whole hours and days of sealed history come from rollups, the rest from rows; both give the same numbers.
 * `last` is the newest value; where several devices have one at the same time, always the same device's.
 * `expected` is how many values the devices' intervals promise a step, up to now; undefined when a device has no interval.
 * Throws `sealed-day-damaged` when rows of a damaged day are needed, RangeError for an unknown zone.
 */
export async function readSeries(core: HistoryCore, query: SeriesQuery): Promise<SeriesPoint[]> {
  const selected = core.series.select(query.devices, query.quantity);
  if (selected.length === 0 || query.toMs <= query.fromMs) return [];
  const plan = planOf(core, query);
  const grains = await core.database.read((connection) =>
    readGrains(core, connection, query, plan, selected),
  );
  return gather(core, query, plan.edges, grains);
}

function planOf(core: HistoryCore, query: SeriesQuery): Plan {
  const { fromMs, toMs, step } = query;
  const zone = query.timeZone === core.zone.name ? core.zone : new Zone(query.timeZone);
  const edges = typeof step === "number" ? evenEdges(step, fromMs, toMs) : zone.edges(step, fromMs, toMs);
  const byHour = edges.every((edge) => edge % hourMs === 0);
  const whole = (from: number, to: number): TimeRange | undefined =>
    from < to ? { fromMs: from, toMs: to } : undefined;
  const hours = byHour
    ? whole(Math.ceil(fromMs / hourMs) * hourMs, Math.floor(toMs / hourMs) * hourMs)
    : undefined;
  const byDay = zone === core.zone && typeof step === "string" && step !== "hour";
  const first = core.zone.at(fromMs);
  const last = core.zone.at(toMs);
  const days = byDay ? whole(first.fromMs === fromMs ? fromMs : first.toMs, last.fromMs) : undefined;
  if (typeof step === "number" && !byHour) {
    return { edges, grainMs: step, anchorMs: edges[0] ?? 0, hours, days };
  }
  return { edges, grainMs: byHour ? hourMs : quarterMs, anchorMs: 0, hours, days };
}

/** Steps of equal length are aligned to the epoch. */
function evenEdges(stepMs: number, fromMs: number, toMs: number): number[] {
  const edges: number[] = [];
  for (let at = Math.floor(fromMs / stepMs) * stepMs; ; at += stepMs) {
    edges.push(at);
    if (at >= toMs) return edges;
  }
}

async function readGrains(
  core: HistoryCore,
  connection: DuckDBConnection,
  query: SeriesQuery,
  plan: Plan,
  selected: readonly Series[],
): Promise<Grains> {
  const own = seriesIn(selected);
  const grain = `("time" - ${plan.anchorMs}) // ${plan.grainMs} * ${plan.grainMs} + ${plan.anchorMs}`;
  const parts = [
    `select ${grain} as start, ${sums("value")} from readings
     where ${own} and "time" >= ${query.fromMs} and "time" < ${query.toMs} group by 1`,
  ];
  const { rest, rollups } = split(query, plan);
  for (const { table, range } of rollups) {
    parts.push(
      `select start, sum(count)::integer as n, sum(sum) total, min(min) low, max(max) high, ${newest("last", "last_time")}
       from ${table} where ${own} and start >= ${range.fromMs} and start < ${range.toMs} group by 1`,
    );
  }
  for (const range of rest) {
    const files = await core.files.require(await readDays(connection, range.fromMs, range.toMs));
    if (files.length === 0) continue;
    parts.push(
      `select ${grain} as start, ${sums("value")} from (${sealedRows(files, { selected, ...range })}) group by 1`,
    );
  }
  const { rows, columns } = await numbersOf(
    connection,
    `select start::double, n::double, total::double, low::double, high::double, last_t, final::double
     from (${parts.join(" union all ")}) order by start, last_t, last_series`,
  );
  const [startMs, count, sum, min, max, lastMs, last] = columns as Columns;
  return { rows, startMs, count, sum, min, max, lastMs, last };
}

type Columns = [
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
];

interface Rollups {
  table: "rollup_hour" | "rollup_day";
  range: TimeRange;
}

/** Divides the range between day rollups, hour rollups and sealed rows, without gap or overlap. */
function split(query: TimeRange, plan: Plan): { rollups: Rollups[]; rest: TimeRange[] } {
  const rollups: Rollups[] = [];
  let rest: TimeRange[] = [{ fromMs: query.fromMs, toMs: query.toMs }];
  const cut = (table: Rollups["table"], whole: TimeRange | undefined): void => {
    if (!whole) return;
    rest = rest.flatMap((range) => {
      const fromMs = Math.max(range.fromMs, whole.fromMs);
      const toMs = Math.min(range.toMs, whole.toMs);
      if (fromMs >= toMs) return [range];
      rollups.push({ table, range: { fromMs, toMs } });
      return [
        { fromMs: range.fromMs, toMs: fromMs },
        { fromMs: toMs, toMs: range.toMs },
      ].filter((left) => left.fromMs < left.toMs);
    });
  };
  cut("rollup_day", plan.days);
  cut("rollup_hour", plan.hours);
  return { rollups, rest };
}

async function gather(
  core: HistoryCore,
  query: SeriesQuery,
  edges: readonly number[],
  grains: Grains,
): Promise<SeriesPoint[]> {
  const { rows, startMs } = grains;
  const promised = new PromisedValues(core, query.devices);
  const points: SeriesPoint[] = [];
  let step = 0;
  for (let at = 0; at < rows;) {
    const start = Math.max(startMs[at] ?? 0, query.fromMs);
    while (step + 1 < edges.length - 1 && (edges[step + 1] ?? Infinity) <= start) step += 1;
    const toEdge = edges[step + 1] ?? query.toMs;
    const first = at;
    while (at < rows && (startMs[at] ?? 0) < toEdge) at += 1;
    if (at === first) break;
    const fromMs = Math.max(edges[step] ?? query.fromMs, query.fromMs);
    const toMs = Math.min(toEdge, query.toMs);
    const expected = promised.in(fromMs, toMs);
    points.push({ fromMs, toMs, expected, ...addUp(grains, first, at) });
    if (points.length % pointsInTurn === 0) await setImmediate();
  }
  return points;
}

/** What the grains from `first` up to `end` come to. */
function addUp(
  { count, sum, min, max, lastMs, last }: Grains,
  first: number,
  end: number,
): Omit<SeriesPoint, "fromMs" | "toMs" | "expected"> {
  const all = { count: 0, min: Infinity, mean: 0, max: -Infinity, last: 0 };
  let total = 0;
  let newestMs = -Infinity;
  for (let at = first; at < end; at += 1) {
    all.count += count[at] ?? 0;
    total += sum[at] ?? 0;
    all.min = Math.min(all.min, min[at] ?? Infinity);
    all.max = Math.max(all.max, max[at] ?? -Infinity);
    if ((lastMs[at] ?? 0) < newestMs) continue;
    newestMs = lastMs[at] ?? 0;
    all.last = last[at] ?? 0;
  }
  all.mean = total / all.count;
  return all;
}
