import { crc32c } from "@node-rs/crc32";
import type { JournalMessage, RawMessage } from "../../devices/index.js";

/** Bytes before the names and the payload of a record. */
export const recordHeaderBytes = 36;
/** No record is larger; a length field above it is damage. MQTT's own bound is 256 MiB; the door's is far below. */
export const maxRecordBytes = 64 * 2 ** 20;

const lengthAt = 0;
const crcAt = 4;
const sequenceAt = 8;
const receivedAt = 16;
const sinceDurableAt = 24;
const topicAt = 28;
const clientAt = 30;
const userAt = 32;
const qosAt = 34;

/** Bytes that a message takes in the journal. */
export function recordBytes(message: RawMessage): number {
  return (
    recordHeaderBytes +
    Buffer.byteLength(message.topic) +
    Buffer.byteLength(message.clientId) +
    Buffer.byteLength(message.user) +
    message.payload.length
  );
}

/**
 * Writes one record at `offset`; gives the offset after it. `sinceDurable`: how many sequences lie between the last one
 * that was synced when the record was made and this one (see the README: it tells a torn group from damage).
 */
export function writeRecord(
  into: Buffer,
  offset: number,
  message: RawMessage,
  sequence: number,
  sinceDurable: number,
): number {
  let at = offset + recordHeaderBytes;
  const topic = into.write(message.topic, at);
  at += topic;
  const client = into.write(message.clientId, at);
  at += client;
  const user = into.write(message.user, at);
  at += user;
  into.set(message.payload, at);
  at += message.payload.length;
  into.writeUInt32LE(at - offset, offset + lengthAt);
  into.writeDoubleLE(sequence, offset + sequenceAt);
  into.writeDoubleLE(message.receivedMs, offset + receivedAt);
  into.writeUInt32LE(sinceDurable, offset + sinceDurableAt);
  into.writeUInt16LE(topic, offset + topicAt);
  into.writeUInt16LE(client, offset + clientAt);
  into.writeUInt16LE(user, offset + userAt);
  into.writeUInt16LE(message.qos, offset + qosAt);
  into.writeUInt32LE(crc32c(into.subarray(offset + sequenceAt, at)), offset + crcAt);
  return at;
}

/** A record found in a buffer. */
export interface FoundRecord {
  sequence: number;
  sinceDurable: number;
  /** Offset of its first byte, and of the byte after it. */
  start: number;
  end: number;
}

/** Looks for a whole, correct record at `offset`: the record, `short` when the buffer ends first, or `broken`. */
export function findRecord(from: Buffer, offset: number): FoundRecord | "short" | "broken" {
  if (from.length - offset < recordHeaderBytes) return "short";
  const length = from.readUInt32LE(offset + lengthAt);
  if (length < recordHeaderBytes || length > maxRecordBytes) return "broken";
  if (from.length - offset < length) return "short";
  const end = offset + length;
  const sequence = from.readDoubleLE(offset + sequenceAt);
  if (!Number.isSafeInteger(sequence) || sequence < 1) return "broken";
  if (crc32c(from.subarray(offset + sequenceAt, end)) !== from.readUInt32LE(offset + crcAt)) return "broken";
  return {
    sequence,
    sinceDurable: from.readUInt32LE(offset + sinceDurableAt),
    start: offset,
    end,
  };
}

/** A message that stands in the bytes of a record: what nobody asks for is never made. The payload is a view of them. */
class RecordedMessage implements JournalMessage {
  readonly #from: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly sequence: number;

  constructor(from: Buffer, { start, end, sequence }: FoundRecord) {
    this.#from = from;
    this.#start = start;
    this.#end = end;
    this.sequence = sequence;
  }

  get receivedMs(): number {
    return this.#from.readDoubleLE(this.#start + receivedAt);
  }

  get qos(): 0 | 1 | 2 {
    return this.#from.readUInt16LE(this.#start + qosAt) as 0 | 1 | 2;
  }

  get topic(): string {
    const names = this.#start + recordHeaderBytes;
    return this.#from.toString("utf8", names, names + this.#length(topicAt));
  }

  get clientId(): string {
    const client = this.#start + recordHeaderBytes + this.#length(topicAt);
    return this.#from.toString("utf8", client, client + this.#length(clientAt));
  }

  get user(): string {
    const user = this.#start + recordHeaderBytes + this.#length(topicAt) + this.#length(clientAt);
    return this.#from.toString("utf8", user, user + this.#length(userAt));
  }

  get payload(): Uint8Array {
    const names = this.#length(topicAt) + this.#length(clientAt) + this.#length(userAt);
    return this.#from.subarray(this.#start + recordHeaderBytes + names, this.#end);
  }

  #length(at: number): number {
    return this.#from.readUInt16LE(this.#start + at);
  }
}

/** The message of a record that {@link findRecord} found. */
export function messageOf(from: Buffer, record: FoundRecord): JournalMessage {
  return new RecordedMessage(from, record);
}
