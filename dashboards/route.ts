import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { IngestView } from "../ingest/index.js";
import { auditOf } from "./access.js";
import { type Page, pageOf, problemSchema } from "./api.js";
import { formatOf, openExport, pagesOf, sendExport } from "./export.js";
import type { ExportLimit } from "./export-limit.js";
import type { Feed } from "./feed.js";
import type { LoginLimit } from "./login-limit.js";
import { HttpProblem } from "./problem.js";
import type { Users } from "./users.js";
import type { Visitors } from "./visitors.js";

/** Bounds of the HTTP side. */
export interface HttpLimits {
  /** Largest body of a reading, bytes. */
  maxMessageBytes: number;
  /** Largest body of line protocol, which may become several messages, bytes unpacked. */
  maxWriteBytes: number;
  /** Largest body of any other call, bytes. */
  maxBodyBytes: number;
  /** Calls of one address within a minute. */
  callsPerMinute: number;
  /** Failed logins of one address, and of one user, within a quarter of an hour. */
  loginsPerAddress: number;
  loginsPerUser: number;
  /** Connections at once, and of one address. */
  connections: number;
  connectionsPerAddress: number;
  /** A connection on which nothing moves for so long is cut, unless it waits for its answer; milliseconds. */
  silenceMs: number;
  /** Exports under way at once. */
  exports: number;
  /** Live feeds at once; bytes that one may lag behind; events kept for those who come back. */
  feeds: number;
  feedLagBytes: number;
  feedEvents: number;
}

/** Bounds that suit one box and a city's operators. */
export const defaultHttpLimits: HttpLimits = {
  maxMessageBytes: 262_144,
  maxWriteBytes: 4_194_304,
  maxBodyBytes: 65_536,
  callsPerMinute: 6_000,
  loginsPerAddress: 30,
  loginsPerUser: 10,
  connections: 1_000,
  // Twice the feeds: all may come through one proxy.
  connectionsPerAddress: 200,
  silenceMs: 60_000,
  exports: 8,
  feeds: 100,
  feedLagBytes: 1_048_576,
  feedEvents: 2_000,
};

/** The Fastify instance with zod schemas. */
export type Api = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Adds routes whose body comes as it was sent: bytes, whatever its type. */
export function withRawBodies(app: Api, add: (api: Api) => void): void {
  void app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    add(raw);
  });
}

/** What the routes work with. */
export interface RouteParts {
  view: IngestView;
  users: Users;
  visitors: Visitors;
  feed: Feed;
  loginLimit: LoginLimit;
  exportLimit: ExportLimit;
  limits: HttpLimits;
  clock: () => number;
}

const problem = {
  description: "a problem (RFC 9457)",
  content: { "application/problem+json": { schema: problemSchema } },
};

/** The answers of a route as the description lists them: success, and any fault as a problem. */
export function answers<S extends Record<number, z.ZodType>>(
  success: S,
): S & { "4xx": z.ZodAny; "5xx": z.ZodAny } {
  return { ...success, "4xx": problem, "5xx": problem } as unknown as S & {
    "4xx": z.ZodAny;
    "5xx": z.ZodAny;
  };
}

/** A text of another type than JSON, as the description lists it. */
export const textOf = (type: string): z.ZodString =>
  ({
    description: type,
    content: { [type]: { schema: type.startsWith("text/") ? z.string() : z.unknown() } },
  }) as unknown as z.ZodString;

/** The answer of a list: a page as JSON, or all of it as CSV or NDJSON. */
export function listOf<T extends z.ZodType>(item: T): ReturnType<typeof pageOf<T>> {
  const text = { schema: z.string() };
  return {
    description: "a page, or all from cursor on where Accept asks for CSV or NDJSON",
    content: {
      "application/json": { schema: pageOf(item) },
      "text/csv": text,
      "application/x-ndjson": text,
    },
  } as unknown as ReturnType<typeof pageOf<T>>;
}

/** An answer without a body. */
export const nothing = z.undefined().describe("nothing");

/** A list that can be read by pages or taken whole. */
export interface ListParts<T> {
  /** Names file and audit record of an export. */
  name: string;
  columns: readonly (keyof T & string)[];
  cursor: string | undefined;
  limit: number;
  read(cursor: string | undefined, limit: number): Promise<Page<T>>;
}

const exportPage = 10_000;

/**
 * Answers with one page as JSON, or, as `Accept` asks, with all from `cursor` on as CSV or NDJSON.
 * An export is put into the audit. Throws `too-many-exports`.
 */
export async function answerList<T extends object>(
  { users, exportLimit }: RouteParts,
  request: FastifyRequest,
  reply: FastifyReply,
  list: ListParts<T>,
): Promise<Page<T>> {
  const format = formatOf(request);
  reply.header("vary", "accept");
  if (format === "json") return list.read(list.cursor, list.limit);
  const leave = exportLimit.enter();
  try {
    const query = request.url.split("?", 2)[1] ?? "";
    await users.audit.record(auditOf(request, `${list.name}.export`, query, { format }));
    const pages = pagesOf((cursor) => list.read(cursor, exportPage), list.cursor);
    const rows = pages as unknown as AsyncIterable<readonly Readonly<Record<string, unknown>>[]>;
    const text = await openExport(format, list.columns, rows);
    text.once("end", leave);
    // At a fault, and when the reader has gone; not before a page under way was read.
    text.once("close", leave);
    return sendExport(reply, format, list.name, text) as unknown as Page<T>;
  } catch (error) {
    leave();
    throw error;
  }
}

/** The page of a list that is all in memory; the cursor is where it goes on. Throws `bad-cursor`. */
export function pageIn<T>(items: readonly T[], cursor: string | undefined, limit: number): Page<T> {
  const from = cursor === undefined ? 0 : Number(/^at(\d{1,9})$/.exec(cursor)?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) throw new HttpProblem(400, "bad-cursor", "give next of the page before as cursor");
  return {
    items: items.slice(from, from + limit),
    next: from + limit < items.length ? `at${from + limit}` : null,
  };
}

/** The ids asked for, each once: those named, and those at a place or below it; undefined when neither was asked. Throws `place-not-found`. */
export function devicesAsked(
  { view }: RouteParts,
  devices: readonly string[] | undefined,
  place: string | undefined,
): string[] | undefined {
  if (place === undefined) return devices && [...new Set(devices)];
  if (!view.registry.place(place))
    throw new HttpProblem(404, "place-not-found", `there is no place ${place}`);
  const there = view.registry.devicesAt(place);
  if (devices === undefined) return there;
  const named = new Set(devices);
  return there.filter((id) => named.has(id));
}
