/** A page of a list. */
export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** A list read to its end, or `more` when its end was too far. */
export interface List<T> {
  items: T[];
  more: boolean;
}

/** A fault of the service (RFC 9457), or code `unreachable` when nothing answered in time. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;

  constructor(status: number, code: string, title: string, detail?: string) {
    super(title);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

const base = "/api/v1";
const timeoutMs = 15_000;
/** A write may take a device's whole past again. */
const writeTimeoutMs = 120_000;
const mostPages = 20;

type Query = Record<string, string | number | undefined>;

const address = (path: string, query: Query): string => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return base + path + (text === "" ? "" : `?${text}`);
};

const problemOf = async (response: Response): Promise<Problem> => {
  const body = (await response.json().catch(() => ({}))) as {
    title?: string;
    detail?: string;
    code?: string;
  };
  return new Problem(
    response.status,
    body.code ?? `http-${response.status}`,
    body.title ?? response.statusText,
    body.detail,
  );
};

/** Calls the API with the session's cookie. Throws {@link Problem}. */
export async function call<T>(method: string, path: string, query: Query = {}, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["x-obieg-csrf"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers,
      credentials: "same-origin",
      signal: AbortSignal.timeout(method === "GET" ? timeoutMs : writeTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, "unreachable", "unreachable");
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Follows `next` to the end of a list, at most twenty pages. */
export async function all<T>(path: string, query: Query = {}): Promise<List<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await call<Page<T>>("GET", path, { ...query, cursor });
    items.push(...answer.items);
    if (!answer.next) return { items, more: false };
    cursor = answer.next;
  }
  return { items, more: true };
}
