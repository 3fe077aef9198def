import type { Codec, JournalMessage } from "../devices/index.js";
import { judge, type JudgedPart, type JudgementParts } from "./judgement.js";
import { LedgerBook, unknownDevice } from "./ledger.js";
import type { MemoryBook } from "./memory.js";
import { quarantineFields, unknownDeviceCode, unmappedCode, warningCode } from "./quarantine.js";
import { madeOf, type MadeValue } from "./codec-book.js";
import type { HistoryBatch, QuarantineEntry, Values } from "./stores/port.js";

/** What a replay did. */
export interface ReplayReport {
  /** Entries that left quarantine. */
  replayed: number;
  /** Entries that are still refused and stay open. */
  refused: number;
}

/** What a replay needs of the pipeline. */
export interface ReplayParts extends JudgementParts {
  codecFor: (topic: string) => Codec | undefined;
  dayOf: (timeMs: number) => string;
  clock: () => number;
  memory: MemoryBook;
}

/** Whose account an entry counts in. */
const placeOf = ({ reason, device }: QuarantineEntry): string =>
  reason === unknownDeviceCode ? unknownDevice : device;

/** What is left of a part of a message when an entry's paths had their say. */
const onlyAt = (judged: JudgedPart, paths: ReadonlySet<string>): JudgedPart => ({
  ...judged,
  values: judged.values.filter(({ path }) => paths.has(path)),
  faults: judged.faults.filter(({ path }) => paths.has(path)),
});

/** One replay under way: which values come back, what it moves in the ledger, which entries it closes. */
export class Replay {
  readonly report: ReplayReport = { replayed: 0, refused: 0 };
  /** Stands when a decoder is being started: make another replay after this. */
  waitsFor: Promise<void> | undefined;
  readonly #parts: ReplayParts;
  readonly #ledger: LedgerBook;
  readonly #closed: string[] = [];
  readonly #left: QuarantineEntry[] = [];
  readonly #values: Values;
  /** Whose decoder made which of the values. */
  readonly made: MadeValue[] = [];

  /** `values`: an empty batch, which it fills. */
  constructor(parts: ReplayParts, entries: readonly QuarantineEntry[], values: Values) {
    this.#parts = parts;
    this.#values = values;
    this.#ledger = new LedgerBook(parts.dayOf);
    for (const entry of entries) {
      const isTaken = this.#take(entry);
      if (this.waitsFor) return;
      if (isTaken) {
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
    const { registry, codecFor, memory, clock } = this.#parts;
    const codec = codecFor(entry.topic);
    if (!codec || entry.reason === warningCode) return false;
    const message = {
      sequence: entry.message,
      topic: entry.topic,
      payload: entry.payload,
      user: entry.user,
      clientId: "",
      qos: 1 as const,
      receivedMs: entry.receivedMs,
    };
    // What came while our clock was behind lay in the future then; what is past by now doesn't.
    const nowMs = Math.max(entry.receivedMs, clock());
    const { decoded, parts } = judge(this.#parts, codec, message, nowMs, memory.past(entry.message));
    if (decoded.kind === "waiting") this.waitsFor = decoded.ready;
    if (decoded.kind !== "decoded") return false;
    const device = registry.device(decoded.device);
    if (!device) return false;
    const judged = entry.whole ? parts : parts.map((part) => onlyAt(part, new Set(entry.paths)));
    if (!entry.whole && judged.every(({ values }) => values.length === 0)) return false;

    if (entry.whole) this.#moveMessage(entry, device.id);
    else if (entry.reason !== unmappedCode) {
      const account = this.#ledger.account(placeOf(entry), entry.receivedMs).values;
      account.decoded -= entry.count;
      account.quarantined -= entry.count;
    }
    let left = 0;
    for (const part of judged) left += this.#settle(entry, message, part, left);
    return true;
  }

  /** Takes the values and keeps the faults of a part; gives how many entries that left. */
  #settle(entry: QuarantineEntry, message: JournalMessage, judged: JudgedPart, after: number): number {
    const { part, device, values, faults } = judged;
    const account = this.#ledger.account(device?.id ?? unknownDevice, entry.receivedMs).values;
    account.decoded += values.length + faults.length;
    account.quarantined += faults.length;
    for (const value of values) this.#values.add(value, entry.receivedMs, entry.message);
    this.made.push(...madeOf(values, part, entry.receivedMs));
    const left = quarantineFields(message, part.device, faults, `-of-${entry.id}`, after);
    this.#left.push(...left);
    return left.length;
  }

  #moveMessage(entry: QuarantineEntry, device: string): void {
    const before = this.#ledger.account(placeOf(entry), entry.receivedMs).messages;
    before.received -= 1;
    before.quarantined -= 1;
    const after = this.#ledger.account(device, entry.receivedMs).messages;
    after.received += 1;
    after.decoded += 1;
  }
}
