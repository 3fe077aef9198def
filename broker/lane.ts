import type { Duplex } from "node:stream";
import type { Client, PublishPacket } from "aedes";
import type { Packet } from "mqtt-packet";

/** What of a client aedes keeps to itself: how many packets are under way, and what goes on when one is done. */
interface Inner {
  connackSent: boolean;
  closed: boolean;
  _parsingBatch: number;
  _keepaliveInterval: number;
  _keepaliveTimer: NodeJS.Timeout | null;
  _nextBatch(error?: Error): void;
  waitForDrain(done: () => void): void;
}

/** What a lane works with. */
export interface LaneParts {
  /** True when somebody listens to the topic: aedes delivers then. */
  hears: (topic: string) => boolean;
  admit: (packet: PublishPacket, done: (error?: Error | null) => void) => void;
}

/** A connection's lane. */
export interface Lane {
  /** True when it took the packet. */
  take(packet: Packet): boolean;
  /** Sends the PUBACKs that wait for the end of their group: to be called before another one is sent. */
  flush(): void;
}

const pubackBytes = 4;

/**
 * The short way of a connection's readings that nobody listens to: from the parser to admission, and the PUBACKs of a group
 * back in one write. The packets that it doesn't take are aedes'.
 * Guarantee: a PUBACK after admission only, in the order of the messages; no more is read while packets are under way.
 */
export function openLane(client: Client, stream: Duplex, { hears, admit }: LaneParts): Lane {
  const inner = client as unknown as Inner;
  let answers: number[] = [];
  let settled = 0;
  const flush = (): void => {
    if (settled === 0) return;
    const [ids, count] = [answers, settled];
    answers = [];
    settled = 0;
    const goOn = (): void => {
      inner._parsingBatch -= count - 1;
      inner._nextBatch();
    };
    if (ids.length === 0 || stream.destroyed) return goOn();
    const bytes = Buffer.allocUnsafe(ids.length * pubackBytes);
    for (let i = 0; i < ids.length; i += 1) bytes.writeUInt32BE(0x40020000 + (ids[i] ?? 0), i * pubackBytes);
    if (stream.write(bytes)) goOn();
    else inner.waitForDrain(goOn);
  };
  const take = (packet: Packet): boolean => {
    if (packet.cmd !== "publish" || packet.qos === 2 || packet.retain || packet.topic === "") return false;
    if (!inner.connackSent || inner.closed || packet.properties?.topicAlias !== undefined) return false;
    if (hears(packet.topic)) return false;
    inner._parsingBatch += 1;
    if (inner._keepaliveInterval > 0) inner._keepaliveTimer?.refresh();
    const { messageId = 0, qos } = packet;
    admit(packet as unknown as PublishPacket, (error) => {
      if (error) {
        flush();
        inner._nextBatch(error);
        return;
      }
      if (settled === 0) process.nextTick(flush);
      settled += 1;
      if (qos === 1) answers.push(messageId);
    });
    return true;
  };
  return { take, flush };
}
