import type { Answer, Codec, Decoded, JournalMessage } from "../devices/index.js";
import { madeOf, type MadeValue } from "./codec-book.js";
import { judge, type JudgedPart, type Judgement, type JudgementParts } from "./judgement.js";
import { LedgerBook, unknownDevice } from "./ledger.js";
import type { MemoryBook, MemoryLayer } from "./memory.js";
import type { SeenSign } from "./presence.js";
import { quarantineFields, quarantineWhole, unknownDeviceCode } from "./quarantine.js";
import type { History, QuarantineEntry, Values } from "./stores/port.js";
import type { Unmapped } from "./unmapped.js";
import type { SeenUplink } from "./uplinks.js";

/** Something to be said back, and when the message came that it answers. */
export interface SeenAnswer extends Answer {
  receivedMs: number;
}

/** What messages are understood with. */
export interface BatchParts extends JudgementParts {
  codecFor: (topic: string) => Codec | undefined;
  history: Pick<History, "gather">;
  dayOf: (timeMs: number) => string;
  memory: MemoryBook;
  /** True for devices of which a decoder ever made a value. */
  isMade?: (device: string) => boolean;
}

/** One batch on its way through the story: what was understood of its messages. */
export class Batch {
  readonly messages: readonly JournalMessage[];
  readonly values: Values;
  readonly quarantined: QuarantineEntry[] = [];
  /** Numbers without a quantity. */
  readonly unmapped: Unmapped[] = [];
  /** What devices said of their own being there. */
  readonly presence: SeenSign[] = [];
  /** Whose decoder made which of the values. */
  readonly made: MadeValue[] = [];
  /** What decoders warned of. */
  readonly warnings: Unmapped[] = [];
  /** What frames' counters say. */
  readonly uplinks: SeenUplink[] = [];
  /** What its messages teach those after them. */
  readonly memory: MemoryLayer;
  /** What is to be said back to who sent them. */
  readonly answers: SeenAnswer[] = [];
  readonly ledger: LedgerBook;
  /** Which run of history it was gathered for: one that failed is understood anew. */
  readonly run: number;
  /** Stands when a decoder is being started: the batch isn't understood to its end, and is understood anew after this. */
  readonly waitsFor: Promise<void> | undefined;
  readonly #parts: BatchParts;

  /**
   * Decodes and validates; a message at which a decoder fails is quarantined, and costs the others nothing.
   * Guarantee: changes nothing but what it gathers; the same messages after the same ones give the same.
   */
  constructor(parts: BatchParts, messages: readonly JournalMessage[], run: number) {
    this.#parts = parts;
    this.messages = messages;
    this.values = parts.history.gather();
    this.ledger = new LedgerBook(parts.dayOf);
    this.run = run;
    this.memory = parts.memory.open(messages[0]?.sequence ?? 0);
    for (const message of messages) {
      const judgement = this.#judge(message);
      const { decoded } = judgement;
      if (decoded.kind === "waiting") {
        this.waitsFor = decoded.ready;
        break;
      }
      if (decoded.lessons) this.memory.learn(decoded.lessons, message);
      for (const answer of decoded.answers ?? [])
        this.answers.push({ ...answer, receivedMs: message.receivedMs });
      this.#take(message, decoded, judgement.parts);
    }
    const last = messages.at(-1);
    if (last && !this.waitsFor) parts.memory.close(this.memory, last.sequence);
  }

  #judge(message: JournalMessage): Judgement {
    const codec = this.#parts.codecFor(message.topic);
    if (!codec) return { decoded: { kind: "ignored", reason: "no-codec" }, parts: [] };
    const past = codec.remembers ? this.memory.past(message.sequence) : undefined;
    return judge(this.#parts, codec, message, message.receivedMs, past);
  }

  /** Gathers what a message came to, and accounts for it. */
  #take(
    message: JournalMessage,
    decoded: Exclude<Decoded, { kind: "waiting" }>,
    parts: readonly JudgedPart[],
  ): void {
    const { registry } = this.#parts;
    const named = decoded.device;
    const device = named === undefined ? undefined : registry.device(named);
    const account = this.ledger.account(device?.id ?? unknownDevice, message.receivedMs);
    account.messages.received += 1;
    if (decoded.kind !== "refused" && decoded.presence) {
      const { sequence, receivedMs } = message;
      for (const sign of decoded.presence) this.presence.push({ ...sign, message: sequence, receivedMs });
    }
    if (device && decoded.uplink)
      this.uplinks.push({ ...decoded.uplink, device: device.id, message: message.sequence });
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
      this.quarantined.push(quarantineWhole(message, named ?? unknownDevice, fault));
      return;
    }
    account.messages.decoded += 1;
    const before = this.quarantined.length;
    for (const part of parts) this.#takePart(message, part, this.quarantined.length - before);
  }

  /** Takes what a message says of one device, which a message of several may name without knowing it; `after`: entries made of it before. */
  #takePart(message: JournalMessage, { part, device, values, faults }: JudgedPart, after: number): void {
    const account = this.ledger.account(device?.id ?? unknownDevice, message.receivedMs).values;
    account.decoded += values.length + faults.length;
    for (const value of values) this.values.add(value, message.receivedMs, message.sequence);
    if (faults.length > 0) {
      account.quarantined += faults.length;
      this.quarantined.push(...quarantineFields(message, part.device, faults, "", after));
    }
    if (!device) return;
    if (part.made !== undefined || this.#parts.isMade?.(device.id))
      this.made.push(...madeOf(values, part, message.receivedMs));
    if (part.warnings) {
      const path = part.made?.path ?? "";
      const fields = part.warnings.map((field) => ({ field, value: 0, path }));
      this.warnings.push({ message, device: device.id, fields });
    }
    if (part.unmapped) this.unmapped.push({ message, device: device.id, fields: part.unmapped });
  }
}
