import { isUtf8 } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import type {
  IConnectPacket as ConnectPacket,
  ISubscribePacket as SubscribePacket,
  Packet,
} from "mqtt-packet";
import { type FrameLimits, Frames } from "./frames.js";
import type { Intake } from "./intake.js";
import type { Lane } from "./lane.js";
import { type Handshakes, openOrder } from "./order.js";
import { ownBytes } from "./own-bytes.js";
import { fieldsFault, hasUnknownLevel, packetFault } from "./strictness.js";

/** The parser that aedes reads a connection with, and what of it we look into. */
interface Parser {
  parse(bytes: Buffer): number;
  /** The packet that is being read, as far as it was. */
  packet: Packet;
  emit(event: string, packet?: Packet): boolean;
  /** Reads a text field at `_pos` of `_list`; null when it reaches beyond its packet. */
  _parseString(): string | null;
  /** Where the field after the last one begins, counted from the packet's first byte after its length. */
  _pos: number;
  _list: Bytes;
}

/** The bytes that a parser holds, in the pieces in which they came. */
interface Bytes {
  readonly length: number;
  readonly _bufs: readonly Buffer[];
  slice(from?: number, to?: number): Buffer;
  consume(bytes: number): void;
  append(bytes: Buffer): void;
}

/** What of a client aedes keeps to itself: its parser, and whether it took leave. */
interface Inner {
  _parser: Parser;
  _disconnected: boolean;
}

/** Bytes of packets that haven't arrived whole, all connections together; beyond `most` the one that takes longest has to go. */
export class PartialBytes {
  readonly #most: number;
  /** Bytes by what closes their connection, in the order in which their packets began. */
  readonly #held = new Map<() => void, number>();
  #now = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Notes what a connection holds now; `close` names it. */
  note(close: () => void, bytes: number): void {
    this.#now += bytes - (this.#held.get(close) ?? 0);
    if (bytes === 0) this.#held.delete(close);
    else this.#held.set(close, bytes);
    while (this.#now > this.#most) {
      const [oldest] = this.#held.keys();
      if (!oldest) return;
      this.note(oldest, 0);
      oldest();
    }
  }
}

/**
 * Lets a filter stand twice in a SUBSCRIBE: aedes takes repeated ones out, and then answers with too few return codes.
 * Source: MQTT 3.1.1, 3.8.4 (as a sequence of SUBSCRIBEs), 3.9.3 (a code for each filter).
 */
function keepRepeated(packet: SubscribePacket): void {
  const { subscriptions } = packet;
  if (new Set(subscriptions.map(({ topic }) => topic)).size === subscriptions.length) return;
  const keep = (): void => undefined;
  Object.defineProperty(packet, "subscriptions", { get: () => subscriptions, set: keep });
}

/** Pieces that a parser may hold: each takes some 250 bytes beside its own, and is passed at each look into those behind it. */
const mostPieces = 16;

/** Makes one piece of many. */
function putTogether(bytes: Bytes): void {
  const whole = ownBytes(bytes.slice());
  bytes.consume(bytes.length);
  bytes.append(whole);
}

/** Why a packet whose fields end at `end` may not be; undefined when it may. */
function faultOf(packet: Packet, end: number, limits: FrameLimits): string | undefined {
  const subscribed = packet.cmd === "subscribe" ? packet.subscriptions.length : 0;
  const left = packet.cmd === "unsubscribe" ? packet.unsubscriptions.length : 0;
  return (
    fieldsFault(packet, end) ??
    packetFault(packet) ??
    (subscribed + left > limits.filters ? "subscriptions-full" : undefined)
  );
}

/** aedes keeps the CONNECT as long as its connection lasts. */
function standAlone(packet: ConnectPacket): void {
  const { password, will } = packet;
  if (password) packet.password = ownBytes(password);
  if (will) will.payload = ownBytes(will.payload);
}

/** What a connection is guarded with. */
export interface GuardParts {
  limits: FrameLimits;
  partial: PartialBytes;
  intake: Intake;
  handshakes: Handshakes;
  lane: Lane;
  /** Told once why the connection is closed. */
  refuse: (reason: string) => void;
}

/** CONNACK with return code 1. Source: MQTT 3.1.1, 3.2.2.3. */
const unacceptableLevel = Buffer.from([0x20, 2, 0, 1]);

/**
 * Puts a strict check before aedes: each connection's bytes and packets are looked at before it acts on them.
 * `lane` is offered what comes between packets; aedes gets what it doesn't take, packet by packet.
 * At a fault the connection is closed, and nothing after it is seen.
 */
export function guardConnection(client: Client, stream: Duplex, parts: GuardParts): void {
  const { limits, partial, intake, handshakes, lane, refuse } = parts;
  const inner = client as unknown as Inner;
  const parser = inner._parser;
  const frames = new Frames(limits);
  const parse = parser.parse.bind(parser);
  const emit = parser.emit.bind(parser);
  const parseString = parser._parseString.bind(parser);
  const order = openOrder(client, intake, handshakes, (packet) => void emit("packet", packet));
  let isCut = false;
  let isText = true;
  const cut = (reason: string): void => {
    isCut = true;
    refuse(reason);
    stream.destroy();
  };
  const cutPartial = (): void => cut("partial-bytes");
  stream.once("close", () => partial.note(cutPartial, 0));
  parser.parse = (bytes) => {
    for (let at = 0; at < bytes.length && !isCut;) {
      const from = at;
      if (frames.isBetween && order.isFree()) at = lane(bytes, from);
      if (at > from) continue;
      const next = frames.follow(bytes, from);
      if (typeof next === "string") {
        cut(next);
        return 0;
      }
      const part = bytes.subarray(from, next);
      // The parser holds what isn't whole yet.
      parse(frames.isBetween || next < bytes.length ? part : ownBytes(part));
      if (parser._list._bufs.length > mostPieces) putTogether(parser._list);
      at = next;
    }
    if (!isCut) partial.note(cutPartial, stream.destroyed ? 0 : frames.partialBytes);
    return 0;
  };
  parser._parseString = () => {
    const from = parser._pos + 2;
    const text = parseString();
    // What Node couldn't decode became U+FFFD; one that was sent as such may be.
    if (text?.includes("\uFFFD") && !isUtf8(parser._list.slice(from, parser._pos))) isText = false;
    return text;
  };
  parser.emit = (event, packet) => {
    if (isCut) return true;
    if (event === "error" && hasUnknownLevel(parser.packet)) {
      isCut = true;
      refuse("protocol-level");
      stream.end(unacceptableLevel, () => stream.destroy());
      return true;
    }
    if (event !== "packet" || !packet) return emit(event, packet);
    const fault = isText ? faultOf(packet, parser._pos, limits) : "not-utf8";
    if (fault !== undefined) {
      cut(fault);
      return true;
    }
    if (packet.cmd === "connect") {
      if (packet.protocolVersion === 5) frames.speaksFive();
      standAlone(packet);
    }
    if (packet.cmd === "subscribe") keepRepeated(packet);
    // Nothing counts that comes after it (MQTT-3.14.4-2).
    if (packet.cmd === "disconnect") {
      isCut = true;
      // No will, though what came before may still be under way (3.14.4-3).
      inner._disconnected = true;
    }
    order.take(packet);
    return true;
  };
}
