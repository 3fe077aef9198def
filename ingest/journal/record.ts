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
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

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

/** The message of a record that {@link findRecord} found. The payload is a view of `from`. */
export function messageOf(from: Buffer, record: FoundRecord): JournalMessage {
  const { start, end } = record;
  const names = start + recordHeaderBytes;
  const client = names + from.readUInt16LE(start + topicAt);
  const user = client + from.readUInt16LE(start + clientAt);
  const payload = user + from.readUInt16LE(start + userAt);
  return {
    sequence: record.sequence,
    receivedMs: from.readDoubleLE(start + receivedAt),
    qos: from.readUInt16LE(start + qosAt) as 0 | 1 | 2,
    topic: textDecoder.decode(from.subarray(names, client)),
    clientId: textDecoder.decode(from.subarray(client, user)),
    user: textDecoder.decode(from.subarray(user, payload)),
    payload: from.subarray(payload, end),
  };
}
