import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { sizeOf } from "./session.js";

/** Under what a queued packet is kept: its client, and its place among all that were queued. */
export type OutKey = [client: string, place: number];

/** A packet that waits for a client. */
interface Waiting {
  key: OutKey;
  /** A PUBLISH, or the PUBREL that took its place; with its packet id once it was sent. */
  packet: Kept;
  size: number;
}

/** What waits for one client. */
interface Queue {
  /** Oldest first, by the number that the broker gave it. */
  waiting: Map<string, Waiting>;
  /** What was sent and isn't answered, by its packet id. */
  sent: Map<number, Waiting>;
  bytes: number;
}

/** What a packet is known by, and what became of it. */
export type Sent = Pick<Kept, "cmd" | "brokerId" | "brokerCounter" | "messageId">;

const nameOf = ({ brokerId = "", brokerCounter = 0 }: Pick<Kept, "brokerId" | "brokerCounter">): string =>
  `${brokerId} ${brokerCounter}`;

/** What waits for clients that keep a session, in order, with its bytes. */
export class Queues {
  readonly #queues = new Map<string, Queue>();
  #bytes = 0;
  #lastPlace = 0;

  /** Bytes of all queues. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many packets, and bytes, wait for a client. */
  sizeOf(clientId: string): { packets: number; bytes: number } {
    const queue = this.#queues.get(clientId);
    return { packets: queue?.waiting.size ?? 0, bytes: queue?.bytes ?? 0 };
  }

  /**
   * What waits for a client now, oldest first, each as it stands when it is looked at; what was answered meanwhile is left out.
   * A PUBLISH that was sent before says so (MQTT-3.3.1-1).
   */
  *packetsFor(clientId: string): Generator<Kept> {
    const waiting = this.#queues.get(clientId)?.waiting;
    const before = [...(waiting ?? [])];
    for (const [name, entry] of before) {
      const { packet } = entry;
      if (waiting?.get(name) !== entry) continue;
      yield { ...packet, dup: packet.cmd === "publish" && packet.messageId !== undefined };
    }
  }

  /** What waits for a client and wasn't sent yet, oldest first. */
  unsent(clientId: string): Kept[] {
    return [...this.packetsFor(clientId)].filter(({ messageId }) => messageId === undefined);
  }

  /** How many packets {@link unsent} gives. */
  unsentCount(clientId: string): number {
    const queue = this.#queues.get(clientId);
    return queue ? queue.waiting.size - queue.sent.size : 0;
  }

  /** True while a packet id waits for its client's answer. */
  isInUse(clientId: string, messageId: number): boolean {
    return this.#queues.get(clientId)?.sent.has(messageId) ?? false;
  }

  /** True when a packet waits and was sent already. */
  wasSent(clientId: string, packet: Pick<Kept, "brokerId" | "brokerCounter">): boolean {
    return this.#queues.get(clientId)?.waiting.get(nameOf(packet))?.packet.messageId !== undefined;
  }

  /** Puts a packet at the end and gives its key. */
  add(clientId: string, packet: Kept): OutKey {
    const key: OutKey = [clientId, this.#lastPlace + 1];
    this.restore(key, packet);
    return key;
  }

  /** Puts a packet of the store back, at its place. Call in the order of the keys. */
  restore(key: OutKey, packet: Kept): void {
    const [clientId, place] = key;
    // Version 1 had the broker's id there; such a packet keeps its key until it is taken.
    if (typeof place === "number") this.#lastPlace = Math.max(this.#lastPlace, place);
    let queue = this.#queues.get(clientId);
    if (!queue) this.#queues.set(clientId, (queue = { waiting: new Map(), sent: new Map(), bytes: 0 }));
    const size = sizeOf(packet);
    const entry: Waiting = { key, packet, size };
    queue.waiting.set(nameOf(packet), entry);
    queue.bytes += size;
    this.#bytes += size;
    const { messageId, ...unsent } = packet;
    if (messageId === undefined) return;
    // An earlier release let two have the same id: the later one is sent under another.
    if (queue.sent.has(messageId)) entry.packet = unsent;
    else queue.sent.set(messageId, entry);
  }

  /**
   * Notes what became of a packet that waits: the id that it was sent under, or the PUBREL that took its place.
   * Gives it as it stands now; undefined when it doesn't wait (any more).
   */
  update(clientId: string, packet: Sent): Waiting | undefined {
    const { cmd, brokerCounter, messageId } = packet;
    const queue = this.#queues.get(clientId);
    const entry =
      brokerCounter === undefined ? this.#sentAs(clientId, messageId) : queue?.waiting.get(nameOf(packet));
    if (!entry || !queue) return undefined;
    if (messageId !== undefined) {
      if (entry.packet.messageId !== undefined) queue.sent.delete(entry.packet.messageId);
      queue.sent.set(messageId, entry);
    }
    entry.packet = { ...entry.packet, cmd, ...(messageId === undefined ? {} : { messageId }) };
    return entry;
  }

  /** Takes out what was sent under an id. */
  takeSent(clientId: string, messageId: number | undefined): Waiting | undefined {
    const entry = this.#sentAs(clientId, messageId);
    const queue = this.#queues.get(clientId);
    if (!entry || !queue) return undefined;
    queue.waiting.delete(nameOf(entry.packet));
    if (messageId !== undefined) queue.sent.delete(messageId);
    queue.bytes -= entry.size;
    this.#bytes -= entry.size;
    if (queue.waiting.size === 0) this.#queues.delete(clientId);
    return entry;
  }

  /** Forgets a client's queue; gives the keys of what waited. */
  drop(clientId: string): OutKey[] {
    const queue = this.#queues.get(clientId);
    this.#queues.delete(clientId);
    this.#bytes -= queue?.bytes ?? 0;
    return [...(queue?.waiting.values() ?? [])].map(({ key }) => key);
  }

  #sentAs(clientId: string, messageId: number | undefined): Waiting | undefined {
    return messageId === undefined ? undefined : this.#queues.get(clientId)?.sent.get(messageId);
  }
}
