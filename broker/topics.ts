/**
 * True when the text can be published to: 1 to 65,535 bytes are the caller's matter; no wildcard, no U+0000.
 * Source: MQTT 3.1.1, 4.7.
 */
export function isTopic(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x23 || code === 0x2b || code === 0) return false;
  }
  return true;
}

/**
 * True when the text is a topic filter: `+` fills a level, `#` is the whole last level.
 * Source: MQTT 3.1.1, 4.7.1.
 */
export function isFilter(text: string): boolean {
  if (text.length === 0 || text.includes("\0")) return false;
  const levels = text.split("/");
  return levels.every((level, at) => {
    if (level === "+") return true;
    if (level === "#") return at === levels.length - 1;
    return !level.includes("+") && !level.includes("#");
  });
}

/** How many levels a topic or filter has: one more than its slashes. */
export function levelCount(text: string): number {
  let levels = 1;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 0x2f) levels++;
  return levels;
}

/**
 * True when every topic that `asked` can match is matched by `granted` too; both are filters (a topic is one).
 * A filter that begins with a wildcard never reaches a topic that begins with `$`.
 * Source: MQTT 3.1.1, 4.7.1 and 4.7.2.
 */
export function covers(granted: string, asked: string): boolean {
  const have = granted.split("/");
  const want = asked.split("/");
  if (want[0]?.startsWith("$") && have[0] !== want[0]) return false;
  for (let at = 0; at < have.length; at++) {
    if (have[at] === "#") return true;
    const level = want[at];
    if (level === undefined || level === "#") return false;
    if (have[at] !== "+" && have[at] !== level) return false;
  }
  // "a/+" doesn't cover "a/b/c"; "a/#" covers "a": the loop ended one level early only when the lengths agree
  return want.length === have.length;
}

interface Branch<V> {
  children: Map<string, Branch<V>>;
  values: Map<string, V>;
}

/** A tree of topic filters, each with values by key; finds what a topic matches in steps of its levels, not of its size. */
export class FilterTree<V> {
  readonly #root: Branch<V> = { children: new Map(), values: new Map() };

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
