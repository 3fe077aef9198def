import { ObiegError } from "./error.js";
import type { JournalMessage, RawMessage } from "./message.js";

/**
 * Publications of one client as they came in: `count` whole PUBLISH packets of MQTT 3.1.1, one after another,
 * in `bytes` from `start` to `end`. Source: MQTT 3.1.1, 3.3.
 */
export interface RawRun {
  bytes: Buffer;
  start: number;
  end: number;
  count: number;
  /** The credential that published; `anonymous` only in the demo on loopback. */
  user: string;
  clientId: string;
  /** When the front door received them, epoch milliseconds by the server's clock. */
  receivedMs: number;
}

const publishType = 0x30;
const lengthBytesMost = 4;

/** Bytes that a packet's remaining length is written in. Source: MQTT 3.1.1, 2.2.3. */
const bytesOfLength = (length: number): number =>
  length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;

/** One publication in the bytes of a run: what nobody asks for is never made. The payload is a view of them. */
class RunMessage implements JournalMessage {
  readonly #run: RawRun;
  readonly #topicAt: number;
  readonly #end: number;
  readonly qos: 0 | 1 | 2;
  readonly sequence: number;

  constructor(run: RawRun, qos: 0 | 1 | 2, topicAt: number, end: number, sequence: number) {
    this.#run = run;
    this.#topicAt = topicAt;
    this.#end = end;
    this.qos = qos;
    this.sequence = sequence;
  }

  get topic(): string {
    return this.#run.bytes.toString("utf8", this.#topicAt, this.#topicEnd);
  }

  get payload(): Uint8Array {
    return this.#run.bytes.subarray(this.#topicEnd + (this.qos === 0 ? 0 : 2), this.#end);
  }

  get user(): string {
    return this.#run.user;
  }

  get clientId(): string {
    return this.#run.clientId;
  }

  get receivedMs(): number {
    return this.#run.receivedMs;
  }

  get #topicEnd(): number {
    return this.#topicAt + this.#run.bytes.readUInt16BE(this.#topicAt - 2);
  }
}

/** The messages of a run, in order; the first has `firstSequence`. Throws `run-malformed` for bytes that aren't such packets. */
export function* messagesOf(run: RawRun, firstSequence = 1): Generator<JournalMessage> {
  const { bytes, count } = run;
  let at = run.start;
  for (let n = 0; n < count; n += 1) {
    const first = bytes[at] ?? 0;
    let length = 0;
    let next = at + 1;
    for (let scale = 1, more = true; more && next <= at + lengthBytesMost; scale *= 128, next += 1) {
      const byte = bytes[next] ?? 0;
      length += (byte & 127) * scale;
      more = byte >= 128;
    }
    const end = next + length;
    if (first >> 4 !== publishType >> 4 || end > run.end)
      throw new ObiegError("run-malformed", `byte ${at - run.start} of a run isn't a PUBLISH packet`);
    yield new RunMessage(run, ((first >> 1) & 3) as 0 | 1 | 2, next + 2, end, firstSequence + n);
    at = end;
  }
}

/** A run of one message, written anew: for what didn't come as a packet, or not as one of MQTT 3.1.1. */
export function runOf({ topic, payload, user, clientId, qos, receivedMs }: RawMessage): RawRun {
  const topicBytes = Buffer.byteLength(topic);
  const idBytes = qos === 0 ? 0 : 2;
  let length = 2 + topicBytes + idBytes + payload.length;
  const bytes = Buffer.alloc(1 + bytesOfLength(length) + length);
  bytes[0] = publishType | (qos << 1);
  let at = 1;
  for (; length >= 128; length = Math.floor(length / 128)) bytes[at++] = (length % 128) | 128;
  bytes[at++] = length;
  at = bytes.writeUInt16BE(topicBytes, at);
  at += bytes.write(topic, at);
  bytes.set(payload, at + idBytes);
  return { bytes, start: 0, end: bytes.length, count: 1, user, clientId, receivedMs };
}
