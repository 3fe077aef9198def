import type { DuckDBConnection } from "@duckdb/node-api";
import type { HistoryCore } from "./core.js";
import { readDays } from "./days.js";
import { ask, findHot, note } from "./hot.js";
import type { Asked, Found } from "./identity.js";
import { sealedRows } from "./sealed-rows.js";
import { rowsOf } from "./sql.js";

/** What history holds at the asked places, hot or sealed. */
export async function findStored(core: HistoryCore, asked: readonly Asked[]): Promise<Found> {
  const { database, files, zone } = core;
  return database.read(async (connection: DuckDBConnection) => {
    const found: Found = new Map();
    await ask(connection, asked);
    await findHot(connection, asked, found);
    const touched = new Set(asked.map(({ timeMs }) => zone.at(timeMs).day));
    const days = (await readDays(connection)).filter((day) => touched.has(day.day));
    // A damaged day can't answer: its values count as new, stay hot, and are compared again when the day is resealed.
    const whole = await files.whole(days);
    if (whole.length === 0) return found;
    const selected = [...new Set(asked.map(({ series }) => series))];
    const paths = whole.map((day) => files.pathOf(day));
    note(
      found,
      await rowsOf(
        connection,
        `select r.series, r."time"::double as t, r.value, r.received::double as r from (${sealedRows(paths, { selected })}) r
         semi join asked a on r.series = a.series and r."time" = a."time"`,
      ),
      true,
    );
    return found;
  });
}
