import { ObiegError } from "../../devices/index.js";

/** Writes the place after which a page goes on, as an opaque text. */
export function encodeCursor(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** Reads what {@link encodeCursor} wrote. Throws `bad-cursor` for anything else. */
export function decodeCursor(cursor: string, shape: readonly ("string" | "number")[]): (string | number)[] {
  let place: unknown;
  try {
    place = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    place = undefined;
  }
  if (
    !Array.isArray(place) ||
    place.length !== shape.length ||
    !shape.every((type, index) => typeof (place as unknown[])[index] === type)
  ) {
    throw new ObiegError("bad-cursor", "the cursor isn't one that a former page gave as `next`");
  }
  return place as (string | number)[];
}
