import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../../ingest/stores/database.js";
import { SealedFiles } from "../../ingest/stores/days.js";
import { EmbeddedHistory } from "../../ingest/stores/history.js";
import type { HistoryOptions } from "../../ingest/stores/options.js";
import { SeriesTable } from "../../ingest/stores/series-table.js";
import { rowsOf } from "../../ingest/stores/sql.js";
import { Zone } from "../../ingest/stores/zone.js";

/** One database under many histories, one after another: each begins with no table, as in a new file, and its `close` leaves the file open. */
export interface SharedHistory {
  open(options: HistoryOptions): Promise<EmbeddedHistory>;
  close(): Promise<void>;
}

/** Opens the database, which takes longer than most of what a short test does with it. Nothing of it is ever sealed. */
export async function openSharedHistory(): Promise<SharedHistory> {
  const dir = mkdtempSync(join(tmpdir(), "obieg-history-"));
  mkdirSync(join(dir, "history"));
  const database = await Database.open(dir, "100MB", () => undefined);
  return {
    async open(options) {
      const { keeper } = database;
      const before = await rowsOf(keeper, "select table_name as name from duckdb_tables()");
      await keeper.run("begin");
      for (const { name } of before) await keeper.run(`drop table ${String(name)}`);
      await keeper.run("commit");
      const history = await EmbeddedHistory.open({
        database,
        series: new SeriesTable(),
        files: new SealedFiles(dir),
        zone: new Zone(options.timeZone),
        options: {
          hotDays: 2,
          holdDays: 30,
          untilMsOf: () => undefined,
          quarantineDays: Number.POSITIVE_INFINITY,
          futureSkewMs: 300_000,
          memoryLimit: "100MB",
          onTorn: () => undefined,
          ...options,
        },
      });
      history.close = () => Promise.resolve();
      return history;
    },
    async close() {
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
