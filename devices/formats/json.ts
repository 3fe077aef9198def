import type { Fault } from "../codec.js";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const maxDepth = 12;
const maxLeaves = 5_000;
const maxName = 128;
const maxFrom = 200;

/** A JSON object as `JSON.parse` gives it. */
export type JsonObject = { readonly [key: string]: unknown };

/** True for a JSON object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a payload as JSON; gives the fault when it isn't. */
export function readJson(payload: Uint8Array): { item: unknown } | { fault: Fault } {
  try {
    return { item: JSON.parse(strictUtf8.decode(payload)) };
  } catch (error) {
    const detail = `the payload isn't JSON in UTF-8: ${(error as Error).message}`;
    return { fault: { code: "invalid-json", path: "", detail: detail.slice(0, 300) } };
  }
}

/** Reads a payload as a JSON object; gives the fault when it isn't one. */
export function readObject(payload: Uint8Array): { object: JsonObject } | { fault: Fault } {
  const read = readJson(payload);
  if ("fault" in read) return read;
  if (isObject(read.item)) return { object: read.item };
  return { fault: { code: "wrong-type", path: "", detail: "a JSON object is expected" } };
}

/** Escapes a key as a step of a JSON pointer, cut at 128 characters. Source: RFC 6901, section 4. */
export function step(key: string): string {
  const short = key.length > maxName ? `${key.slice(0, maxName)}…` : key;
  return /[~/]/.test(short) ? short.replaceAll("~", "~0").replaceAll("/", "~1") : short;
}

/**
 * A field's own name out of its parts: divided by dots, cut at 200 characters.
 * Guarantee: each part is cut before they are joined, for what is sliced off a long text keeps all of it alive.
 */
export const fromOf = (...parts: readonly string[]): string =>
  parts
    .map((part) => part.slice(0, maxFrom))
    .join(".")
    .slice(0, maxFrom);

/** A value of a payload that is neither an object nor a list, with the keys down to it. */
export interface Leaf {
  keys: readonly string[];
  /** The keys divided by dots, cut at 200 characters. */
  from: string;
  path: string;
  value: unknown;
}

/** Every leaf of a payload, in its order; deeper than 12 levels and beyond 5,000 leaves nothing is looked at. */
export function leavesOf(body: unknown, keys: readonly string[] = [], base = ""): Leaf[] {
  const found: Leaf[] = [];
  const walk = (value: unknown, at: readonly string[], from: string, path: string): void => {
    if (found.length >= maxLeaves) return;
    if (typeof value !== "object" || value === null) {
      found.push({ keys: at, from, path, value });
      return;
    }
    if (at.length >= maxDepth + keys.length) return;
    for (const [key, item] of Object.entries(value))
      walk(item, [...at, key], at.length === 0 ? fromOf(key) : fromOf(from, key), `${path}/${step(key)}`);
  };
  walk(body, keys, fromOf(...keys), base);
  return found;
}
