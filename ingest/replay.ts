import {
  type Codec,
  type RegistryView,
  type Validate,
  type ValidationLimits,
  type Value,
} from "../devices/index.js";
import { LedgerBook, unknownDevice } from "./ledger.js";
import { quarantineFields, unknownDeviceCode } from "./quarantine.js";
import type { HistoryBatch, IdentifiedValue, QuarantineEntry } from "./stores/port.js";

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
}

/** One replay under way: which values come back, what it moves in the ledger, which entries it closes. */
export class Replay {
  readonly values: (Value & { receivedMs: number; message: number })[] = [];
  readonly report: ReplayReport = { replayed: 0, refused: 0 };
  readonly #parts: ReplayParts;
  readonly #ledger: LedgerBook;
  readonly #closed: string[] = [];
  readonly #left: QuarantineEntry[] = [];

  constructor(parts: ReplayParts, entries: readonly QuarantineEntry[]) {
    this.#parts = parts;
    this.#ledger = new LedgerBook(parts.dayOf);
    for (const entry of entries) {
      if (this.#take(entry)) {
        this.#closed.push(entry.id);
        this.report.replayed += 1;
      } else this.report.refused += 1;
    }
  }

  /** The transaction that moves everything at once, when the values have their verdicts. */
  settle(identified: readonly IdentifiedValue[], position: number, by: string, atMs: number): HistoryBatch {
    for (const value of identified) {
      const account = this.#ledger.account(value.device, value.receivedMs).values;
      account[value.verdict] += 1;
      if (value.verdict === "stored" && value.late) account.late += 1;
    }
    return {
      position,
      values: identified.filter((value) => value.verdict !== "duplicate"),
      ledger: this.#ledger.deltas(),
      quarantine: this.#left,
      resolved: this.#closed.map((id) => ({ id, status: "replayed" as const, by, atMs })),
    };
  }

  #take(entry: QuarantineEntry): boolean {
    const { registry, codecFor, validate, limits } = this.#parts;
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
    const judged = validate(decoded, device, entry.receivedMs, limits);
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
    for (const value of values)
      this.values.push({ ...value, receivedMs: entry.receivedMs, message: entry.message });
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
