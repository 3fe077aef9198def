import { type Channel, isAtLeast, ObiegError } from "../../devices/index.js";
import type { Page, StateStore } from "../stores/port.js";
import { isOpen, type NewEntry, Outbox } from "./outbox.js";
import { Recorded } from "./recorded.js";
import type {
  Alert,
  AlertCounts,
  AlertQuery,
  Alerts,
  AlertTransition,
  DeliveryMark,
  OutwardAlert,
} from "./port.js";

/** Channel id of the retained MQTT messages; always there. */
export const mqttChannel = "mqtt";

/** What the inbox needs from outside. */
export interface InboxOptions {
  /** Gives ids that were never given before; letters, digits, `-` and `_`. */
  idFactory: () => string;
  clock: () => number;
  /** The webhooks as they are now; MQTT comes by itself. */
  channels: () => readonly Channel[];
  /** Most entries that wait in the outbox. */
  maxOutboxEntries: number;
  /** Address under which people reach the page, for `links`; without it `links` is empty. */
  linkBase?: string;
  /** Calls back once after so many milliseconds, and gives the way to call it off; the real one unless given. */
  timer?: (delayMs: number, done: () => void) => () => void;
}

function realTimer(delayMs: number, done: () => void): () => void {
  const timer = setTimeout(done, delayMs).unref();
  return () => clearTimeout(timer);
}

/** What one transaction recorded. */
interface Recording {
  touched: { id: string; state: AlertTransition["state"] }[];
  /** Of its entries in the outbox. */
  keys: string[];
}

const groupOf = ({ rule, device }: Pick<Alert, "rule" | "device">): string => `${rule}|${device}`;

/** The alerts in LMDB: `alerts` by number, `alert-numbers` by id, `alerts-open` by rule and device. */
export class Inbox implements Alerts {
  readonly #state: StateStore;
  readonly #options: InboxOptions;
  readonly #alerts;
  readonly #numbers;
  readonly #open;
  readonly #listeners = new Set<(alert: Alert) => void>();
  readonly counts: AlertCounts = {
    raised: 0,
    resolved: 0,
    delivered: 0,
    failedAttempts: 0,
    dead: 0,
    shed: 0,
    waiting: 0,
  };
  readonly outbox: Outbox;
  readonly #recorded: Recorded<Recording>;
  #lastNumber = 0;

  constructor(state: StateStore, options: InboxOptions) {
    this.#state = state;
    this.#options = options;
    this.#alerts = state.table<Alert, number>("alerts");
    this.#numbers = state.table<number>("alert-numbers");
    this.#open = state.table<number>("alerts-open");
    for (const key of this.#alerts.getKeys({ reverse: true, limit: 1 })) this.#lastNumber = key;
    this.outbox = new Outbox(state, {
      maxEntries: options.maxOutboxEntries,
      counts: this.counts,
      mark: (id, mark) => this.#mark(id, mark),
      changed: (id) => this.#tell(id),
    });
    this.#recorded = new Recorded({
      commit: () => state.transaction(() => undefined),
      tell: (recording) => this.#committed(recording),
      timer: options.timer ?? realTimer,
    });
  }

  record(transitions: readonly AlertTransition[]): void {
    const entries: NewEntry[] = [];
    const touched: Recording["touched"] = [];
    for (const transition of transitions) {
      const alert = this.#apply(transition);
      if (!alert) continue;
      touched.push({ id: alert.id, state: transition.state });
      entries.push(...this.#owed(alert));
    }
    if (touched.length === 0) return;
    this.#recorded.add({ touched, keys: this.outbox.put(entries) });
  }

  /** Ends the waiting for the disk; what waited is in the outbox, and found there at the next start. */
  close(): void {
    this.#recorded.close();
  }

  list(query: AlertQuery): Page<Alert> {
    const { states, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY, limit } = query;
    const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(query.cursor);
    if (!Number.isSafeInteger(before))
      throw new ObiegError("bad-cursor", "give the cursor as `next` gave it");
    const items: Alert[] = [];
    let last: number | undefined;
    for (const [number, alert] of this.#newestBefore(before, states)) {
      if (states && !states.includes(alert.state)) continue;
      if (alert.raisedMs < fromMs || alert.raisedMs >= toMs) continue;
      if (items.length === limit) return { items, next: String(last) };
      items.push(alert);
      last = number;
    }
    return { items, next: undefined };
  }

  get(id: string): Alert | undefined {
    const number = this.#numbers.get(id);
    return number === undefined ? undefined : this.#alerts.get(number);
  }

  async acknowledge(id: string, who: string, note?: string): Promise<Alert> {
    let keys: string[] = [];
    let before = 0;
    const alert = await this.#state.transaction(() => {
      const found = this.get(id);
      if (!found) throw new ObiegError("alert-not-found", `there is no alert ${id}`);
      if (!isOpen(found)) throw new ObiegError("alert-resolved", "the alert is already resolved");
      if (found.acknowledged) return found;
      const atMs = this.#options.clock();
      const acknowledged = note === undefined ? { who, atMs } : { who, atMs, note };
      const changed: Alert = { ...found, state: "acknowledged", atMs, acknowledged };
      this.#put(changed);
      before = this.#recorded.count;
      keys = this.outbox.put(this.#owed(changed));
      return this.get(id) ?? changed;
    });
    if (keys.length > 0) {
      // On disk with it: what was recorded before, and goes out before.
      this.#recorded.reached(before);
      this.#tell(id);
      this.outbox.announce(keys);
    }
    return alert;
  }

  onChange(listener: (alert: Alert) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #apply(transition: AlertTransition): Alert | undefined {
    const group = groupOf(transition);
    const number = this.#open.get(group);
    const open = number === undefined ? undefined : this.#alerts.get(number);
    if (transition.state === "raised") {
      if (open) return undefined;
      const alert: Alert = {
        ...transition,
        id: this.#options.idFactory(),
        raisedMs: transition.atMs,
        deliveries: [],
      };
      this.#lastNumber += 1;
      void this.#numbers.put(alert.id, this.#lastNumber);
      void this.#open.put(group, this.#lastNumber);
      void this.#alerts.put(this.#lastNumber, alert);
      return alert;
    }
    if (!open) return undefined;
    const { place, severity } = open;
    const alert: Alert = { ...open, ...transition, place, severity, resolvedMs: transition.atMs };
    this.#put(alert);
    void this.#open.remove(group);
    return alert;
  }

  #put(alert: Alert): void {
    const number = this.#numbers.get(alert.id);
    if (number !== undefined) void this.#alerts.put(number, alert);
  }

  #mark(id: string, mark: DeliveryMark): void {
    const alert = this.get(id);
    if (!alert) return;
    const isSame = (other: DeliveryMark): boolean =>
      other.channel === mark.channel && other.state === mark.state;
    const deliveries = alert.deliveries.some(isSame)
      ? alert.deliveries.map((other) => (isSame(other) ? mark : other))
      : [...alert.deliveries, mark];
    this.#put({ ...alert, deliveries });
  }

  #owed(alert: Alert): NewEntry[] {
    const body = this.#outward(alert);
    const webhooks = this.#options
      .channels()
      .filter((channel) => isAtLeast(alert.severity, channel.minSeverity ?? "info"))
      .map((channel) => channel.id);
    return [mqttChannel, ...webhooks].map((channel) => ({
      channel,
      alert: alert.id,
      group: groupOf(alert),
      state: alert.state,
      messageId: `${alert.id}_${alert.state}`,
      createdMs: this.#options.clock(),
      body,
    }));
  }

  #outward(alert: Alert): OutwardAlert {
    const { linkBase } = this.#options;
    const { id, rule, kind, severity, state, place, device, quantity, value, limit, unit } = alert;
    return {
      id,
      rule,
      kind,
      severity,
      state,
      place,
      device,
      quantity,
      value,
      limit,
      unit,
      since: new Date(alert.sinceMs).toISOString(),
      at: new Date(alert.atMs).toISOString(),
      title: alert.title,
      message: alert.message,
      links: linkBase === undefined ? {} : { alert: `${linkBase}/api/v1/alerts/${id}` },
    };
  }

  *#newestBefore(before: number, states: AlertQuery["states"]): Iterable<[number, Alert]> {
    if (states && !states.includes("resolved")) {
      const open = [...this.#open.getRange()].map(({ value }) => value).sort((a, b) => b - a);
      for (const number of open) {
        const alert = number < before ? this.#alerts.get(number) : undefined;
        if (alert) yield [number, alert];
      }
      return;
    }
    for (const { key, value } of this.#alerts.getRange({ reverse: true, start: before - 1 }))
      yield [key, value];
  }

  #committed({ touched, keys }: Recording): void {
    // Its transaction failed: nothing of it stands.
    if (!keys.some((key) => this.outbox.get(key))) return;
    for (const { id, state } of touched) {
      if (!this.get(id)) continue;
      this.counts[state] += 1;
      this.#tell(id);
    }
    this.outbox.announce(keys);
  }

  #tell(id: string): void {
    const alert = this.get(id);
    if (!alert) return;
    for (const listener of this.#listeners) listener(alert);
  }
}
