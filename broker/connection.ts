import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import type { Packet } from "mqtt-packet";
import { type FrameLimits, Frames } from "./frames.js";
import { packetFault } from "./strictness.js";

/** The parser that aedes reads a connection with. */
interface Parser {
  parse(bytes: Uint8Array): number;
  emit(event: string, packet?: Packet): boolean;
}

/** Bytes of packets that haven't arrived whole, all connections together. */
export interface PartialBytes {
  now: number;
  readonly most: number;
}

/**
 * Puts a strict check before aedes: each connection's bytes and packets are looked at before it acts on them.
 * `lane` is offered each packet that may be; aedes gets what it doesn't take. `refuse` is told the reason once; the connection is closed, and nothing after the fault is seen.
 */
export function guardConnection(
  client: Client,
  stream: Duplex,
  limits: FrameLimits,
  partial: PartialBytes,
  refuse: (reason: string) => void,
  lane: (packet: Packet) => boolean,
): void {
  const parser = (client as unknown as { _parser: Parser })._parser;
  const frames = new Frames(limits);
  const parse = parser.parse.bind(parser);
  const emit = parser.emit.bind(parser);
  let isCut = false;
  let held = 0;
  const account = (bytes: number): void => {
    partial.now += bytes - held;
    held = bytes;
  };
  stream.once("close", () => account(0));
  const cut = (reason: string): void => {
    isCut = true;
    refuse(reason);
    stream.destroy();
  };
  parser.parse = (bytes) => {
    if (isCut) return 0;
    const fault = frames.check(bytes);
    if (fault !== undefined) {
      cut(fault);
      return 0;
    }
    account(stream.destroyed ? 0 : frames.partialBytes);
    if (partial.now > partial.most) {
      cut("partial-bytes");
      return 0;
    }
    return parse(bytes);
  };
  parser.emit = (event, packet) => {
    if (isCut) return true;
    if (event !== "packet" || !packet) return emit(event, packet);
    const fault = packetFault(packet);
    if (fault !== undefined) {
      cut(fault);
      return true;
    }
    if (packet.cmd === "connect" && packet.protocolVersion === 5) frames.speaksFive();
    return lane(packet) || emit(event, packet);
  };
}
