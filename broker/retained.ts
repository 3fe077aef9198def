import { setImmediate } from "node:timers/promises";
import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { sizeOf } from "./session.js";
import { FilterTree } from "./topics.js";

/** Topics that are looked at before others have a turn. */
const atOnce = 1_000;

/** Retained messages by topic, with their bytes. */
export class Retained {
  readonly #most: number;
  /** In the order in which their topics came, with their places in it. */
  readonly #packets = new Map<string, { packet: Kept; place: number }>();
  #bytes = 0;
  #places = 0;

  /** `most`: bytes that may be kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** True when there is room for a message in the place of the one under its topic. */
  fits(packet: Kept): boolean {
    return this.#bytes - this.#sizeAt(packet.topic) + sizeOf(packet) <= this.#most;
  }

  set(packet: Kept): void {
    const { topic } = packet;
    this.#bytes += sizeOf(packet) - this.#sizeAt(topic);
    const known = this.#packets.get(topic);
    if (known) known.packet = packet;
    else this.#packets.set(topic, { packet, place: this.#places++ });
  }

  /** False when there was none. */
  delete(topic: string): boolean {
    this.#bytes -= this.#sizeAt(topic);
    return this.#packets.delete(topic);
  }

  /**
   * What stands under the topics that filters match, once, of those that are there at the begin: each as it stands when it is looked at,
   * empty when it went meanwhile.
   * Guarantee: what it holds doesn't grow with what is retained.
   */
  async *matching(filters: readonly string[]): AsyncGenerator<Kept> {
    const end = this.#places;
    const wild = new FilterTree<true>();
    const exact = new Set<string>();
    for (const filter of filters)
      if (/[+#]/.test(filter)) wild.set(filter, filter, true);
      else exact.add(filter);
    for (const topic of exact) {
      const place = this.#packets.get(topic)?.place ?? end;
      if (place < end && wild.match(topic).length === 0) yield this.#at(topic);
    }
    if (wild.isEmpty) return;
    let seen = 0;
    for (const [topic, { place }] of this.#packets) {
      if (place >= end) return;
      if (wild.match(topic).length > 0) yield this.#at(topic);
      seen += 1;
      if (seen % atOnce === 0) await setImmediate();
    }
  }

  #at(topic: string): Kept {
    const packets = this.#packets;
    return {
      ...(packets.get(topic)?.packet as Kept),
      get payload() {
        return packets.get(topic)?.packet.payload ?? Buffer.alloc(0);
      },
      get qos() {
        return packets.get(topic)?.packet.qos ?? 0;
      },
    };
  }

  #sizeAt(topic: string): number {
    const known = this.#packets.get(topic);
    return known ? sizeOf(known.packet) : 0;
  }
}
