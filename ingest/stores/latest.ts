import type { HistoryCore } from "./core.js";
import { seriesIn } from "./hot.js";
import type { StoredReading } from "./port.js";
import { readingOf } from "./readings-query.js";
import type { NewestValue, Series } from "./series-table.js";
import { numberOf, rowsOf } from "./sql.js";

/** The newest value of each series that lies no further ahead than a value may, read from hot rows and what sealing kept. */
async function readSound(
  { database }: HistoryCore,
  series: readonly Series[],
  untilMs: number,
): Promise<Map<number, NewestValue>> {
  const where = `${seriesIn(series)} and time <= ${untilMs}`;
  const rows = await database.read((connection) =>
    rowsOf(
      connection,
      `select series, arg_max(value, time) v, arg_max(received, time)::double as r, arg_max(sequence, time)::double as s, max(time)::double as t
       from (select series, time, value, received, 0 as sequence from series_last where ${where}
             union all select series, time, value, received, sequence from readings where ${where}) group by series`,
    ),
  );
  return new Map(
    rows.map((row) => [
      numberOf(row["series"]),
      {
        timeMs: numberOf(row["t"]),
        value: numberOf(row["v"]),
        receivedMs: numberOf(row["r"]),
        sequence: numberOf(row["s"]),
      },
    ]),
  );
}

/**
 * The newest value of each series, from memory. What a clock stamped that was ahead, and is mended, gives way to the newest
 * that a clock can have stamped that goes right, where there is one.
 */
async function readNewest(core: HistoryCore, devices?: string[]): Promise<[Series, NewestValue][]> {
  const untilMs = core.options.clock() + core.options.futureSkewMs;
  const selected = core.series.select(devices);
  const ahead = selected.filter(({ newest }) => newest && newest.timeMs > untilMs);
  const sound = ahead.length > 0 ? await readSound(core, ahead, untilMs) : undefined;
  const found: [Series, NewestValue][] = [];
  for (const series of selected) {
    const newest = sound?.get(series.id) ?? series.newest;
    if (newest) found.push([series, newest]);
  }
  return found;
}

/** The newest value of each quantity of some devices, or of all. */
export async function readLatest(core: HistoryCore, devices?: string[]): Promise<StoredReading[]> {
  const newest = new Map<string, [Series, NewestValue]>();
  for (const one of await readNewest(core, devices)) {
    const [{ device, quantity }, { timeMs }] = one;
    const key = `${device} ${quantity}`;
    const known = newest.get(key);
    if (!known || timeMs > known[1].timeMs) newest.set(key, one);
  }
  return [...newest]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, [series, value]]) => readingOf(core, series, value));
}

/** When the newest value of each device was received; a time that lies ahead says nothing. */
export async function readHeard(core: HistoryCore): Promise<Map<string, number>> {
  const untilMs = core.options.clock() + core.options.futureSkewMs;
  const heard = new Map<string, number>();
  for (const [{ device }, { receivedMs }] of await readNewest(core)) {
    if (receivedMs <= untilMs && receivedMs > (heard.get(device) ?? Number.NEGATIVE_INFINITY))
      heard.set(device, receivedMs);
  }
  return heard;
}
