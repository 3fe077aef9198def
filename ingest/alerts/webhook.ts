import { createHmac } from "node:crypto";
import type { Channel } from "../../devices/index.js";
import { withDeadline } from "./deadline.js";
import type { OutboxEntry, Sender, SendResult } from "./port.js";

/** What a webhook needs from outside. */
export interface WebhookParts {
  fetch: typeof fetch;
  clock: () => number;
  timeoutMs: number;
}

/**
 * Signs a message: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` under the secret's bytes.
 * `timestampS` is epoch seconds; `secret` is `whsec_` and base64.
 * Source: Standard Webhooks 1.0, "Signature scheme".
 */
export function signWebhook(secret: string, id: string, timestampS: number, body: string): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestampS}.${body}`).digest("base64")}`;
}

/** Reads a Retry-After header (seconds or HTTP date) as milliseconds from `nowMs`; undefined when it says nothing. */
export function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

function faultOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return "the connection failed";
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs / 1_000} s`;
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = "code" in cause && typeof cause.code === "string" ? `${cause.code}: ` : "";
  return `${code}${cause.message}`.slice(0, 300);
}

/**
 * A channel that POSTs signed JSON. Taken is any 2xx; redirects aren't followed; 410 means never again.
 * Source: Standard Webhooks 1.0.
 */
export function openWebhook(channel: Channel, parts: WebhookParts): Sender {
  const send = async (entry: OutboxEntry, signal: AbortSignal): Promise<SendResult> => {
    const body = JSON.stringify(entry.body);
    const timestampS = Math.floor(parts.clock() / 1_000);
    const response = await parts.fetch(channel.url, {
      method: "POST",
      redirect: "manual",
      signal,
      headers: {
        "content-type": "application/json",
        "user-agent": "obieg",
        "webhook-id": entry.messageId,
        "webhook-timestamp": String(timestampS),
        "webhook-signature": signWebhook(channel.secret, entry.messageId, timestampS, body),
      },
      body,
    });
    await response.body?.cancel();
    if (response.ok) return { kind: "delivered" };
    const isRedirect = response.status >= 300 && response.status < 400;
    const retryAfterMs = readRetryAfter(response.headers.get("retry-after"), parts.clock());
    return {
      kind: "failed",
      fault: `answered ${response.status}${isRedirect ? ", redirects aren't followed" : ""}`,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(response.status === 410 ? { isGone: true } : {}),
    };
  };
  return {
    send: async (entry, signal) => {
      try {
        return await withDeadline(signal, parts.timeoutMs, (ended) => send(entry, ended));
      } catch (error) {
        return { kind: "failed", fault: faultOf(error, parts.timeoutMs) };
      }
    },
  };
}
