/** Under what a queued packet is kept. */
export type OutKey = [client: string, broker: string, counter: number];

/** What waits for one client: size by key, and the key that a packet id stands for. */
interface Queue {
  sizes: Map<string, number>;
  ids: Map<number, OutKey>;
  bytes: number;
}

/** What waits for clients that are away, by count and bytes. */
export class Queues {
  readonly #queues = new Map<string, Queue>();
  #bytes = 0;

  /** Bytes of all queues. */
  get bytes(): number {
    return this.#bytes;
  }

  of(clientId: string): Queue | undefined {
    return this.#queues.get(clientId);
  }

  add(key: OutKey, size: number, messageId: number | undefined): void {
    const [clientId] = key;
    let queue = this.#queues.get(clientId);
    if (!queue) this.#queues.set(clientId, (queue = { sizes: new Map(), ids: new Map(), bytes: 0 }));
    queue.sizes.set(key.join(" "), size);
    queue.bytes += size;
    this.#bytes += size;
    if (messageId !== undefined) queue.ids.set(messageId, key);
  }

  remove(key: OutKey): void {
    const queue = this.#queues.get(key[0]);
    const size = queue?.sizes.get(key.join(" "));
    if (!queue || size === undefined) return;
    queue.sizes.delete(key.join(" "));
    queue.bytes -= size;
    this.#bytes -= size;
    if (queue.sizes.size === 0) this.#queues.delete(key[0]);
  }
}
