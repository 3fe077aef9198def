import type { HistoryCore } from "./core.js";
import type { SealedDay } from "./days.js";
import { type Place, sealedTable, type Stretch } from "./sealed-file.js";
import { sealedRows } from "./sealed-rows.js";
import { coveredSlots } from "./slots.js";
import { literal, numberOf, parquetTable, textOf } from "./sql.js";
import type { Workshop } from "./workshop.js";

/** Devices' quantities that are summed at once: what the workshop's memory is enough for, however many report. */
const mostPlaces = 2_000;

/** What a sealed day comes to. */
export interface DaySums {
  /** Files with the rows of `rollup_hour` and `rollup_day`, in the workshop's folder. */
  hours: string[];
  whole: string[];
  /** Rows of each device. */
  rows: Map<string, number>;
  /** Expected slots that each device has filled. */
  covered: Map<string, number>;
}

/** Sums a sealed day's rows by hour and by day, a stretch of the file at a time. */
export async function sumDay(core: HistoryCore, workshop: Workshop, sealed: SealedDay): Promise<DaySums> {
  const path = core.files.pathOf(sealed);
  const [hours, whole]: [string[], string[]] = [[], []];
  const stretches = core.series.size <= mostPlaces ? [undefined] : await stretchesOf(workshop, path);
  for (const [n, stretch] of stretches.entries()) {
    await workshop.run(
      `create or replace table hours as select ${literal(sealed.day)} as day, series, ("time" // 3600000) * 3600000 as start,
         count(*)::integer as count, sum(value) as sum, min(value) as min, max(value) as max, max("time") as last_time, arg_max(value, "time") as last
       from (${sealedRows([path], stretch && { stretch })}) group by series, start`,
    );
    const files = [workshop.file(`${n}-hours.parquet`), workshop.file(`${n}-whole.parquet`)] as const;
    await workshop.run(`copy (select * from hours order by series, start) to ${literal(files[0])}`);
    await workshop.run(
      `copy (select day, series, ${sealed.fromMs} as start, sum(count)::integer as count, sum(sum) as sum, min(min) as min, max(max) as max,
         max(last_time) as last_time, arg_max(last, last_time) as last from hours group by day, series order by series) to ${literal(files[1])}`,
    );
    hours.push(files[0]);
    whole.push(files[1]);
  }
  const counted = await workshop.rows(
    `select device, sum(count)::double as n from ${parquetTable(whole)} join series on id = series group by device`,
  );
  const day = core.zone.day(sealed.day);
  return {
    hours,
    whole,
    rows: new Map(counted.map((row) => [textOf(row["device"]), numberOf(row["n"])])),
    covered: await coveredSlots(workshop.connection, core, sealedRows([path]), day, core.options.clock()),
  };
}

async function stretchesOf(workshop: Workshop, path: string): Promise<Stretch[]> {
  const stretches: Stretch[] = [];
  let places = 0;
  for await (const rows of workshop.rowsInTurn(
    `select distinct quantity, device from ${sealedTable([path])} order by quantity, device`,
  )) {
    for (const row of rows) {
      const place: Place = { quantity: textOf(row["quantity"]), device: textOf(row["device"]) };
      const last = stretches.at(-1);
      if (last && places % mostPlaces > 0) last.to = place;
      else stretches.push({ from: place, to: place });
      places += 1;
    }
  }
  return stretches;
}
