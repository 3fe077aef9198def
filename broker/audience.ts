import { FilterTree } from "./topics.js";

const knownTopics = 10_000;

/** Who would hear a topic: filters of connected clients, and of kept sessions whose clients are away. */
export class Audience {
  readonly #filters = new FilterTree<true>();
  readonly #listeners = new Map<string, Set<unknown>>();
  readonly #kept = new Map<string, readonly string[]>();
  readonly #answers = new Map<string, boolean>();
  #version = 0;

  /** Grows when somebody begins or ends to listen to something. */
  get version(): number {
    return this.#version;
  }

  /** Notes that `who` listens to a filter; once, however often it is said. */
  add(filter: string, who: unknown): void {
    const listeners = this.#listeners.get(filter);
    if (listeners) listeners.add(who);
    else {
      this.#listeners.set(filter, new Set([who]));
      this.#filters.set(filter, filter, true);
      this.#changed();
    }
  }

  remove(filter: string, who: unknown): void {
    const listeners = this.#listeners.get(filter);
    if (!listeners?.delete(who) || listeners.size > 0) return;
    this.#listeners.delete(filter);
    this.#filters.delete(filter, filter);
    this.#changed();
  }

  /** Replaces what the session of a client listens to; nothing when it is over. */
  keep(clientId: string, filters: readonly string[]): void {
    const before = this.#kept.get(clientId) ?? [];
    for (const filter of filters) this.add(filter, clientId);
    for (const filter of before) if (!filters.includes(filter)) this.remove(filter, clientId);
    if (filters.length === 0) this.#kept.delete(clientId);
    else this.#kept.set(clientId, filters);
  }

  /** True when somebody would hear a message to the topic. Answers are remembered, of at most 10,000 topics. */
  hears(topic: string): boolean {
    const known = this.#answers.get(topic);
    if (known !== undefined) return known;
    if (this.#answers.size >= knownTopics) this.#answers.clear();
    const answer = this.#filters.match(topic).length > 0;
    this.#answers.set(topic, answer);
    return answer;
  }

  #changed(): void {
    this.#answers.clear();
    this.#version += 1;
  }
}
