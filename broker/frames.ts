/** What a connection's bytes are checked against. */
export interface FrameLimits {
  /** Bytes of a CONNECT packet, and of any other. */
  connectBytes: number;
  packetBytes: number;
  /** Filters of one SUBSCRIBE or UNSUBSCRIBE: aedes goes through all of them once for each. */
  filters: number;
}

// Packet types that a client may send, and the flags of their first byte (PUBLISH apart).
const flagsOf = new Map([
  [1, 0],
  [4, 0],
  [5, 0],
  [6, 2],
  [7, 0],
  [8, 2],
  [10, 2],
  [12, 0],
  [14, 0],
  [15, 0],
]);
const publishType = 3;
const connectType = 1;
const disconnectType = 14;
const authType = 15;

/** Why the first byte of a packet can't be; undefined when it can. */
function headerFault(byte: number, isFirst: boolean): string | undefined {
  const type = byte >> 4;
  if (isFirst !== (type === connectType)) return isFirst ? "connect-expected" : "connect-repeated";
  if (type === publishType) {
    const qos = (byte >> 1) & 3;
    if (qos === 3) return "qos-3";
    return qos === 0 && (byte & 8) !== 0 ? "dup-without-qos" : undefined;
  }
  const flags = flagsOf.get(type);
  if (flags === undefined) return "packet-type";
  return flags === (byte & 15) ? undefined : "reserved-flags";
}

/**
 * Follows the fixed headers in the bytes of one connection, without keeping any: type, flags, and length before a body is waited for.
 * Source: MQTT 3.1.1, 2.2.
 */
export class Frames {
  readonly #limits: FrameLimits;
  #isFirst = true;
  /** Type of the packet whose length or body is being read; 0 between packets. */
  #type = 0;
  #length = 0;
  #shift = 0;
  /** Bytes of the body still to come; -1 while its length is being read. */
  #left = -1;
  #isFive = false;
  /** True after DISCONNECT: what follows is nothing. */
  #isOver = false;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** Bytes of the packet under way that are here already. */
  get partialBytes(): number {
    return this.#left > 0 ? this.#length - this.#left : 0;
  }

  /** To be told that the connection speaks MQTT 5, which has a packet type more and longer short packets. */
  speaksFive(): void {
    this.#isFive = true;
  }

  /** True when the next byte is the first of a packet after CONNECT. */
  get isBetween(): boolean {
    return this.#type === 0 && !this.#isFirst && !this.#isOver;
  }

  /** Follows one packet from `from` on; gives the offset after what of it stands in `bytes`, or the reason why it can't be MQTT. */
  follow(bytes: Uint8Array, from: number): number | string {
    let at = from;
    do {
      if (this.#isOver) return bytes.length;
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at);
        this.#left -= step;
        at += step;
        if (this.#left === 0) this.#type = 0;
        continue;
      }
      const byte = bytes[at++] ?? 0;
      const fault = this.#type === 0 ? this.#begin(byte) : this.#lengthen(byte);
      if (fault !== undefined) return fault;
    } while (at < bytes.length && this.#type !== 0);
    return at;
  }

  #begin(byte: number): string | undefined {
    const fault = headerFault(byte, this.#isFirst);
    if (fault !== undefined) return fault;
    this.#type = byte >> 4;
    if (this.#type === authType && !this.#isFive) return "packet-type";
    this.#length = 0;
    this.#shift = 0;
    this.#left = -1;
    return undefined;
  }

  #lengthen(byte: number): string | undefined {
    this.#length += (byte & 127) * 2 ** this.#shift;
    this.#shift += 7;
    if ((byte & 128) !== 0) return this.#shift >= 28 ? "length-malformed" : undefined;
    const most = this.#isFirst ? this.#limits.connectBytes : this.#limits.packetBytes;
    if (this.#length > most) return "packet-too-large";
    const fault = this.#lengthFault();
    this.#isFirst = false;
    this.#left = this.#length;
    if (this.#type === disconnectType && this.#left === 0) this.#isOver = true;
    if (this.#left === 0) this.#type = 0;
    return fault;
  }

  /** Packets without a body have none; acknowledgements have an id and no more (MQTT 3.1.1, 3.4 to 3.14). */
  #lengthFault(): string | undefined {
    if (this.#type === 12 && this.#length !== 0) return "length-wrong";
    if (this.#isFive) return undefined;
    if (this.#type === disconnectType) return this.#length === 0 ? undefined : "length-wrong";
    if (this.#type >= 4 && this.#type <= 7) return this.#length === 2 ? undefined : "length-wrong";
    return undefined;
  }
}
