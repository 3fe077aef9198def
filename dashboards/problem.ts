import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";
import { ObiegError } from "../devices/index.js";
import type { ProblemDocument } from "./api.js";

/** Where a request is wrong: a JSON pointer and what to write instead. */
export interface RequestFault {
  path: string;
  message: string;
  /** Of a file that was sent: where in it, from 1; heading or keys; a stable code. */
  line?: number;
  column?: number;
  field?: string;
  code?: string;
}

/** A fault with the HTTP status that tells it. */
export class HttpProblem extends ObiegError {
  readonly status: number;
  readonly faults: RequestFault[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { faults?: RequestFault[]; headers?: Record<string, string>; retryAfterMs?: number } = {},
  ) {
    super(code, message, {
      retryable: more.retryAfterMs !== undefined,
      ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
    });
    this.name = "HttpProblem";
    this.status = status;
    this.faults = more.faults;
    this.headers = more.headers ?? {};
  }
}

/** Status of the codes that come from inside; a retryable one that isn't listed is 503, any other 500. */
export const statusOf: Readonly<Record<string, number>> = {
  "alert-not-found": 404,
  "alert-resolved": 409,
  "backup-folder": 422,
  "backup-not-empty": 409,
  "bad-cursor": 400,
  "device-exists": 409,
  "last-admin": 409,
  "place-in-use": 409,
  "login-busy": 429,
  "meter-life": 422,
  "meter-register": 422,
  "password-missing": 400,
  "password-too-short": 400,
  "series-too-long": 400,
  "time-zone-kept": 409,
  "token-exists": 409,
  "token-too-short": 400,
  "too-many-tokens": 409,
  "too-many-users": 409,
  "unknown-device-not-found": 404,
  "user-not-found": 404,
};

/** Codes of faults that Fastify and its plugins find. */
const frameworkCodes: Readonly<Record<string, [status: number, code: string, message: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, "body-too-large", "the body is larger than this call takes"],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "media-type", "give content-type: application/json"],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, "body-empty", "the content-type says JSON, and there is no body"],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, "body-not-json", "the body isn't JSON"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    400,
    "content-length",
    "the body is longer or shorter than its length",
  ],
  FST_ERR_BAD_URL: [400, "bad-url", "the path has a broken percent-encoding"],
  FST_ERR_ASYNC_CONSTRAINT: [400, "bad-request", "the request can't be routed"],
};

interface Issue {
  instancePath?: string;
  message?: string;
}

const issuesOf = (error: unknown): RequestFault[] | undefined => {
  if (typeof error !== "object" || error === null || !("validation" in error)) return undefined;
  const { validation, validationContext } = error as { validation: Issue[]; validationContext?: string };
  const where = validationContext === "querystring" ? "query" : (validationContext ?? "body");
  return validation.slice(0, 50).map(({ instancePath = "", message = "" }) => ({
    path: `/${where}${instancePath === "/" ? "" : instancePath}`,
    message,
  }));
};

/** Makes of anything thrown the problem that is told; what isn't meant for the outside is not told. */
export function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof ObiegError) {
    const status = statusOf[error.code] ?? (error.retryable ? 503 : 500);
    const retryAfterMs = error.retryable ? (error.retryAfterMs ?? 1_000) : undefined;
    return new HttpProblem(
      status,
      error.code,
      error.message,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
  }
  const faults = issuesOf(error);
  if (faults) {
    const said = faults.map(({ path, message }) => `${path}: ${message}`).join("; ");
    return new HttpProblem(400, "request-invalid", said.slice(0, 1_000), { faults });
  }
  const { code = "", statusCode = 500 } = (error ?? {}) as { code?: string; statusCode?: number };
  const known = frameworkCodes[code];
  if (known) return new HttpProblem(...known);
  if (code === "ERR_RESPONSE_SERIALIZATION" || code === "FST_ERR_RESPONSE_SERIALIZATION")
    return new HttpProblem(
      500,
      "response-invalid",
      "the service made an answer that breaks its own description",
    );
  if (statusCode >= 400 && statusCode < 500)
    return new HttpProblem(
      statusCode,
      "bad-request",
      STATUS_CODES[statusCode] ?? "the request can't be taken",
    );
  return new HttpProblem(500, "internal", "something went wrong here; the log says what");
}

/** What the registry refuses is the fault of who asked. */
export function refusedByRegistry(error: unknown): unknown {
  return error instanceof ObiegError && !error.retryable && statusOf[error.code] === undefined
    ? new HttpProblem(422, error.code, error.message)
    : error;
}

/** The document of a problem (RFC 9457). */
export function documentOf(problem: HttpProblem, instance: string): ProblemDocument {
  return {
    type: `urn:obieg:problem:${problem.code}`,
    title: STATUS_CODES[problem.status] ?? "Error",
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    instance,
    ...(problem.faults ? { faults: problem.faults } : {}),
  };
}

/** Answers with a problem; logs what is the service's own fault. `toldAs` adds to the document what a route's clients look for. */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: FastifyBaseLogger,
  toldAs: (problem: HttpProblem) => Partial<ProblemDocument> & Record<string, unknown> = () => ({}),
): FastifyReply {
  const problem = problemOf(error);
  if (problem.status >= 500)
    log.error({ err: error, method: request.method, url: pathOf(request) }, problem.code);
  for (const [name, value] of Object.entries(problem.headers)) reply.header(name, value);
  if (problem.retryAfterMs !== undefined)
    reply.header("retry-after", String(Math.max(1, Math.ceil(problem.retryAfterMs / 1_000))));
  const document = { ...documentOf(problem, pathOf(request)), ...toldAs(problem) };
  return reply
    .code(document.status)
    .header("content-type", "application/problem+json; charset=utf-8")
    .header("cache-control", "no-store")
    .header("x-content-type-options", "nosniff")
    .serializer((told: ProblemDocument) => JSON.stringify(told))
    .send(document);
}

/** Statuses of what Node finds before there is a request; anything else is 400 `bad-request`. */
const brokenCodes: Readonly<Record<string, [status: number, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "headers-too-large", "address and headers are longer than 16 KiB"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "request-timeout", "the request didn't come to its end in time"],
};

/** Answers on the bare socket what isn't HTTP, and closes it. */
export function answerBroken(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const broken = brokenCodes[error.code ?? ""] ?? ([400, "bad-request", "this isn't HTTP/1.1"] as const);
  const body = JSON.stringify(documentOf(new HttpProblem(...broken), "/"));
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${broken[0]} ${STATUS_CODES[broken[0]] ?? ""}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  socket.destroySoon();
}

/** The path of a request without its query, which may hold what a log shouldn't. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0]?.slice(0, 300) ?? "";
}
