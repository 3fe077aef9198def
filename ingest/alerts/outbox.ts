import { severities, type Severity } from "../../devices/index.js";
import type { StateStore } from "../stores/port.js";
import type { Alert, AlertCounts, DeliveryMark, OutboxEntry } from "./port.js";

/** An entry before the outbox has numbered it. */
export type NewEntry = Omit<OutboxEntry, "key" | "sequence" | "attempts" | "nextMs">;

/** Writes a mark on an alert; called inside a transaction. */
export type MarkAlert = (alert: string, mark: DeliveryMark) => void;

const digits = 15;

function keyOf(severity: Severity, sequence: number): string {
  return `${severities.indexOf(severity)}${String(sequence).padStart(digits, "0")}`;
}

/** What is owed to channels, in LMDB's table `outbox`. Bounded: the oldest of the least severity goes first. */
export class Outbox {
  readonly #table;
  readonly #off;
  readonly #state: StateStore;
  readonly #maxEntries: number;
  readonly #mark: MarkAlert;
  readonly #changed: (alert: string) => void;
  readonly #counts: AlertCounts;
  readonly #listeners = new Set<(keys: readonly string[]) => void>();
  #lastSequence: number;

  constructor(
    state: StateStore,
    options: {
      maxEntries: number;
      counts: AlertCounts;
      mark: MarkAlert;
      changed: (alert: string) => void;
    },
  ) {
    this.#state = state;
    this.#table = state.table<OutboxEntry>("outbox");
    this.#off = state.table<{ url: string; atMs: number }>("channels-off");
    this.#maxEntries = options.maxEntries;
    this.#mark = options.mark;
    this.#changed = options.changed;
    this.#counts = options.counts;
    this.#lastSequence = 0;
    for (const key of this.#table.getKeys()) {
      this.#lastSequence = Math.max(this.#lastSequence, Number(key.slice(1)));
      this.#counts.waiting += 1;
    }
  }

  /** Puts entries, inside the caller's transaction; makes room first. Returns their keys. */
  put(entries: readonly NewEntry[]): string[] {
    let count = (this.#table.getStats() as { entryCount: number }).entryCount;
    const keys: string[] = [];
    for (const entry of entries) {
      if (count >= this.#maxEntries) this.#shed(entry.createdMs);
      else count += 1;
      this.#lastSequence += 1;
      const key = keyOf(entry.body.severity, this.#lastSequence);
      const whole = { ...entry, key, sequence: this.#lastSequence, attempts: 0, nextMs: entry.createdMs };
      void this.#table.put(key, whole);
      this.#mark(entry.alert, {
        channel: entry.channel,
        state: entry.state,
        status: "pending",
        attempts: 0,
        atMs: entry.createdMs,
      });
      keys.push(key);
    }
    return keys;
  }

  /** Tells the deliverer of entries that are on disk now. */
  announce(keys: readonly string[]): void {
    this.#count();
    for (const listener of this.#listeners) listener(keys);
  }

  /** Calls `listener` with the keys of entries once they are durable. Returns the way to stop it. */
  onAdded(listener: (keys: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The entry, unless it was delivered, given up or shed. */
  get(key: string): OutboxEntry | undefined {
    return this.#table.get(key);
  }

  /** Everything that waits, in the order of recording. */
  all(): { key: string; channel: string; group: string; nextMs: number }[] {
    return [...this.#table.getRange()]
      .map(({ value }) => value)
      .sort((a, b) => a.sequence - b.sequence)
      .map(({ key, channel, group, nextMs }) => ({ key, channel, group, nextMs }));
  }

  /** The receiver took it. */
  async delivered(entry: OutboxEntry, atMs: number): Promise<void> {
    await this.#end(entry, { status: "delivered", attempts: entry.attempts + 1, atMs });
    this.#counts.delivered += 1;
  }

  /** It is given up. */
  async dead(entry: OutboxEntry, atMs: number, fault: string): Promise<void> {
    await this.#end(entry, { status: "dead", attempts: entry.attempts + 1, atMs, fault });
    this.#counts.dead += 1;
  }

  /** A try failed; the next one not before `nextMs`. */
  async failed(entry: OutboxEntry, atMs: number, nextMs: number, fault: string): Promise<void> {
    const attempts = entry.attempts + 1;
    this.#counts.failedAttempts += 1;
    await this.#state.transaction(() => {
      if (!this.#table.get(entry.key)) return;
      void this.#table.put(entry.key, { ...entry, attempts, nextMs });
      const { channel, state } = entry;
      this.#mark(entry.alert, { channel, state, status: "pending", attempts, atMs, fault, nextMs });
    });
    this.#changed(entry.alert);
  }

  /** True when the receiver at this address said that it wants no more. */
  isOff(channel: string, url: string): boolean {
    return this.#off.get(channel)?.url === url;
  }

  /** Remembers that the receiver at this address wants no more. */
  async turnOff(channel: string, url: string, atMs: number): Promise<void> {
    await this.#state.transaction(() => void this.#off.put(channel, { url, atMs }));
  }

  /** Lets a channel that was turned off be tried again. */
  async turnOn(channel: string): Promise<void> {
    await this.#state.transaction(() => void this.#off.remove(channel));
  }

  async #end(entry: OutboxEntry, mark: Omit<DeliveryMark, "channel" | "state">): Promise<void> {
    await this.#state.transaction(() => {
      void this.#table.remove(entry.key);
      this.#mark(entry.alert, { channel: entry.channel, state: entry.state, ...mark });
    });
    this.#count();
    this.#changed(entry.alert);
  }

  #shed(atMs: number): void {
    for (const { key, value } of this.#table.getRange({ limit: 1 })) {
      void this.#table.remove(key);
      this.#mark(value.alert, {
        channel: value.channel,
        state: value.state,
        status: "shed",
        attempts: value.attempts,
        atMs,
        fault: "the outbox was full",
      });
      this.#counts.shed += 1;
    }
  }

  #count(): void {
    this.#counts.waiting = (this.#table.getStats() as { entryCount: number }).entryCount;
  }
}

/** True for a state of an alert that still stands. */
export function isOpen(alert: Pick<Alert, "state">): boolean {
  return alert.state !== "resolved";
}
