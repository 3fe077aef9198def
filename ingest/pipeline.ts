import {
  type Codec,
  type Decoded,
  type JournalMessage,
  ObiegError,
  type RegistryView,
  type Validate,
  type ValidationLimits,
  type Value,
} from "../devices/index.js";
import type { AlertTransition } from "./alerts/port.js";
import { LedgerBook, unknownDevice } from "./ledger.js";
import { quarantineFields, quarantineWhole, unknownDeviceCode } from "./quarantine.js";
import type { RuleEngine } from "./rules/port.js";
import { Replay, type ReplayReport } from "./replay.js";
import type { History, HistoryBatch, IdentifiedValue, QuarantineEntry, Sink } from "./stores/port.js";
import type { StateStore } from "./stores/state.js";

/** A validated value with the message that brought it. */
export type ReceivedValue = Value & { receivedMs: number; message: number };

/** What the pipeline works with; everything outside comes through these. */
export interface PipelineParts {
  registry: RegistryView;
  codecFor: (topic: string) => Codec | undefined;
  validate: Validate;
  limits: ValidationLimits;
  history: History;
  rules: RuleEngine;
  recordAlerts: (transitions: readonly AlertTransition[]) => void;
  state: StateStore;
  sinks: readonly Sink[];
  dayOf: (timeMs: number) => string;
  clock: () => number;
  /** Told after a batch is durable: values stored and entries quarantined, for the live feed and `rejections/{device}`. */
  onCommitted: (values: readonly IdentifiedValue[], quarantined: readonly QuarantineEntry[]) => void;
}

/** One batch on its way through the story. */
interface Batch {
  messages: readonly JournalMessage[];
  decoded: Decoded[];
  values: ReceivedValue[];
  identified: IdentifiedValue[];
  quarantined: QuarantineEntry[];
  ledger: LedgerBook;
}

/** The story of a reading after its acknowledgement. One batch at a time, in the order of the journal. */
export class Pipeline {
  readonly #parts: PipelineParts;
  /** Ends when the batch under way does: batches and replays take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /**
   * Takes messages from the journal through every step.
   * Guarantee: resolved means queryable, judged and accounted for, with the position on disk; thrown means that none of it is.
   */
  take(messages: readonly JournalMessage[]): Promise<void> {
    return this.#inTurn(async () => {
      const batch = this.#open(messages);
      this.#decode(batch);
      this.#validate(batch);
      await this.#identify(batch);
      await this.#store(batch);
      await this.#judge(batch.identified);
      this.#tell(batch);
    });
  }

  /**
   * Takes quarantined entries through the story again, after what refused them was mended.
   * Only what was quarantined is taken; what is still refused stays as it is. A second replay of the same entry does nothing.
   * Guarantee: rows, entries and the account of the day of receipt move in one transaction.
   */
  replay(entries: readonly QuarantineEntry[], by: string): Promise<ReplayReport> {
    return this.#inTurn(async () => {
      const { history, clock } = this.#parts;
      const replay = new Replay(
        this.#parts,
        entries.filter((entry) => entry.status === "open"),
      );
      const identified = await history.identify(replay.values);
      const batch = replay.settle(identified, history.position, by, clock());
      await this.#commit(batch);
      await this.#judge(identified);
      for (const sink of this.#parts.sinks) sink.wake(history.lastSequence);
      this.#parts.onCommitted(identified, batch.quarantine);
      return replay.report;
    });
  }

  /** Closes entries that nobody will mend; their messages stay counted as quarantined. */
  dismiss(entries: readonly QuarantineEntry[], by: string): Promise<number> {
    return this.#inTurn(async () => {
      const { history, clock } = this.#parts;
      const open = entries.filter((entry) => entry.status === "open");
      const resolved = open.map(({ id }) => ({ id, status: "dismissed" as const, by, atMs: clock() }));
      await history.commit({ position: history.position, values: [], ledger: [], quarantine: [], resolved });
      return open.length;
    });
  }

  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(body);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Judges what history holds and the rules haven't seen (after a crash between the two), then the clock. */
  catchUp(): Promise<void> {
    return this.#inTurn(async () => {
      const { history, rules } = this.#parts;
      while (rules.position < history.lastSequence) {
        const missed = await history.after(rules.position, 10_000);
        if (missed.length === 0) break;
        await this.#judge(missed);
      }
    });
  }

  /** Lets the rules see the time: durations that pass and devices that fall silent. */
  tick(): Promise<void> {
    return this.#inTurn(() => this.#judge([]));
  }

  #open(messages: readonly JournalMessage[]): Batch {
    return {
      messages,
      decoded: [],
      values: [],
      identified: [],
      quarantined: [],
      ledger: new LedgerBook(this.#parts.dayOf),
    };
  }

  #decode(batch: Batch): void {
    const { registry, codecFor } = this.#parts;
    batch.decoded = batch.messages.map((message) => {
      const codec = codecFor(message.topic);
      return codec ? codec.decode(message, registry) : { kind: "ignored", reason: "no-codec" };
    });
  }

  #validate(batch: Batch): void {
    batch.decoded.forEach((decoded, index) => {
      const message = batch.messages[index];
      if (message) this.#validateOne(batch, message, decoded);
    });
  }

  #validateOne(batch: Batch, message: JournalMessage, decoded: Decoded): void {
    const { registry, validate, limits } = this.#parts;
    const named = decoded.kind === "ignored" ? undefined : decoded.device;
    const device = named === undefined ? undefined : registry.device(named);
    const account = batch.ledger.account(device?.id ?? unknownDevice, message.receivedMs);
    account.messages.received += 1;
    if (decoded.kind === "ignored") {
      account.messages.ignored += 1;
      return;
    }
    if (decoded.kind === "refused" || !device) {
      const fault =
        decoded.kind === "refused" && (device || named === undefined)
          ? decoded.fault
          : { code: unknownDeviceCode, path: "", detail: "not in the registry: add the device, then replay" };
      account.messages.quarantined += 1;
      batch.quarantined.push(quarantineWhole(message, named ?? unknownDevice, fault));
      return;
    }
    const { values, faults } = validate(decoded, device, message.receivedMs, limits);
    account.messages.decoded += 1;
    account.values.decoded += values.length + faults.length;
    for (const value of values) {
      batch.values.push({
        device: value.device,
        quantity: value.quantity,
        attributes: value.attributes,
        timeMs: value.timeMs,
        value: value.value,
        path: value.path,
        receivedMs: message.receivedMs,
        message: message.sequence,
      });
    }
    if (faults.length > 0) {
      account.values.quarantined += faults.length;
      batch.quarantined.push(...quarantineFields(message, device.id, faults));
    }
  }

  async #identify(batch: Batch): Promise<void> {
    batch.identified = await this.#parts.history.identify(batch.values);
    for (const value of batch.identified) {
      const account = batch.ledger.account(value.device, value.receivedMs).values;
      account[value.verdict] += 1;
      if (value.verdict === "stored" && value.late) account.late += 1;
    }
  }

  async #store(batch: Batch): Promise<void> {
    const last = batch.messages.at(-1);
    if (!last) throw new ObiegError("empty-batch", "a batch holds at least one message");
    await this.#commit({
      position: last.sequence,
      values: batch.identified.filter((value) => value.verdict !== "duplicate"),
      ledger: batch.ledger.deltas(),
      quarantine: batch.quarantined,
    });
  }

  async #commit(batch: HistoryBatch): Promise<void> {
    const { history } = this.#parts;
    try {
      await history.commit(batch);
    } catch (error) {
      await history.forget();
      throw error;
    }
  }

  async #judge(values: readonly IdentifiedValue[]): Promise<void> {
    const { rules, state, recordAlerts, clock } = this.#parts;
    const stored = values.filter((value) => value.verdict === "stored");
    const transitions = rules.fold(stored, clock());
    if (!rules.dirty && transitions.length === 0) return;
    await state.transaction(() => {
      recordAlerts(transitions);
      rules.save();
    });
  }

  #tell(batch: Batch): void {
    const { history, sinks, onCommitted } = this.#parts;
    for (const sink of sinks) sink.wake(history.lastSequence);
    onCommitted(batch.identified, batch.quarantined);
  }
}
