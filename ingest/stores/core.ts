import type { Database } from "./database.js";
import type { SealedFiles } from "./days.js";
import type { HistoryOptions } from "./options.js";
import type { SeriesTable } from "./series-table.js";
import type { Zone } from "./zone.js";

/** What the parts of the history share. */
export interface HistoryCore {
  readonly database: Database;
  readonly series: SeriesTable;
  readonly files: SealedFiles;
  readonly zone: Zone;
  readonly options: Required<HistoryOptions>;
}

/** Milliseconds of a 24-hour day. */
export const dayMs = 86_400_000;
