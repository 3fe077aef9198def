import { maxFields } from "./interpret.js";
import { readLines } from "./line-protocol.js";

/** Lines of line protocol that one message takes. */
export const maxLines = 5_000;

/** Whole lines that one message holds, of a body that may need several. */
export interface LineBatch {
  payload: Buffer;
  /** Line of the body that it begins on, from 1. */
  line: number;
}

const [newline, equals] = [10, 61];

/** True when the lines surely fit one message: counted by the bytes that stand between lines, and between keys and values. */
function fitsOne(body: Buffer, maxBytes: number): boolean {
  if (body.length > maxBytes) return false;
  let [lines, values] = [1, 0];
  for (const byte of body) {
    if (byte === newline) lines += 1;
    else if (byte === equals) values += 1;
  }
  return lines <= maxLines && values <= maxFields;
}

/**
 * Divides line protocol into what messages of `maxBytes`, 5,000 lines and 5,000 fields hold; a body that fits one stays as it is.
 * Empty lines and comments where it is cut are left out. A line that is too much by itself is a batch of its own, whatever its size.
 * Guarantee: in the body's order; never inside a line, nor in a text in quotes that holds line ends.
 */
export function* batchesOf(body: Buffer, maxBytes: number): Generator<LineBatch, void> {
  if (fitsOne(body, maxBytes)) {
    yield { payload: body, line: 1 };
    return;
  }
  let [from, to, line, lines, fields] = [0, 0, 1, 0, 0];
  // A letter a byte: what divides lines is ASCII, which is no part of another letter in UTF-8.
  for (const one of readLines(body.toString("latin1"))) {
    const more = "fields" in one ? one.fields.length : 0;
    if (lines > 0 && (one.to - from > maxBytes || lines >= maxLines || fields + more > maxFields)) {
      yield { payload: body.subarray(from, to), line };
      lines = 0;
    }
    if (lines === 0) [from, line, fields] = [one.from, one.line, 0];
    to = one.to;
    lines += 1;
    fields += more;
  }
  if (lines > 0) yield { payload: body.subarray(from, to), line };
}
