import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { HttpError, InfluxDB, type WriteApi } from "@influxdata/influxdb-client";

/** What became of one request. */
export type WriteResult =
  | { kind: "accepted" }
  /** The points are at fault (400, 413, 422); `words` is what the server said. */
  | { kind: "refused"; words: string }
  /** The server, the way to it or the settings are at fault; the same may succeed later. */
  | { kind: "waits"; fault: string; retryAfterMs: number };

/** Where and as whom points are written. */
export interface InfluxTarget {
  url: string;
  token: string;
  org: string;
  bucket: string;
  timeoutMs: number;
}

const refusals = new Set([400, 413, 422]);

/**
 * Writes bodies of line protocol through the client, one request each, without its retries, batches or log.
 * Source: InfluxDB API v2, `POST /api/v2/write`.
 */
export class InfluxWriter {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #api: WriteApi;
  readonly #timeoutMs: number;
  readonly #token: string;

  constructor({ url, token, org, bucket, timeoutMs }: InfluxTarget) {
    this.#timeoutMs = timeoutMs;
    this.#token = token;
    const isSecure = url.startsWith("https:");
    this.#agent = isSecure
      ? new HttpsAgent({ keepAlive: true, maxSockets: 1 })
      : new HttpAgent({ keepAlive: true, maxSockets: 1 });
    const client = new InfluxDB({
      url,
      token,
      timeout: 2 * timeoutMs,
      transportOptions: { agent: this.#agent },
    });
    this.#api = client.getWriteApi(org, bucket, "ms", {
      maxRetries: 0,
      flushInterval: 0,
      // A body is one record to the client; it must never flush by itself, because then it swallows the fault.
      batchSize: 2,
      maxBatchBytes: Number.POSITIVE_INFINITY,
      gzipThreshold: 1_000,
      // A promise given back here becomes the result of `flush`, and keeps the client from logging.
      writeFailed: async (error) => {
        throw error;
      },
    });
  }

  /** Sends lines and waits for the answer. Never throws. */
  async write(lines: readonly string[]): Promise<WriteResult> {
    // The client's timeout doesn't cover connecting and leaves the socket in use: this one cuts it.
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#agent.destroy();
    }, this.#timeoutMs);
    try {
      this.#api.writeRecord(lines.join("\n"));
      await this.#api.flush();
      return { kind: "accepted" };
    } catch (error) {
      const fault = `unreachable: no answer within ${this.#timeoutMs / 1_000} s`;
      return isLate ? { kind: "waits", fault, retryAfterMs: 0 } : resultOf(error, this.#token);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks whether a write without points is taken: then settings are right, and a refusal was about points. */
  async probe(): Promise<WriteResult> {
    return await this.write(["# obieg"]);
  }

  /** Cuts the connection; a request under way fails. */
  close(): void {
    this.#agent.destroy();
    this.#api.close().catch(() => undefined);
  }
}

/** What a failed request means. A server that gives the token back in its words isn't quoted to the letter. */
function resultOf(error: unknown, token: string): WriteResult {
  if (!(error instanceof HttpError)) {
    const fault = error instanceof Error ? error.message || error.name : "the request failed";
    return { kind: "waits", fault: `unreachable: ${fault}`.slice(0, 300), retryAfterMs: 0 };
  }
  const { statusCode } = error;
  const words = (error.body ?? error.message).replaceAll(token, "(token)").trim().slice(0, 300);
  if (refusals.has(statusCode)) return { kind: "refused", words: `${statusCode}: ${words}` };
  // Something else in the way, a page to log in, says that all is well too.
  const isOther = statusCode >= 200 && statusCode < 300;
  const said = isOther ? "InfluxDB answers 204, is this its address?" : words;
  return {
    kind: "waits",
    fault: `answered ${statusCode}: ${said}`,
    retryAfterMs: retryAfterMs(error.headers?.["retry-after"]),
  };
}

/** Reads Retry-After, seconds or HTTP date, as milliseconds; the client's own reading drops dates and leaves seconds as they are. */
function retryAfterMs(header: string | string[] | undefined): number {
  if (typeof header !== "string") return 0;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - Date.now());
}
