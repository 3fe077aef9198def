import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { HttpProblem } from "./problem.js";

/** What a list can be written as. */
export type ListFormat = "json" | "csv" | "ndjson";

const types: readonly [type: string, format: ListFormat][] = [
  ["application/json", "json"],
  ["text/csv", "csv"],
  ["application/x-ndjson", "ndjson"],
];

const kindOf = (type: string): string => `${type.split("/")[0]}/*`;

/** The format that `Accept` asks for, the best first; JSON when it takes anything. Throws `not-acceptable` (406). */
export function formatOf(request: FastifyRequest): ListFormat {
  const { accept } = request.headers;
  if (accept === undefined) return "json";
  const wanted = accept
    .split(",", 32)
    .map((part) => {
      const [type = "", ...parameters] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      const q = parameters.find((parameter) => parameter.startsWith("q="));
      return { type, q: q === undefined ? 1 : Number(q.slice(2)) };
    })
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q);
  for (const { type: asked } of wanted) {
    const found = types.find(([type]) => asked === type || asked === "*/*" || asked === kindOf(type));
    if (found) return found[1];
  }
  throw new HttpProblem(
    406,
    "not-acceptable",
    `this list is given as ${types.map(([type]) => type).join(", ")}`,
  );
}

type Row = Readonly<Record<string, unknown>>;

const formula = /^[=+\-@\t\r]/;
const special = /[",\r\n]/;

/**
 * One cell of CSV (RFC 4180); objects as JSON.
 * Text that a spreadsheet would take for a formula gets a leading apostrophe.
 * Source: OWASP, CSV Injection.
 */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const raw = typeof value === "string" ? value : JSON.stringify(value);
  const text = formula.test(raw) ? `'${raw}` : raw;
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function* csvOf(
  pages: AsyncIterable<readonly Row[]>,
  columns: readonly string[],
): AsyncGenerator<string> {
  yield `${columns.join(",")}\r\n`;
  for await (const page of pages) {
    let text = "";
    for (const row of page) text += `${columns.map((column) => csvCell(row[column])).join(",")}\r\n`;
    if (text !== "") yield text;
  }
}

async function* ndjsonOf(pages: AsyncIterable<readonly Row[]>): AsyncGenerator<string> {
  for await (const page of pages) {
    let text = "";
    for (const row of page) text += `${JSON.stringify(row)}\n`;
    if (text !== "") yield text;
  }
}

/**
 * Opens a whole list as a stream of text, page by page as the reader takes them. Throws what the first page does.
 * Guarantee: at most a page or two in memory; a fault on the way breaks the connection, so half a list never looks whole.
 */
export async function openExport(
  format: "csv" | "ndjson",
  columns: readonly string[],
  pages: AsyncIterable<readonly Row[]>,
): Promise<Readable> {
  const iterator = pages[Symbol.asyncIterator]();
  let first: IteratorResult<readonly Row[]> | undefined = await iterator.next();
  const all = async function* (): AsyncGenerator<readonly Row[]> {
    for (;;) {
      const page = first ?? (await iterator.next());
      // Else the first page would be kept until the reader has taken the last.
      first = undefined;
      if (page.done) return;
      yield page.value;
    }
  };
  const text = format === "csv" ? csvOf(all(), columns) : ndjsonOf(all());
  return Readable.from(text, { objectMode: true, highWaterMark: 1 });
}

/** Answers with an opened export, as a file `name`. */
export function sendExport(
  reply: FastifyReply,
  format: "csv" | "ndjson",
  name: string,
  text: Readable,
): FastifyReply {
  const type = format === "csv" ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";
  return reply
    .header("content-type", type)
    .header("content-disposition", `attachment; filename="${name}.${format}"`)
    .send(text);
}

/** Follows `next` from page to page. */
export async function* pagesOf<T>(
  read: (cursor: string | undefined) => Promise<{ items: T[]; next: string | null }>,
  cursor: string | undefined,
): AsyncGenerator<T[]> {
  let at = cursor;
  for (;;) {
    const page = await read(at);
    yield page.items;
    if (page.next === null) return;
    at = page.next;
  }
}
