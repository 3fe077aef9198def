import type { HistoryCore } from "./core.js";
import { readDays } from "./days.js";
import { seriesIn } from "./hot.js";
import type { CounterPage, CounterQuery, CounterValue } from "./port.js";
import { sealedRows } from "./sealed-rows.js";
import { numbersOf } from "./sql.js";
import { earliest, inWindow, mostRows, windowsOf } from "./windows.js";

/** Values that a sealed day of a counter holds, about: how many days are looked through at once. */
const valuesADay = 100;

/**
 * Reads what a device's counter showed, oldest first, whatever attributes stood beside it: about `limit` values, all
 * of a moment or none. Bare numbers, so that a year takes as long as its files do.
 * Throws `sealed-day-damaged`.
 */
export async function readCounter(core: HistoryCore, query: CounterQuery): Promise<CounterPage> {
  const { fromMs, toMs, limit } = query;
  const selected = core.series.select([query.device], query.quantity);
  if (selected.length === 0 || fromMs >= toMs) return { items: [], nextMs: undefined };
  const found: CounterValue[] = [];
  const most = limit + 1;
  await core.database.read(async (connection) => {
    const days = await readDays(connection, fromMs, toMs);
    for (const window of windowsOf(days, fromMs, toMs, Math.ceil(limit / valuesADay))) {
      const files = await core.files.require(window.days);
      const where = [seriesIn(selected), ...inWindow(window)].join(" and ");
      const sources = [`select "time", value, received from readings where ${where}`];
      if (files.length > 0)
        sources.push(`select "time", value, received from (${sealedRows(files, { selected, ...window })})`);
      const wanted = most - found.length;
      const rowsThere = await mostRows(connection, window, selected);
      const page = await earliest(connection, sources.join(" union all "), wanted, rowsThere);
      const { rows, columns } = await numbersOf(
        connection,
        `select "time"::double as t, value, received::double as r from (${page}) order by t, r limit ${wanted}`,
      );
      const [times, values, received] = columns as [Float64Array, Float64Array, Float64Array];
      for (let row = 0; row < rows; row += 1) {
        found.push({
          timeMs: times[row] as number,
          value: values[row] as number,
          receivedMs: received[row] as number,
        });
      }
      if (found.length >= most) break;
    }
  });
  const last = found.at(-1);
  if (found.length < most || !last) return { items: found, nextMs: undefined };
  const whole = found.filter(({ timeMs }) => timeMs < last.timeMs);
  return whole.length > 0 ? { items: whole, nextMs: last.timeMs } : { items: found, nextMs: last.timeMs + 1 };
}
