import { crc32c } from "@node-rs/crc32";
import { type JournalMessage, messagesOf, type RawRun } from "../../devices/index.js";

/** Bytes before the names and the packets of a record. */
export const recordHeaderBytes = 36;
/** No record is larger; a length field above it is damage. MQTT's own bound is 256 MiB; the door's is far below. */
export const maxRecordBytes = 64 * 2 ** 20;

const lengthAt = 0;
const crcAt = 4;
const sequenceAt = 8;
const receivedAt = 16;
const sinceDurableAt = 24;
const countAt = 28;
const clientAt = 32;
const userAt = 34;

/** Bytes that a run takes in the journal. */
export function recordBytes({ clientId, user, start, end }: RawRun): number {
  return recordHeaderBytes + Buffer.byteLength(clientId) + Buffer.byteLength(user) + end - start;
}

/**
 * Writes one record at `offset`; gives the offset after it. `sinceDurable`: how many sequences lie between the last one
 * that was synced when the record was made and its first (see the README: it tells a torn group from damage).
 */
export function writeRecord(
  into: Buffer,
  offset: number,
  run: RawRun,
  firstSequence: number,
  sinceDurable: number,
): number {
  let at = offset + recordHeaderBytes;
  const client = into.write(run.clientId, at);
  at += client;
  const user = into.write(run.user, at);
  at += user;
  at += run.bytes.copy(into, at, run.start, run.end);
  into.writeUInt32LE(at - offset, offset + lengthAt);
  into.writeDoubleLE(firstSequence, offset + sequenceAt);
  into.writeDoubleLE(run.receivedMs, offset + receivedAt);
  into.writeUInt32LE(sinceDurable, offset + sinceDurableAt);
  into.writeUInt32LE(run.count, offset + countAt);
  into.writeUInt16LE(client, offset + clientAt);
  into.writeUInt16LE(user, offset + userAt);
  into.writeUInt32LE(crc32c(into.subarray(offset + sequenceAt, at)), offset + crcAt);
  return at;
}

/** A record found in a buffer. */
export interface FoundRecord {
  firstSequence: number;
  lastSequence: number;
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
  const firstSequence = from.readDoubleLE(offset + sequenceAt);
  if (!Number.isSafeInteger(firstSequence) || firstSequence < 1) return "broken";
  const count = from.readUInt32LE(offset + countAt);
  if (count < 1 || count > length) return "broken";
  if (crc32c(from.subarray(offset + sequenceAt, end)) !== from.readUInt32LE(offset + crcAt)) return "broken";
  const lastSequence = firstSequence + count - 1;
  return {
    firstSequence,
    lastSequence,
    sinceDurable: from.readUInt32LE(offset + sinceDurableAt),
    start: offset,
    end,
  };
}

/** The messages of a record that {@link findRecord} found, in order. Their payloads are views of `from`. */
export function messagesIn(
  from: Buffer,
  { start, end, firstSequence, lastSequence }: FoundRecord,
): Generator<JournalMessage> {
  const client = start + recordHeaderBytes;
  const user = client + from.readUInt16LE(start + clientAt);
  const packets = user + from.readUInt16LE(start + userAt);
  const run: RawRun = {
    bytes: from,
    start: packets,
    end,
    count: lastSequence - firstSequence + 1,
    clientId: from.toString("utf8", client, user),
    user: from.toString("utf8", user, packets),
    receivedMs: from.readDoubleLE(start + receivedAt),
  };
  return messagesOf(run, firstSequence);
}
