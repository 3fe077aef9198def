import { ObiegError } from "../../devices/index.js";
import type { SealedDay } from "./days.js";
import type { LocalDay } from "./zone.js";

/** What one day is sealed from. */
export interface SealOrder {
  day: LocalDay;
  /** The revision that stands, to be replaced. */
  former: SealedDay | undefined;
  /** Hot rows up to this sequence are taken. */
  upTo: number;
  /** Devices whose rows have reached the end of their retention. */
  expired: readonly string[];
  /** Table of the hot rows: `readings`, or the staging table of a bulk load. */
  table: string;
  demo: boolean;
}

/** A day's rows didn't add up while it was being sealed: nothing of it was touched. */
export function sealFault({ day }: SealOrder, what: string): ObiegError {
  return new ObiegError(
    "history-seal",
    `${day.day} isn't sealed, its rows stay where they are: ${what}; it is tried again`,
    { detail: { day: day.day }, retryable: true },
  );
}
