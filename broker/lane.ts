import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import type { RawRun } from "../devices/index.js";
import type { Intake } from "./intake.js";
import type { QuietTopics } from "./quiet-topics.js";

/** What of a client aedes keeps to itself. */
interface Inner {
  connackSent: boolean;
  version: number;
  waitForDrain(done: () => void): void;
}

/** Packets of a run as they stand in the bytes of a connection. */
export type Packets = Pick<RawRun, "bytes" | "start" | "end" | "count">;

/** What a lane works with. */
export interface LaneParts {
  intake: Intake;
  /** The topics that it takes; to what stands under another aedes looks, answers and delivers. */
  quiet: QuietTopics;
  /** Who the client is. */
  user: () => string;
  /** True while QoS 0 is to be let go. */
  underPressure: () => boolean;
  /** Bytes of a payload that may be taken. */
  messageBytes: number;
  admit: (packets: Packets, done: (error?: Error | null) => void) => void;
}

/** A connection's lane: gives the offset of the first byte that it doesn't take. */
export type Lane = (bytes: Buffer, from: number) => number;

const pubackBytes = 4;
/** First bytes of the packets that a lane takes: PUBLISH with QoS 0, with QoS 1, and with QoS 1 again. */
const [qos0, qos1, qos1Again] = [0x30, 0x32, 0x3a];

/**
 * The short way of a connection's readings that nobody listens to: as they stand in the bytes, from the socket to the journal,
 * and the PUBACKs of a run back in one write. What it doesn't take goes through the parser to aedes: everything else,
 * packets that aren't whole yet, and any packet that isn't plainly right.
 * Guarantee: a PUBACK after admission only, in the order of the messages.
 * Source: MQTT 3.1.1, 2.2 and 3.3.
 */
export function openLane(client: Client, stream: Duplex, parts: LaneParts): Lane {
  const { intake, quiet, underPressure, messageBytes, admit } = parts;
  const inner = client as unknown as Inner;
  const answer = (ids: readonly number[], goOn: () => void): void => {
    if (ids.length === 0 || stream.destroyed) return goOn();
    const bytes = Buffer.allocUnsafe(ids.length * pubackBytes);
    for (let i = 0, at = 0; i < ids.length; i += 1, at += pubackBytes) {
      const id = ids[i] as number;
      bytes[at] = 0x40;
      bytes[at + 1] = 2;
      bytes[at + 2] = id >> 8;
      bytes[at + 3] = id & 255;
    }
    if (stream.write(bytes)) goOn();
    else inner.waitForDrain(goOn);
  };

  return (bytes, from) => {
    if (!inner.connackSent || client.closed || inner.version > 4) return from;
    const shedding = underPressure();
    const user = parts.user();
    const ids: number[] = [];
    let count = 0;
    let at = from;
    for (; at + 2 < bytes.length; count += 1) {
      const first = bytes[at];
      if (first !== qos1 && first !== qos1Again && (first !== qos0 || shedding)) break;
      let length = bytes[at + 1] as number;
      let body = at + 2;
      if (length >= 128) {
        const second = bytes[body] as number;
        if (second >= 128) break;
        length += second * 128 - 128;
        body += 1;
      }
      const end = body + length;
      if (end > bytes.length || length < 2) break;
      const topicEnd = body + 2 + (((bytes[body] as number) << 8) | (bytes[body + 1] as number));
      const payloadAt = first === qos0 ? topicEnd : topicEnd + 2;
      if (payloadAt > end || end - payloadAt > messageBytes) break;
      const id = first === qos0 ? 0 : ((bytes[topicEnd] as number) << 8) | (bytes[topicEnd + 1] as number);
      if ((id === 0 && first !== qos0) || !quiet.has(user, bytes, body + 2, topicEnd)) break;
      if (first !== qos0) ids.push(id);
      at = end;
    }
    if (count === 0) return from;
    const done = intake.begin(at - from);
    admit({ bytes, start: from, end: at, count }, (error) => {
      if (error) done(error);
      else answer(ids, done);
    });
    return at;
  };
}
