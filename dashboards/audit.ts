import type { StateStore } from "../ingest/index.js";
import type { Role } from "./api.js";

/** What somebody did. */
export interface AuditEvent {
  who: string;
  role: Role | null;
  /** Network address it came from; `local` for the service itself. */
  address: string;
  /** `thing.verb`, for instance `device.put`. */
  action: string;
  target: string;
  /** Facts; never a secret. */
  detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** An event in the book. */
export interface AuditRecord extends Required<AuditEvent> {
  sequence: number;
  atMs: number;
}

/** Which records to list. */
export interface AuditQuery {
  fromMs?: number;
  toMs?: number;
  who?: string;
  action?: string;
  limit: number;
  /** Sequence after which to go on. */
  after: number;
}

/** The book of who changed, or looked at, what. */
export interface Audit {
  /** Puts a record, inside the caller's transaction. */
  put(event: AuditEvent): void;
  /** Guarantee: durable when resolved. */
  record(event: AuditEvent): Promise<void>;
  /** Oldest first; `next` is the sequence to go on after, undefined at the end. */
  list(query: AuditQuery): { items: AuditRecord[]; next: number | undefined };
}

const longestText = 300;

/** Opens the book in `state`; the oldest records go when it holds more than `most`. */
export function openAudit(state: StateStore, clock: () => number, most = 100_000): Audit {
  const table = state.table<AuditRecord, number>("audit");
  let last = [...table.getKeys({ reverse: true, limit: 1 })][0] ?? 0;
  let first = [...table.getKeys({ limit: 1 })][0] ?? 1;

  const put = (event: AuditEvent): void => {
    last += 1;
    void table.put(last, {
      ...event,
      target: event.target.slice(0, longestText),
      detail: event.detail ?? {},
      sequence: last,
      atMs: clock(),
    });
    for (; last - first >= most; first += 1) void table.remove(first);
  };
  return {
    put,
    record: (event) => state.transaction(() => put(event)),
    list({ fromMs, toMs, who, action, limit, after }) {
      const items: AuditRecord[] = [];
      for (const { value } of table.getRange({ start: after + 1 })) {
        if (fromMs !== undefined && value.atMs < fromMs) continue;
        if (toMs !== undefined && value.atMs >= toMs) continue;
        if (who !== undefined && value.who !== who) continue;
        if (action !== undefined && value.action !== action) continue;
        if (items.length === limit) return { items, next: items.at(-1)?.sequence };
        items.push(value);
      }
      return { items, next: undefined };
    },
  };
}
