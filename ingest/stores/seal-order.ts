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

/** A day couldn't be sealed: nothing of it was touched. `cause` keeps its code, if it has one. */
export function sealFault({ day, former }: SealOrder, what: string, cause?: unknown): ObiegError {
  return new ObiegError(
    cause instanceof ObiegError ? cause.code : "history-seal",
    `${day.day} isn't sealed${former ? " anew" : ""}, its rows stay where they are: ${what}; it is tried again`,
    { detail: { day: day.day }, retryable: true, cause },
  );
}

/** What the sealing of a day threw, with the day's name. */
export function namedFault(order: SealOrder, error: Error): ObiegError {
  const isNamed = error instanceof ObiegError && error.code === "history-seal";
  return isNamed ? error : sealFault(order, error.message, error);
}
