import { rm } from "node:fs/promises";
import type { HistoryCore } from "./core.js";
import { sealFault, type SealOrder } from "./seal-order.js";
import { divisorSum, inStretch, sealedTable, type Stretch } from "./sealed-file.js";
import { literal, literals, numberOf, parquetTable, type Row, textOf } from "./sql.js";
import type { Workshop } from "./workshop.js";

/** Rows and series that are brought into order at once: what the workshop's memory is enough for, however large the day. */
const mostRows = 500_000;
const mostSeries = 10_000;

/** How rows are put aside. */
const asideFormat = "(format parquet, compression snappy)";

/** A part of a day: these series, and of one that is too large by itself a stretch of its time. */
interface Slice {
  ranks: { from: number; to: number };
  stretch: Stretch;
  range: { fromMs: number; toMs: number } | undefined;
}

/** How many rows of a day were put in order. */
export interface OrderedDay {
  /** Files of the workshop that hold them, slice by slice. */
  parts: string[];
  /** Rows to be kept, and of devices whose retention has ended. */
  rows: number;
  expiredRows: number;
}

/**
 * Brings the rows of a day into the order of a sealed file (quantity, device, attributes, time): what the former revision holds, and
 * hot rows of other identities. A slice at a time, each into a file of its own.
 * Throws `history-seal` when rows don't add up.
 */
export async function orderDay(
  core: HistoryCore,
  workshop: Workshop,
  order: SealOrder,
  former: string | undefined,
): Promise<OrderedDay> {
  const { day, table, upTo } = order;
  const hot = workshop.file("hot.parquet");
  await core.database.keep((connection) =>
    connection.run(
      `copy (select series, "time", value, received - "time" as delay from ${table}
         where "time" >= ${day.fromMs} and "time" < ${day.toMs} and sequence <= ${upTo}) to ${literal(hot)} ${asideFormat}`,
    ),
  );
  await rankSeries(core, workshop, order, hot, former);
  const parts: string[] = [];
  for (const slice of await slicesOf(workshop)) {
    const sorted = workshop.file(`${parts.length}-sorted.parquet`);
    await workshop.run(
      `copy (${rowsIn(slice, hot, former)} order by rank, "time") to ${literal(sorted)} ${asideFormat}`,
    );
    const part = workshop.file(`${parts.length}.parquet`);
    parts.push(part);
    await workshop.run(
      `copy (select device, quantity, unit, epoch_ms("time")::timestamptz as "time", value, attributes, delay as received_delay_ms, divisor, expired
         from ${parquetTable([sorted])} join (select * from sealing where ${ranksOf(slice)}) using (rank)) to ${literal(part)} ${asideFormat}`,
    );
    await rm(sorted);
  }
  await rm(hot);
  if (parts.length === 0) return { parts, rows: 0, expiredRows: 0 };
  const [count] = await workshop.rows(
    `select sum(num_rows)::double as n, (select sum(n)::double from sealing) as most from parquet_file_metadata([${parts.map(literal).join(",")}])`,
  );
  const [rows, most] = [numberOf(count?.["n"]), numberOf(count?.["most"])];
  const least = order.former?.rows ?? most;
  if (rows < least || rows > most)
    throw sealFault(order, `${rows} of ${least} to ${most} rows were put in order`);
  if (order.expired.length === 0) return { parts, rows, expiredRows: 0 };
  const [expired] = await workshop.rows(
    `select count(*)::double as n from ${parquetTable(parts)} where expired`,
  );
  const expiredRows = numberOf(expired?.["n"]);
  return { parts, rows: rows - expiredRows, expiredRows };
}

/** The rows to be kept, as `sealedColumns` takes them. */
export function orderedRows(parts: readonly string[]): string {
  return `select * from ${parquetTable(parts)} where not expired`;
}

/**
 * Makes the table `sealing` of the day's series in the order of a sealed file. A unit stands as the former revision has it.
 * Step by step: what one of them needs, the next has free (with 48 MB for 500,000 series; at once it failed with 200,000).
 */
async function rankSeries(
  core: HistoryCore,
  workshop: Workshop,
  order: SealOrder,
  hot: string,
  former: string | undefined,
): Promise<void> {
  const counts = `count(*) as n, min("time") as low, max("time") as high, ${divisorSum} as divisor`;
  const names = "device, quantity, attributes";
  const make = (table: string, query: string): Promise<void> =>
    workshop.run(`create or replace table ${table} as ${query}`);
  const drop = (table: string): Promise<void> => workshop.run(`drop table ${table}`);
  await make("hot_series", `select series, ${counts} from ${parquetTable([hot])} group by series`);
  const hotOnes = `select id as series, ${names}, null::varchar as unit, n, low, high, divisor from series join hot_series on series = id`;
  if (former === undefined) await make("day_series", hotOnes);
  else {
    await make(
      "former_names",
      `select ${names}, max(unit) as unit, ${counts}
       from (select ${names}, unit, epoch_ms("time") as "time", value from ${sealedTable([former])}) group by ${names}`,
    );
    await make(
      "former_series",
      `select id as series, f.* from former_names f left join series using (${names})`,
    );
    await make(
      "day_series",
      `select series, ${names}, unit, f.n + coalesce(h.n, 0) as n, least(f.low, h.low) as low, greatest(f.high, h.high) as high,
         greatest(f.divisor, h.divisor) as divisor from former_series f left join hot_series h using (series)`,
    );
    await workshop.run(
      `insert into day_series select * from (${hotOnes}) anti join (select series from former_series) using (series)`,
    );
    await drop("former_series");
  }
  await drop("hot_series");
  const units = [...new Set([...core.series.all()].map(({ quantity }) => quantity))]
    .map((quantity) => `when ${literal(quantity)} then ${literal(core.options.unitOf(quantity))}`)
    .join(" ");
  await make(
    "ranked",
    "select row_number() over (order by quantity, device, attributes)::integer as rank, rowid as place from day_series",
  );
  await make(
    "sealing",
    `select rank, series, ${names}, coalesce(unit, ${units === "" ? "''" : `case quantity ${units} else '' end`}) as unit, n, low, high, divisor,
       coalesce(device in ${literals(order.expired)}, false) as expired from ranked join day_series d on d.rowid = place`,
  );
  await drop("ranked");
  await drop("day_series");
}

async function slicesOf(workshop: Workshop): Promise<Slice[]> {
  const slices: Slice[] = [];
  let filled = mostRows;
  const add = (row: Row): void => {
    const [rank, count] = [numberOf(row["rank"]), numberOf(row["n"])];
    const place = { quantity: textOf(row["quantity"]), device: textOf(row["device"]) };
    const last = slices.at(-1);
    filled += count;
    if (last && filled <= mostRows && rank - last.ranks.from < mostSeries) {
      last.ranks.to = rank;
      last.stretch.to = place;
      return;
    }
    const whole = { ranks: { from: rank, to: rank }, stretch: { from: place, to: place } };
    filled = count;
    const pieces = Math.ceil(count / mostRows);
    if (pieces === 1) slices.push({ ...whole, range: undefined });
    else {
      const [low, high] = [numberOf(row["low"]), numberOf(row["high"])];
      const width = Math.ceil((high + 1 - low) / pieces);
      for (let fromMs = low; fromMs <= high; fromMs += width)
        slices.push({ ...whole, range: { fromMs, toMs: fromMs + width } });
    }
  };
  for await (const rows of workshop.rowsInTurn(
    "select rank, quantity, device, n::double as n, low::double as low, high::double as high from sealing order by rank",
  ))
    rows.forEach(add);
  return slices;
}

const ranksOf = ({ ranks }: Slice): string => `rank between ${ranks.from} and ${ranks.to}`;

function rowsIn(slice: Slice, file: string, former: string | undefined): string {
  const { stretch, range } = slice;
  const wanted = ranksOf(slice);
  const within = range ? ` and "time" >= ${range.fromMs} and "time" < ${range.toMs}` : "";
  const hot = `select rank, series, "time", value, delay from ${parquetTable([file])} join sealing using (series) where ${wanted}${within}`;
  if (former === undefined) return `select rank, "time", value, delay from (${hot})`;
  const sealed = `select rank, series, "time", value, delay
    from (select device, quantity, attributes, epoch_ms("time") as "time", value, received_delay_ms as delay from ${sealedTable([former])} where ${inStretch(stretch)})
    join sealing using (device, quantity, attributes) where ${wanted}${within}`;
  return `with former as (${sealed}), hot as (${hot})
    select rank, "time", value, delay from former
    union all (select rank, "time", value, delay from hot anti join former using (series, "time"))`;
}
