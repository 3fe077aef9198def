/** A binary heap of items by ascending time; the same item stands in it at most as often as it was pushed. */
export class DeadlineHeap<T> {
  readonly #nodes: { atMs: number; item: T }[] = [];

  /** How many items wait. */
  get size(): number {
    return this.#nodes.length;
  }

  /** Adds an item that is due at `atMs`. */
  push(atMs: number, item: T): void {
    const nodes = this.#nodes;
    nodes.push({ atMs, item });
    let at = nodes.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#timeAt(parent) <= this.#timeAt(at)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the earliest item that is due at `nowMs`, if any. */
  popDue(nowMs: number): T | undefined {
    const nodes = this.#nodes;
    const first = nodes[0];
    if (!first || first.atMs > nowMs) return undefined;
    const last = nodes.pop();
    if (last && nodes.length > 0) {
      nodes[0] = last;
      this.#sink();
    }
    return first.item;
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (this.#timeAt(left) < this.#timeAt(least)) least = left;
      if (this.#timeAt(right) < this.#timeAt(least)) least = right;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #timeAt(index: number): number {
    return this.#nodes[index]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [nodeA, nodeB] = [this.#nodes[a], this.#nodes[b]];
    if (!nodeA || !nodeB) return;
    this.#nodes[a] = nodeB;
    this.#nodes[b] = nodeA;
  }
}
