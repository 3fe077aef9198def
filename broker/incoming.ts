import type { BrokerLimits } from "./limits.js";

/** Ids of QoS 2 messages that wait for their PUBREL, by client. */
export class Incoming {
  readonly #limits: Pick<BrokerLimits, "incoming" | "incomingPerUser" | "incomingPerClient">;
  readonly #clients = new Map<string, { user: string; ids: Set<number> }>();
  readonly #ofUser = new Map<string, number>();
  #all = 0;

  constructor(limits: Pick<BrokerLimits, "incoming" | "incomingPerUser" | "incomingPerClient">) {
    this.#limits = limits;
  }

  /** True when an id may be added: of its client, its user and in all there is room for one more, or it waits already. */
  hasRoom(clientId: string, user: string, messageId: number): boolean {
    const ids = this.#clients.get(clientId)?.ids;
    if (ids?.has(messageId)) return true;
    const { incoming, incomingPerUser, incomingPerClient } = this.#limits;
    return (
      (ids?.size ?? 0) < incomingPerClient &&
      (this.#ofUser.get(user) ?? 0) < incomingPerUser &&
      this.#all < incoming
    );
  }

  add(clientId: string, user: string, messageId: number): void {
    const known = this.#clients.get(clientId) ?? { user, ids: new Set<number>() };
    if (known.ids.has(messageId)) return;
    this.#clients.set(clientId, known);
    known.ids.add(messageId);
    this.#count(known.user, 1);
  }

  remove(clientId: string, messageId: number): void {
    const known = this.#clients.get(clientId);
    if (!known?.ids.delete(messageId)) return;
    this.#count(known.user, -1);
    if (known.ids.size === 0) this.#clients.delete(clientId);
  }

  /** Forgets a client's ids, and gives them. */
  drop(clientId: string): number[] {
    const known = this.#clients.get(clientId);
    if (!known) return [];
    this.#clients.delete(clientId);
    this.#count(known.user, -known.ids.size);
    return [...known.ids];
  }

  #count(user: string, change: number): void {
    const now = (this.#ofUser.get(user) ?? 0) + change;
    if (now === 0) this.#ofUser.delete(user);
    else this.#ofUser.set(user, now);
    this.#all += change;
  }
}
