import { ObiegError } from "../../devices/index.js";
import type { Page } from "../api.js";
import type { Service } from "./address.js";
import { send } from "./request.js";

/** What is asked of a service. */
export interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  body?: unknown;
  /** A body that isn't JSON. */
  raw?: { type: string; bytes: Uint8Array };
  accept?: string;
}

/** Calls the API of a running service. Throws `service-unreachable`, and the service's own code when it refuses. */
export async function callService(service: Service, path: string, call: Call = {}): Promise<Response> {
  const url = new URL(`${service.url}/api/v1${path}`);
  for (const [key, value] of Object.entries(call.query ?? {}))
    if (value !== undefined) url.searchParams.set(key, String(value));
  const headers: Record<string, string> = { authorization: `Bearer ${service.token}` };
  if (call.accept !== undefined) headers["accept"] = call.accept;
  if (call.body !== undefined) headers["content-type"] = "application/json";
  if (call.raw !== undefined) headers["content-type"] = call.raw.type;
  const body = call.raw?.bytes ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  let response: Response;
  try {
    response = await send(url, { method: call.method ?? "GET", headers, body });
  } catch (cause) {
    // Of several addresses that were tried, the message is empty.
    const { message, code = "" } = cause as NodeJS.ErrnoException;
    throw new ObiegError("service-unreachable", `${service.url} doesn't answer: ${message || code}`, {
      cause,
    });
  }
  if (response.ok) return response;
  const text = await response.text();
  let problem: { code?: string; detail?: string; title?: string; faults?: unknown[] } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    problem = { detail: text.slice(0, 300) };
  }
  throw new ObiegError(
    problem.code ?? `http-${response.status}`,
    problem.detail ?? problem.title ?? `${service.url} answered ${response.status}`,
    problem.faults === undefined ? {} : { detail: { faults: problem.faults } },
  );
}

/** Calls and reads the answer's JSON. Throws what {@link callService} throws. */
export async function askService<T>(service: Service, path: string, call: Call = {}): Promise<T> {
  const response = await callService(service, path, call);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Reads a list page by page, at most `most` items. */
export async function listService<T>(
  service: Service,
  path: string,
  query: NonNullable<Call["query"]>,
  most = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined; ;) {
    const limit = Math.min(1_000, most - items.length);
    const page: Page<T> = await askService(service, path, { query: { ...query, limit, cursor } });
    items.push(...page.items);
    if (page.next === null || items.length >= most) return items;
    cursor = page.next;
  }
}
