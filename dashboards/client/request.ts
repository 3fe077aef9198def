import { type IncomingMessage, request as requestHttp, type RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";

/** What is sent. */
export interface Sent {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array | undefined;
}

/** A service that is gone without a word is noticed by TCP, this long after the last of it. */
const keepAliveMs = 30_000;
const withoutBody = new Set([204, 205, 304]);

/**
 * Sends a request and gives its answer once its head is there. Rejects as the connection does.
 * Guarantee: waits as long as the connection stands, where `fetch` gives up 300 s before a head or between two parts of a body
 * (Node 20, undici's `headersTimeout`, `bodyTimeout`): a backup may take longer.
 */
export function send(url: URL, { method, headers, body }: Sent): Promise<Response> {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options: RequestOptions = { method, headers: { ...headers, ...length } };
  return new Promise((resolve, reject) => {
    const answer = (message: IncomingMessage): void => {
      const status = message.statusCode ?? 0;
      const isEmpty = withoutBody.has(status);
      if (isEmpty) message.resume();
      const stream = isEmpty ? null : (Readable.toWeb(message) as ReadableStream);
      const type = message.headers["content-type"];
      resolve(new Response(stream, { status, headers: type === undefined ? {} : { "content-type": type } }));
    };
    const asked = (url.protocol === "https:" ? requestHttps : requestHttp)(url, options, answer);
    asked.on("error", reject);
    asked.setSocketKeepAlive(true, keepAliveMs);
    asked.end(body);
  });
}
