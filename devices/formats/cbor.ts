import { createRequire } from "node:module";
import type { Fault } from "../codec.js";

const require = createRequire(import.meta.url);
const maxDepth = 8;

/**
 * Reads a payload as one CBOR item: maps as `Map`, tagged items as `{tag, contents}`, whole numbers above 2^53 as bigint; or gives
 * the fault. No tag is interpreted, so that a number of 200,000 bytes stays bytes. The library is loaded with the first payload.
 * Guarantee: linear in the payload's length, whatever lengths it states; nested at most 8 deep; never throws.
 * Source: RFC 8949.
 */
export function readCbor(payload: Uint8Array): { item: unknown } | { fault: Fault } {
  try {
    const { decode } = require("cbor2") as typeof import("cbor2");
    return { item: decode(payload, { maxDepth, preferMap: true, ignoreGlobalTags: true }) };
  } catch (error) {
    const detail = `the payload isn't one CBOR item of at most ${maxDepth} levels: ${(error as Error).message}`;
    return { fault: { code: "invalid-cbor", path: "", detail: detail.slice(0, 300) } };
  }
}
