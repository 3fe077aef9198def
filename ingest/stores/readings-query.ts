import type { HistoryCore } from "./core.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { readDays } from "./days.js";
import { seriesIn } from "./hot.js";
import type { Page, ReadingsQuery, StoredReading } from "./port.js";
import { sealedRows } from "./sealed-rows.js";
import type { NewestValue, Series } from "./series-table.js";
import { numberOf, type Row, rowsOf } from "./sql.js";
import { earliest, inWindow, mostRows, windowsOf } from "./windows.js";

/**
 * Reads stored values, oldest first, a page at a time, from hot rows and sealed days alike.
 * Looks through time in growing windows, so that a page of a long history reads few files.
 * Throws `bad-cursor`, `sealed-day-damaged`.
 */
export async function readReadings(core: HistoryCore, query: ReadingsQuery): Promise<Page<StoredReading>> {
  const all = query.devices === undefined && query.quantity === undefined;
  const selected = all ? undefined : core.series.select(query.devices, query.quantity);
  if (selected?.length === 0) return { items: [], next: undefined };
  const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["number", "number"]);
  const afterMs = place ? Number(place[0]) : Number.NEGATIVE_INFINITY;
  const fromMs = Math.max(query.fromMs ?? Number.NEGATIVE_INFINITY, afterMs);
  const toMs = query.toMs ?? Number.POSITIVE_INFINITY;
  const rows = await core.database.read(async (connection) => {
    const found: Row[] = [];
    for (const window of windowsOf(await readDays(connection, fromMs, toMs), fromMs, toMs)) {
      const files = await core.files.require(window.days);
      const where = [seriesIn(selected), ...inWindow(window)].join(" and ");
      const sources = [`select series, "time", received, value, sequence from readings where ${where}`];
      if (files.length > 0) {
        sources.push(`select *, null from (${sealedRows(files, { selected, ...window })})`);
      }
      const after = place
        ? `where "time" > ${afterMs} or ("time" = ${afterMs} and series > ${Number(place[1])})`
        : "";
      const wanted = query.limit + 1 - found.length;
      const most = await mostRows(connection, window, selected);
      const page = await earliest(
        connection,
        `select * from (${sources.join(" union all ")}) ${after}`,
        wanted,
        most,
      );
      found.push(
        ...(await rowsOf(
          connection,
          `select series, "time"::double as t, received::double as r, value, sequence::double as s from (${page})
           order by "time", series limit ${wanted}`,
        )),
      );
      if (found.length > query.limit) break;
    }
    return found;
  });
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  return {
    items: items.flatMap((row) => {
      const series = core.series.byId(numberOf(row["series"]));
      return series ? [readingOf(core, series, newestOf(row))] : [];
    }),
    next:
      rows.length > query.limit && last
        ? encodeCursor([numberOf(last["t"]), numberOf(last["series"])])
        : undefined,
  };
}

/** Reads the values that were kept aside as conflicts, oldest first. */
export async function readConflicts(
  core: HistoryCore,
  query: { fromMs: number; toMs: number; limit: number },
): Promise<StoredReading[]> {
  const rows = await core.database.read((connection) =>
    rowsOf(
      connection,
      `select series, "time"::double as t, received::double as r, value, null as s from conflicts
       where "time" >= ${query.fromMs} and "time" < ${query.toMs} order by "time", series, received limit ${query.limit}`,
    ),
  );
  return rows.flatMap((row) => {
    const series = core.series.byId(numberOf(row["series"]));
    return series ? [readingOf(core, series, newestOf(row))] : [];
  });
}

/** A stored value as it is read back. */
export function readingOf(core: HistoryCore, series: Series, value: NewestValue): StoredReading {
  return {
    device: series.device,
    quantity: series.quantity,
    unit: core.options.unitOf(series.quantity),
    timeMs: value.timeMs,
    value: value.value,
    attributes: series.attributes === "" ? {} : (JSON.parse(series.attributes) as Record<string, string>),
    receivedMs: value.receivedMs,
    sequence: value.sequence === 0 ? undefined : value.sequence,
  };
}

function newestOf(row: Row): NewestValue {
  return {
    timeMs: numberOf(row["t"]),
    value: numberOf(row["value"]),
    receivedMs: numberOf(row["r"]),
    sequence: row["s"] === null ? 0 : numberOf(row["s"]),
  };
}
