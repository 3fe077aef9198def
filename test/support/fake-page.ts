import { ObiegError } from "../../devices/index.js";
import type { Page } from "../../ingest/index.js";

/** A page of a list in memory; the cursor is where it goes on. Throws `bad-cursor`. */
export const pageFrom = <T>(items: readonly T[], cursor: string | undefined, limit: number): Page<T> => {
  const from = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isInteger(from)) throw new ObiegError("bad-cursor", "give next as cursor");
  const next = from + limit < items.length ? String(from + limit) : undefined;
  return { items: items.slice(from, from + limit), next };
};
