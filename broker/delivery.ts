import type { Duplex } from "node:stream";
import type { AedesPublishPacket, Client } from "aedes";
import { writeToStream } from "mqtt-packet";
import { covers } from "../devices/index.js";
import { isGone } from "./door.js";

/** How aedes hands a message to a client, once for each of its filters; `done` when the client's buffer has room again. */
type Deliver = (packet: AedesPublishPacket, done: () => void) => void;

/** What of a client aedes keeps to itself. */
interface Inner {
  deliver0: Deliver;
  deliverQoS: Deliver;
  subscriptions: Record<string, { qos: 0 | 1 | 2 }>;
  connackSent: boolean;
  /** The packet id that is used next. */
  _nextId: number;
  waitForDrain(done: () => void): void;
}

/** A message on its way to a client. */
export type Message = Pick<AedesPublishPacket, "topic" | "payload" | "qos" | "retain"> &
  Partial<Pick<AedesPublishPacket, "brokerId" | "brokerCounter">>;

/** What waits for a client that keeps a session. */
export interface SessionQueue {
  /** True while a packet id waits for the client's answer. */
  isInUse(id: number): boolean;
  /** True when a message waits and was sent already. */
  wasSent(message: Message): boolean;
  /** What waits and wasn't sent yet, oldest first, and how many these are. */
  unsent(): Message[];
  unsentCount(): number;
  /** Puts a retained message there; gives it with what it is known by, undefined when there is no room. */
  add(message: Message): Message | undefined;
  /** Notes the id that a message is sent under. */
  sentAs(message: Message, id: number): void;
}

/** What a client's delivery works with. */
export interface DeliveryParts {
  /** Bytes that may wait in a client's buffer. */
  mostBytes: number;
  /** Told when more wait there, before anything is added. */
  tooMuch: () => void;
  /** Without it no session is kept. */
  queue: SessionQueue | undefined;
}

const mostIds = 65_535;

/**
 * Brings messages to a client in our way instead of aedes':
 * - Once each, whatever went before. aedes takes a message for repeated when one that was published later has overtaken it, as a retained
 *   one is on its way to disk: it was lost.
 * - With the highest QoS that its filters were granted (MQTT-3.3.5-1), and no higher (3.8.4).
 * - In order: what comes while the queue of a session that goes on is sent waits for its turn there (4.6).
 * - Under a packet id that doesn't wait for the client's answer (2.3.1-2); aedes counts on from anywhere.
 * - Nobody waits for a subscriber that reads slowly: a publisher goes on as soon as its message is in the subscriber's buffer.
 *   Retained messages, sent for a SUBSCRIBE, still come as fast as they are read.
 *
 * Guarantee: bounded by `mostBytes` and what one turn of the event loop brings.
 * Source: MQTT 3.1.1.
 */
export function openDelivery(client: Client, stream: Duplex, parts: DeliveryParts): void {
  const { mostBytes, tooMuch } = parts;
  const inner = client as unknown as Inner;
  const kept = (): SessionQueue | undefined => (client.clean ? undefined : parts.queue);
  freeIds(inner, (id) => kept()?.isInUse(id) ?? false);
  let isReady = false;
  let last: Pick<Message, "brokerId" | "brokerCounter"> = {};

  const granted = (topic: string): 0 | 1 | 2 => {
    let highest: 0 | 1 | 2 = 0;
    for (const [filter, { qos }] of Object.entries(inner.subscriptions))
      if (qos > highest && covers(filter, topic)) highest = qos;
    return highest;
  };
  /** False when the client's buffer is full. */
  const send = (message: Message, isKept: boolean): boolean => {
    const { topic, payload, qos, retain } = message;
    // DUP of a publisher is between it and us (MQTT-3.3.1-3).
    const packet = { cmd: "publish", topic, payload, qos, retain, dup: false } as const;
    if (qos === 0) return writeToStream(packet, stream);
    const messageId = inner._nextId;
    inner._nextId = (messageId % mostIds) + 1;
    if (isKept) kept()?.sentAs(message, messageId);
    return writeToStream({ ...packet, messageId }, stream);
  };
  const sendUnsent = (): void => {
    for (const message of kept()?.unsent() ?? []) send(message, true);
  };
  const deliver: Deliver = (packet, done) => {
    const isRetained = !packet.brokerId;
    const isAnotherFilter = packet.brokerCounter === last.brokerCounter && packet.brokerId === last.brokerId;
    // A retained one may have gone while it waited for its turn.
    const isOver = isRetained ? packet.payload.length === 0 : isAnotherFilter;
    if (isOver || isGone(client)) return void setImmediate(done);
    const qos = Math.min(packet.qos, granted(packet.topic)) as 0 | 1 | 2;
    const message = { ...packet, qos };
    if (isRetained) {
      const named = qos > 0 ? kept()?.add(message) : undefined;
      if (send(named ?? message, named !== undefined)) setImmediate(done);
      // It comes with what the drain ended with, which is nothing to who waits.
      else inner.waitForDrain(() => done());
      return;
    }
    setImmediate(done);
    last = { brokerId: packet.brokerId, brokerCounter: packet.brokerCounter };
    const waits = qos > 0 && kept() !== undefined;
    if (waits ? !isReady || kept()?.wasSent(message) : !inner.connackSent) return;
    if (stream.writableLength > mostBytes) return tooMuch();
    // What was queued before it goes out before it.
    if (waits && (kept()?.unsentCount() ?? 0) > 1) sendUnsent();
    if (!waits || !kept()?.wasSent(message)) send(message, waits);
  };
  inner.deliver0 = deliver;
  inner.deliverQoS = deliver;
  client.once("connected", () => {
    isReady = true;
    if (!isGone(client)) sendUnsent();
  });
}

/** Passes over packet ids that are in use. */
function freeIds(inner: Inner, isInUse: (id: number) => boolean): void {
  let next = inner._nextId;
  const pass = (): number => {
    for (let tried = 0; tried < mostIds && isInUse(next); tried += 1) next = (next % mostIds) + 1;
    return next;
  };
  Object.defineProperty(inner, "_nextId", {
    get: pass,
    set(id: number) {
      next = id;
    },
  });
}
