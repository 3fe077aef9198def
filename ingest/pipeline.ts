import { type Answer, type JournalMessage, ObiegError } from "../devices/index.js";
import type { AlertTransition } from "./alerts/port.js";
import { Batch, type BatchParts, type SeenAnswer } from "./batch.js";
import { CodecBook } from "./codec-book.js";
import { MemoryBook } from "./memory.js";
import { PresenceBook } from "./presence.js";
import { warningEntry } from "./quarantine.js";
import type { RuleEngine } from "./rules/port.js";
import { Replay, type ReplayReport } from "./replay.js";
import type { History, HistoryBatch, IdentifiedValue, QuarantineEntry, Sink } from "./stores/port.js";
import type { StateStore } from "./stores/state.js";
import { UnmappedBook } from "./unmapped.js";
import { UplinkBook } from "./uplinks.js";

/** What the pipeline works with; everything outside comes through these. */
export interface PipelineParts extends Omit<BatchParts, "memory"> {
  history: History;
  rules: RuleEngine;
  recordAlerts: (transitions: readonly AlertTransition[]) => void;
  state: StateStore;
  sinks: readonly Sink[];
  clock: () => number;
  /** Told after a batch is durable: values stored and entries quarantined, for the live feed and `rejections/{device}`. */
  onCommitted: (values: Iterable<IdentifiedValue>, quarantined: readonly QuarantineEntry[]) => void;
  /** Says something back to who sent a message, once what it taught is durable; tried once. */
  answer: (answer: Answer) => void;
}

/** An older message isn't answered: whoever it is about will be heard again. */
const answerWithinMs = 60_000;

/** The story of a reading after its acknowledgement. One batch at a time, in the order of the journal. */
export class Pipeline {
  /** Fields that nobody gave a quantity. */
  readonly unmapped: UnmappedBook;
  /** Which devices are there by their own word. */
  readonly presence: PresenceBook;
  /** Which decoder made which reading. */
  readonly codecs: CodecBook;
  /** What frames' counters say of lost uplinks. */
  readonly uplinks: UplinkBook;
  readonly #warnings: UnmappedBook;
  /** What formats keep of messages so that later ones can be read. */
  readonly memory: MemoryBook;
  readonly #parts: PipelineParts & BatchParts;
  /** Ends when the batch under way does: batches and replays take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Grows when history forgets or the registry changes. */
  #run = 0;
  /** Stands while the second commit (rules, alerts) of what history took is owed. */
  #unjudged: Pick<Batch, "values" | "quarantined"> | undefined;
  /** When the last message that was taken was received. */
  #reachedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: PipelineParts) {
    this.codecs = new CodecBook(parts.state);
    this.uplinks = new UplinkBook(parts.state);
    this.#warnings = new UnmappedBook(parts.state, "codec-warnings", warningEntry);
    this.memory = new MemoryBook(parts.state, parts.history.position);
    this.#parts = { ...parts, memory: this.memory, isMade: (device) => this.codecs.isMade(device) };
    this.unmapped = new UnmappedBook(parts.state);
    this.presence = new PresenceBook(parts.state);
  }

  /**
   * Decodes and validates messages from the journal; `take` does the rest.
   * Guarantee: changes nothing that is stored, so that a batch can be understood while the one before is being stored.
   */
  understand(messages: readonly JournalMessage[]): Batch {
    return new Batch(this.#parts, messages, this.#run);
  }

  /**
   * Takes an understood batch through every step that is left.
   * Guarantee: resolved means queryable, judged and accounted for, with the position on disk; thrown means that the same batch is to be
   * taken again: what history took already isn't taken twice. `meanwhile` is called while the disk is at work; it must not throw.
   */
  take(understood: Batch, meanwhile?: () => void): Promise<void> {
    return this.#inTurn(async () => {
      await this.#finish();
      const { history } = this.#parts;
      this.memory.settle(history.position);
      const last = understood.messages.at(-1);
      if (last && last.sequence <= history.position) return;
      let batch = understood;
      while (batch.run !== this.#run || batch.waitsFor || !this.memory.isCurrent(batch.memory)) {
        await batch.waitsFor;
        batch = this.understand(batch.messages);
      }
      await this.presence.take(batch.presence);
      await this.uplinks.take(batch.uplinks);
      await this.codecs.note(batch.made);
      await this.memory.stage(batch.memory, history.position);
      await this.#identify(batch);
      await this.#store(batch, meanwhile);
      this.memory.settle(history.position);
      await this.#finish();
      this.#answer(batch.answers);
    });
  }

  /**
   * Takes quarantined entries through the story again, after what refused them was mended.
   * Only what was quarantined is taken; what is still refused stays as it is. Entries stand as they were read: who
   * reads them lets nobody else take them meanwhile (`open-entries.ts`).
   * Guarantee: rows, entries and the account of the day of receipt move in one transaction.
   */
  replay(entries: readonly QuarantineEntry[], by: string): Promise<ReplayReport> {
    return this.#inTurn(async () => {
      const { history, clock } = this.#parts;
      await this.#finish();
      const open = entries.filter((entry) => entry.status === "open");
      let values = history.gather();
      let replay = new Replay(this.#parts, open, values);
      while (replay.waitsFor) {
        await replay.waitsFor;
        values = history.gather();
        replay = new Replay(this.#parts, open, values);
      }
      await this.codecs.note(replay.made, true);
      await this.#orForget(() => history.identify(values));
      const batch = replay.settle(history.position, by, clock());
      await this.#commit(batch);
      this.#unjudged = { values, quarantined: batch.quarantine };
      await this.#finish();
      return replay.report;
    });
  }

  /** Closes entries that nobody will mend; their messages stay counted as quarantined. */
  dismiss(entries: readonly QuarantineEntry[], by: string): Promise<number> {
    return this.#inTurn(async () => {
      const { history, clock } = this.#parts;
      const open = entries.filter((entry) => entry.status === "open");
      const resolved = open.map(({ id }) => ({ id, status: "dismissed" as const, by, atMs: clock() }));
      await this.#commit({ position: history.position, ledger: [], quarantine: [], resolved });
      return open.length;
    });
  }

  /** Lets what was understood by an older registry be understood anew before it is taken. */
  renew(): void {
    this.#run += 1;
  }

  /** Resolves when the batch under way is stored. */
  async settled(): Promise<void> {
    await this.#inTurn(async () => undefined);
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
        if (missed.count === 0) break;
        await this.#judge(missed);
      }
    });
  }

  /** Lets history do what is due; a fault of that (sealing on a full disk) may have closed it, so it is brought back between batches. */
  async maintain(nowMs: number): Promise<void> {
    const { history } = this.#parts;
    await this.#inTurn(async () => {
      await this.unmapped.save();
      await this.#warnings.save();
      const isThere = (device: string): boolean => this.#parts.registry.device(device) !== undefined;
      await this.presence.keepOnly(isThere);
      await this.uplinks.keepOnly(isThere);
    });
    try {
      await history.maintain(nowMs);
    } catch (error) {
      await this.#inTurn(() => this.#forget());
      throw error;
    }
  }

  /**
   * Lets the rules see the time: durations that pass, devices that fall silent or say that they are offline.
   * While messages wait (`isCaughtUp` false) it goes as far as they were taken: what a device said since is among them.
   */
  tick(isCaughtUp = true): Promise<void> {
    return this.#inTurn(async () => {
      await this.#finish();
      const nowMs = this.#parts.clock();
      const untilMs = isCaughtUp ? nowMs : Math.min(nowMs, this.#reachedMs);
      if (untilMs > Number.NEGATIVE_INFINITY)
        await this.#record(this.#parts.rules.tick(nowMs, this.presence, untilMs));
    });
  }

  async #identify(batch: Batch): Promise<void> {
    await this.#orForget(() => this.#parts.history.identify(batch.values));
    batch.ledger.count(batch.values);
  }

  async #store(batch: Batch, meanwhile: (() => void) | undefined): Promise<void> {
    const { messages, values, ledger, quarantined, unmapped, warnings } = batch;
    const last = messages.at(-1);
    if (!last) throw new ObiegError("empty-batch", "a batch holds at least one message");
    const quarantine =
      unmapped.length + warnings.length > 0
        ? [...quarantined, ...this.unmapped.entriesOf(unmapped), ...this.#warnings.entriesOf(warnings)]
        : quarantined;
    const position = last.sequence;
    await this.#commit({ position, values, ledger: ledger.deltas(), quarantine, meanwhile });
    this.unmapped.count(unmapped);
    this.#warnings.count(warnings);
    this.#unjudged = { values, quarantined: quarantine };
    this.#reachedMs = last.receivedMs;
  }

  #commit(batch: HistoryBatch): Promise<void> {
    return this.#orForget(() => this.#parts.history.commit(batch));
  }

  /** Lets history forget what it staged when a step of its fails, and come back if it must. */
  async #orForget(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.#forget();
      throw error;
    }
  }

  /** Lets what was understood until history is back, also meanwhile, be understood anew: it may have series that aren't in there. */
  async #forget(): Promise<void> {
    try {
      await this.#parts.history.forget();
    } finally {
      this.#run += 1;
    }
  }

  /** The second half of a batch: rules and alerts, then those who listen. Tried again until it is done. */
  async #finish(): Promise<void> {
    const stored = this.#unjudged;
    if (!stored) return;
    await this.#judge(stored.values);
    if (this.unmapped.hasNew) await this.unmapped.save();
    if (this.#warnings.hasNew) await this.#warnings.save();
    this.#unjudged = undefined;
    const { history, sinks, onCommitted } = this.#parts;
    for (const sink of sinks) sink.wake(history.lastSequence);
    onCommitted(stored.values, stored.quarantined);
    history.release(stored.values);
  }

  /** Says each thing once, however often the batch gave cause. */
  #answer(answers: readonly SeenAnswer[]): void {
    const { clock, answer } = this.#parts;
    const fresh = answers.filter(({ receivedMs }) => clock() - receivedMs <= answerWithinMs);
    for (const one of new Map(fresh.map((each) => [each.topic, each])).values()) answer(one);
  }

  async #judge(values: Iterable<IdentifiedValue>): Promise<void> {
    await this.#record(this.#parts.rules.fold(values, this.#parts.clock()));
  }

  /** Puts what the rules found and their own state on disk, in one transaction. */
  async #record(transitions: readonly AlertTransition[]): Promise<void> {
    const { rules, state, recordAlerts } = this.#parts;
    if (!rules.dirty && transitions.length === 0) return;
    await state.transaction(() => {
      recordAlerts(transitions);
      rules.save();
    });
  }
}
