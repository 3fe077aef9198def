import type { Codec, RegistryView, Validate, ValidationLimits } from "../devices/index.js";
import { LedgerBook, unknownDevice } from "./ledger.js";
import { quarantineFields, unknownDeviceCode } from "./quarantine.js";
import type { HistoryBatch, QuarantineEntry, Values } from "./stores/port.js";

/** What a replay did. */
export interface ReplayReport {
  /** Entries that left quarantine. */
  replayed: number;
  /** Entries that are still refused and stay open. */
  refused: number;
}

/** What a replay needs of the pipeline. */
export interface ReplayParts {
  registry: RegistryView;
  codecFor: (topic: string) => Codec | undefined;
  validate: Validate;
  limits: ValidationLimits;
  dayOf: (timeMs: number) => string;
  clock: () => number;
}

/** One replay under way: which values come back, what it moves in the ledger, which entries it closes. */
export class Replay {
  readonly report: ReplayReport = { replayed: 0, refused: 0 };
  readonly #parts: ReplayParts;
  readonly #ledger: LedgerBook;
  readonly #closed: string[] = [];
  readonly #left: QuarantineEntry[] = [];
  readonly #values: Values;

  /** `values`: an empty batch, which it fills. */
  constructor(parts: ReplayParts, entries: readonly QuarantineEntry[], values: Values) {
    this.#parts = parts;
    this.#values = values;
    this.#ledger = new LedgerBook(parts.dayOf);
    for (const entry of entries) {
      if (this.#take(entry)) {
        this.#closed.push(entry.id);
        this.report.replayed += 1;
      } else this.report.refused += 1;
    }
  }

  /** The transaction that moves everything at once, when the values have their verdicts. */
  settle(position: number, by: string, atMs: number): HistoryBatch {
    this.#ledger.count(this.#values);
    return {
      position,
      values: this.#values,
      ledger: this.#ledger.deltas(),
      quarantine: this.#left,
      resolved: this.#closed.map((id) => ({ id, status: "replayed" as const, by, atMs })),
    };
  }

  #take(entry: QuarantineEntry): boolean {
    const { registry, codecFor, validate, limits, clock } = this.#parts;
    const message = {
      sequence: entry.message,
      topic: entry.topic,
      payload: entry.payload,
      user: entry.user,
      clientId: "",
      qos: 1 as const,
      receivedMs: entry.receivedMs,
    };
    const decoded = codecFor(entry.topic)?.decode(message, registry);
    if (decoded?.kind !== "decoded") return false;
    const device = registry.device(decoded.device);
    if (!device) return false;
    const wanted = entry.whole ? undefined : new Set(entry.paths);
    // What came while our clock was behind lay in the future then; what is past by now doesn't.
    const judged = validate(decoded, device, Math.max(entry.receivedMs, clock()), limits);
    const values = wanted ? judged.values.filter(({ path }) => wanted.has(path)) : judged.values;
    const faults = wanted ? judged.faults.filter(({ path }) => wanted.has(path)) : judged.faults;
    if (wanted && values.length === 0) return false;

    const account = this.#ledger.account(device.id, entry.receivedMs);
    if (entry.whole) this.#moveMessage(entry, device.id);
    else {
      account.values.decoded -= entry.count;
      account.values.quarantined -= entry.count;
    }
    account.values.decoded += values.length + faults.length;
    account.values.quarantined += faults.length;
    for (const value of values) this.#values.add(value, entry.receivedMs, entry.message);
    this.#left.push(...quarantineFields(message, device.id, faults, `-of-${entry.id}`));
    return true;
  }

  #moveMessage(entry: QuarantineEntry, device: string): void {
    const from = entry.reason === unknownDeviceCode ? unknownDevice : entry.device;
    const before = this.#ledger.account(from, entry.receivedMs).messages;
    before.received -= 1;
    before.quarantined -= 1;
    const after = this.#ledger.account(device, entry.receivedMs).messages;
    after.received += 1;
    after.decoded += 1;
  }
}
