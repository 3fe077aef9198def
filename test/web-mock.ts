import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { freePort } from "./support/port.js";

const nonce = "bm9uY2U";
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' 'nonce-${nonce}'`,
  "img-src 'self'",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** What one call of the stand-in answers; a number alone is a status with a problem document. */
export type Answer = object | number;

/** A stand-in for the service: the built page under its strict policy, and an API that tests script. */
export interface WebMock {
  readonly url: string;
  /** Every write the page made: method, path, CSRF header, body. */
  readonly writes: { call: string; csrf: string | undefined; body: unknown }[];
  /** Replaces the answer of `METHOD /path` (path under /api/v1, query left out). */
  answer(call: string, give: (query: URLSearchParams, body: unknown) => Answer): void;
  /** Sends an event to every open feed. */
  emit(topic: string, data: object): void;
  /** How many feeds are open. */
  feeds(): number;
  /** Stops listening and cuts every connection; `start` takes the same port again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const readBody = async (request: IncomingMessage): Promise<unknown> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  return text === "" ? undefined : (JSON.parse(text) as unknown);
};

const sendJson = (response: ServerResponse, status: number, body: object): void => {
  const kind = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": kind }).end(JSON.stringify(body));
};

const sendFile = (response: ServerResponse, folder: string, path: string): void => {
  const file = join(folder, normalize(path === "/" ? "/index.html" : path));
  let bytes: Buffer | string;
  try {
    bytes = readFileSync(file);
  } catch {
    response.writeHead(404).end();
    return;
  }
  if (file.endsWith(".html")) bytes = bytes.toString().replaceAll("__NONCE__", nonce);
  response
    .writeHead(200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
    })
    .end(bytes);
};

/** Serves the page built in `folder` on a free port of loopback. */
export async function startWebMock(folder: string): Promise<WebMock> {
  const answers = new Map<string, (query: URLSearchParams, body: unknown) => Answer>();
  const writes: WebMock["writes"] = [];
  const feeds = new Set<ServerResponse>();
  let server: Server | undefined;
  const port = await freePort();

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://page");
    if (!url.pathname.startsWith("/api/v1")) return sendFile(response, folder, url.pathname);
    const path = decodeURIComponent(url.pathname.slice("/api/v1".length));
    const call = `${request.method} ${path}`;
    if (call === "GET /events") {
      if (answers.get("GET /session")?.(url.searchParams, undefined) === 401)
        return sendJson(response, 401, {});
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write("retry: 200\n\n");
      feeds.add(response);
      response.on("close", () => feeds.delete(response));
      return;
    }
    const body = await readBody(request);
    const csrf = request.headers["x-obieg-csrf"];
    if (request.method !== "GET") writes.push({ call, csrf: Array.isArray(csrf) ? csrf[0] : csrf, body });
    const answer = answers.get(call)?.(url.searchParams, body) ?? 404;
    if (typeof answer === "number")
      sendJson(response, answer, { title: "Fault", detail: "for the test", code: `code-${answer}` });
    else sendJson(response, 200, answer);
  };

  const mock: WebMock = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    writes,
    answer: (call, give) => void answers.set(call, give),
    emit: (topic, data) => {
      for (const feed of feeds) feed.write(`event: ${topic}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    feeds: () => feeds.size,
    stop: async () => {
      const closing = server;
      if (closing === undefined) return;
      await new Promise<void>((done) => {
        closing.close(() => done());
        closing.closeAllConnections();
      });
    },
    start: async () => {
      const opened = createServer((request, response) => {
        handle(request, response).catch(() => response.destroy());
      });
      server = opened;
      await new Promise<void>((done) => {
        opened.listen(port, "127.0.0.1", done);
      });
    },
  };
  await mock.start();
  return mock;
}
