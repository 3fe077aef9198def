import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { covers } from "../devices/index.js";
import { sizeOf } from "./session.js";

/** Retained messages by topic, with their bytes. */
export class Retained {
  readonly #most: number;
  readonly #packets = new Map<string, Kept>();
  #bytes = 0;

  /** `most`: bytes that may be kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** True when there is room for a message in the place of the one under its topic. */
  fits(packet: Kept): boolean {
    return this.#bytes - this.#sizeAt(packet.topic) + sizeOf(packet) <= this.#most;
  }

  set(packet: Kept): void {
    this.#bytes += sizeOf(packet) - this.#sizeAt(packet.topic);
    this.#packets.set(packet.topic, packet);
  }

  /** False when there was none. */
  delete(topic: string): boolean {
    this.#bytes -= this.#sizeAt(topic);
    return this.#packets.delete(topic);
  }

  /** What stands under the topics that filters match: each as it stands when it is looked at, empty when it went meanwhile. */
  *matching(filters: readonly string[]): Generator<Kept> {
    const packets = this.#packets;
    const before = [...packets];
    for (const [topic, packet] of before) {
      if (!filters.some((filter) => covers(filter, topic))) continue;
      yield {
        ...packet,
        get payload() {
          return packets.get(topic)?.payload ?? Buffer.alloc(0);
        },
        get qos() {
          return packets.get(topic)?.qos ?? 0;
        },
      };
    }
  }

  #sizeAt(topic: string): number {
    const packet = this.#packets.get(topic);
    return packet ? sizeOf(packet) : 0;
  }
}
