import type { Duplex } from "node:stream";
import type { BrokerCounters } from "./counters.js";
import type { BrokerLimits } from "./limits.js";

/** What the book of visitors works with. */
export interface VisitorsParts {
  limits: BrokerLimits;
  counters: BrokerCounters;
  isTight: () => boolean;
  refuse: (reason: string, who: string, detail: string) => void;
}

/**
 * The open connections: how many there may be, in total and from an address, and how much may wait in them for who doesn't read.
 * Guarantee: bounded; each one turned away or closed is counted.
 */
export class Visitors {
  readonly #parts: VisitorsParts;
  readonly #open = new Map<Duplex, string>();
  readonly #perAddress = new Map<string, number>();

  constructor(parts: VisitorsParts) {
    this.#parts = parts;
  }

  /** The address that an open connection comes from. */
  addressOf(stream: object): string {
    return this.#open.get(stream as Duplex) ?? "";
  }

  /** Lets a connection in and gives true; closes it when too many are open. */
  enter(stream: Duplex, from: string): boolean {
    const { counters, refuse } = this.#parts;
    const here = this.#perAddress.get(from) ?? 0;
    const reason = this.#fullness(here);
    if (reason !== undefined) {
      refuse(reason, from, `a connection was refused: ${reason}`);
      stream.on("error", () => undefined);
      stream.destroy();
      return false;
    }
    this.#open.set(stream, from);
    counters.connections = this.#open.size;
    this.#perAddress.set(from, here + 1);
    stream.once("close", () => this.#leave(stream, from));
    return true;
  }

  /** Closes who has more waiting than one may; then those with most, while all together have more than they may. */
  closeDeaf(): void {
    const { limits } = this.#parts;
    let sum = 0;
    const waiting: Duplex[] = [];
    for (const stream of this.#open.keys()) {
      if (stream.writableLength > limits.outgoingBytes) this.closeAsDeaf(stream);
      else if (stream.writableLength > 0) {
        sum += stream.writableLength;
        waiting.push(stream);
      }
    }
    if (sum <= limits.outgoingTotalBytes) return;
    waiting.sort((one, other) => other.writableLength - one.writableLength);
    for (const stream of waiting) {
      if (sum <= limits.outgoingTotalBytes) return;
      sum -= stream.writableLength;
      this.closeAsDeaf(stream);
    }
  }

  /** Closes one that doesn't read. */
  closeAsDeaf(stream: Duplex): void {
    if (stream.destroyed) return;
    this.#parts.refuse("outgoing-bytes", this.addressOf(stream), "a connection was closed: it doesn't read");
    stream.destroy();
  }

  closeAll(): void {
    for (const stream of this.#open.keys()) stream.destroy();
  }

  #fullness(here: number): string | undefined {
    const { limits, isTight } = this.#parts;
    if (this.#open.size >= limits.connections) return "connections";
    if (here >= limits.connectionsPerAddress) return "connections-per-address";
    return isTight() ? "memory" : undefined;
  }

  #leave(stream: Duplex, from: string): void {
    this.#open.delete(stream);
    this.#parts.counters.connections = this.#open.size;
    const left = (this.#perAddress.get(from) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(from, left);
    else this.#perAddress.delete(from);
  }
}
