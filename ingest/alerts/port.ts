import type { BilingualText, Rule, Severity } from "../../devices/index.js";
import type { Page } from "../stores/port.js";

/** What a rule found: a deviation began or ended. Produced by the rules, recorded by the alerts. */
export interface AlertTransition {
  rule: string;
  kind: Rule["kind"];
  severity: Severity;
  state: "raised" | "resolved";
  device: string;
  place: string;
  /** Vocabulary name; null for a rule about the device as a whole. */
  quantity: string | null;
  /** The value that decided, in `unit`; null when none is known (a rule or a device was removed). */
  value: number | null;
  limit: number;
  unit: string;
  /** When the deviation began (event time), epoch milliseconds. */
  sinceMs: number;
  /** When it was decided, epoch milliseconds. */
  atMs: number;
  title: BilingualText;
  message: BilingualText;
}

/** How the delivery of one state to one channel stands: on its way, done, given up, or dropped because the outbox was full. */
export interface DeliveryMark {
  channel: string;
  status: "pending" | "delivered" | "dead" | "shed";
  /** The alert's state that it carries. */
  state: Alert["state"];
  attempts: number;
  /** When the mark last changed, epoch milliseconds. */
  atMs: number;
  /** Why the last attempt failed; at most 300 characters, no secrets. */
  fault?: string;
  /** While it is pending after a failure: not tried again before this, epoch milliseconds. */
  nextMs?: number;
}

/** One deviation from its beginning to its end. */
export interface Alert extends Omit<AlertTransition, "state"> {
  id: string;
  state: "raised" | "acknowledged" | "resolved";
  raisedMs: number;
  resolvedMs?: number;
  acknowledged?: { who: string; atMs: number; note?: string };
  /** One a channel and state, in the order of recording. */
  deliveries: DeliveryMark[];
}

/** Which alerts to list, newest first. */
export interface AlertQuery {
  /** Only these states; all of them when left out. */
  states?: readonly Alert["state"][];
  /** Half-open range of `raisedMs`. */
  fromMs?: number;
  toMs?: number;
  /** From 1 to 10,000. */
  limit: number;
  cursor?: string;
}

/** Counts since the process started, and what waits. */
export interface AlertCounts {
  raised: number;
  resolved: number;
  delivered: number;
  failedAttempts: number;
  dead: number;
  shed: number;
  /** Entries that wait in the outbox now. */
  waiting: number;
}

/** The inbox of alerts and the outbox of what is owed to channels. */
export interface Alerts {
  /**
   * Records transitions: each alert and one outbox entry a channel.
   * To be called inside the caller's transaction of the state store, once in it; synchronous.
   * Guarantee: idempotent in state: a second raise of an open alert, or a resolve of none, changes nothing.
   */
  record(transitions: readonly AlertTransition[]): void;
  list(query: AlertQuery): Page<Alert>;
  get(id: string): Alert | undefined;
  /**
   * Marks an alert as seen by somebody; on one already acknowledged the first stays.
   * Throws `alert-not-found`, `alert-resolved`.
   */
  acknowledge(id: string, who: string, note?: string): Promise<Alert>;
  /** Calls `listener` after each change was made durable. Returns the way to stop it. */
  onChange(listener: (alert: Alert) => void): () => void;
  readonly counts: AlertCounts;
}

/** An alert as it leaves the house: CONTRACT “Alerts outward”. Times RFC 3339, UTC. */
export interface OutwardAlert {
  id: string;
  rule: string;
  kind: string;
  severity: Severity;
  state: Alert["state"];
  place: string;
  device: string;
  quantity: string | null;
  value: number | null;
  limit: number;
  unit: string;
  since: string;
  at: string;
  title: BilingualText;
  message: BilingualText;
  links: Record<string, string>;
}

/** One thing owed to one channel. */
export interface OutboxEntry {
  /** Sorts by severity, then age; the first is the first to be shed. */
  key: string;
  /** Order of recording. */
  sequence: number;
  channel: string;
  alert: string;
  /** Entries of one group go out one after the other, in order. */
  group: string;
  state: Alert["state"];
  /** The same on every try. */
  messageId: string;
  createdMs: number;
  attempts: number;
  /** Not before this, epoch milliseconds. */
  nextMs: number;
  body: OutwardAlert;
}

/** What became of one try. */
export type SendResult =
  | { kind: "delivered" }
  | {
      kind: "failed";
      /** Why, for the mark; at most 300 characters, no secrets. */
      fault: string;
      /** The receiver asked to wait this long. */
      retryAfterMs?: number;
      /** The receiver says that it wants no more, ever. */
      isGone?: boolean;
    };

/**
 * Port of a way out.
 * Guarantee: `send` never throws; it gives `delivered` only when the receiver took it; aborting `signal` ends it.
 */
export interface Sender {
  send(entry: OutboxEntry, signal: AbortSignal): Promise<SendResult>;
}
