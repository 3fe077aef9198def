/** How many levels a topic or filter has: one more than its slashes. */
export function levelCount(text: string): number {
  let levels = 1;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 0x2f) levels++;
  return levels;
}

interface Branch<V> {
  children: Map<string, Branch<V>>;
  values: Map<string, V>;
}

/** A tree of topic filters, each with values by key; finds what a topic matches in steps of its levels, not of its size. */
export class FilterTree<V> {
  readonly #root: Branch<V> = { children: new Map(), values: new Map() };

  get isEmpty(): boolean {
    return this.#root.children.size === 0;
  }

  /** Puts `value` at the filter under `key`, replacing what was there. */
  set(filter: string, key: string, value: V): void {
    let branch = this.#root;
    for (const level of filter.split("/")) {
      let next = branch.children.get(level);
      if (!next) branch.children.set(level, (next = { children: new Map(), values: new Map() }));
      branch = next;
    }
    branch.values.set(key, value);
  }

  /** Takes the key away from the filter; empty branches go with it. */
  delete(filter: string, key: string): void {
    const path: { branch: Branch<V>; level: string }[] = [];
    let branch = this.#root;
    for (const level of filter.split("/")) {
      const next = branch.children.get(level);
      if (!next) return;
      path.push({ branch, level });
      branch = next;
    }
    branch.values.delete(key);
    for (const { branch: parent, level } of path.reverse()) {
      const child = parent.children.get(level);
      if (!child || child.children.size > 0 || child.values.size > 0) return;
      parent.children.delete(level);
    }
  }

  /** Every value whose filter matches the topic, by key; a key that matches by several filters comes once for each. */
  match(topic: string): V[] {
    const found: V[] = [];
    const levels = topic.split("/");
    const system = topic.startsWith("$");
    const walk = (branch: Branch<V>, at: number): void => {
      const wild = at > 0 || !system;
      if (wild) for (const value of branch.children.get("#")?.values.values() ?? []) found.push(value);
      const level = levels[at];
      if (level === undefined) {
        found.push(...branch.values.values());
        return;
      }
      const exact = branch.children.get(level);
      if (exact) walk(exact, at + 1);
      const any = wild ? branch.children.get("+") : undefined;
      if (any) walk(any, at + 1);
    };
    walk(this.#root, 0);
    return found;
  }
}
