import { ObiegError } from "../../devices/index.js";
import type { StateStore } from "../stores/port.js";
import type { KeptTime } from "./time.js";

/** Key under which the table `rules` holds what isn't of one watch. */
export const metaKey = "@";

/** How far the rules are. */
export interface RuleMeta extends KeptTime {
  version: 1;
  position: number;
  /** Journal sequence of the newest message whose values are judged. */
  message: number;
  /** Values of messages up to this one are passed over: they were judged before history was made again. */
  passUntil: number;
  /** Grows with each save; tells whether the last one was committed. */
  stamp: number;
}

/** Reads how far the rules are; undefined at first. Throws `rules-state-version`. */
export function readMeta(table: ReturnType<StateStore["table"]>): RuleMeta | undefined {
  const meta = table.get(metaKey) as RuleMeta | undefined;
  if (meta && meta.version !== 1) {
    throw new ObiegError(
      "rules-state-version",
      "the state of the rules was written by a newer version: use that",
    );
  }
  return meta;
}
