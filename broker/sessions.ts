import type { Subscription } from "aedes";
import type { Audience } from "./audience.js";
import type { BrokerLimits } from "./limits.js";
import type { Session } from "./session.js";
import { FilterTree } from "./topics.js";

/** A filter of a session, with the QoS that it was granted. */
export interface Listener {
  clientId: string;
  topic: string;
  qos: number;
}

/** Kept sessions by client id: whose they are, and what they listen to. */
export class Sessions {
  readonly #limits: Pick<BrokerLimits, "sessions" | "sessionsPerUser">;
  readonly #byId = new Map<string, Session>();
  readonly #listeners = new FilterTree<Listener>();
  /** Filters that stand in the tree. */
  readonly #listening = new Map<string, readonly string[]>();
  #audience: Pick<Audience, "keep"> | undefined;

  constructor(limits: Pick<BrokerLimits, "sessions" | "sessionsPerUser">) {
    this.#limits = limits;
  }

  /** Names who is to know what sessions listen to. */
  tell(audience: Pick<Audience, "keep">): void {
    this.#audience = audience;
  }

  get(clientId: string): Session | undefined {
    return this.#byId.get(clientId);
  }

  all(): [clientId: string, session: Session][] {
    return [...this.#byId];
  }

  /** True when there is room for one more of a user. */
  hasRoom(user: string): boolean {
    if (this.#byId.size >= this.#limits.sessions) return false;
    let own = 0;
    for (const session of this.#byId.values()) if (session.user === user) own += 1;
    return own < this.#limits.sessionsPerUser;
  }

  /** Replaces a session. Messages wait for it by its new filters from {@link listen} on. */
  set(clientId: string, session: Session): void {
    this.#byId.set(clientId, session);
    this.#audience?.keep(
      clientId,
      session.subscriptions.map(({ topic }) => topic),
    );
  }

  /** Lets messages wait by the filters that a session has now, if it still stands. */
  listen(clientId: string): void {
    const heard = (this.#byId.get(clientId)?.subscriptions ?? []).filter(({ qos }) => qos > 0);
    const topics = new Set(heard.map(({ topic }) => topic));
    for (const topic of this.#listening.get(clientId) ?? [])
      if (!topics.has(topic)) this.#listeners.delete(topic, clientId);
    for (const { topic, qos } of heard) this.#listeners.set(topic, clientId, { clientId, topic, qos });
    if (topics.size > 0) this.#listening.set(clientId, [...topics]);
    else this.#listening.delete(clientId);
  }

  /** False when there was none. */
  delete(clientId: string): boolean {
    const stood = this.#byId.delete(clientId);
    this.#audience?.keep(clientId, []);
    this.listen(clientId);
    return stood;
  }

  /** Who a message to a topic waits for, once for each filter that matches. */
  of(topic: string): Listener[] {
    return this.#listeners.match(topic);
  }
}

/** Stands for a session without filters: aedes tells a session that goes on by its filters alone (MQTT-3.2.2-2). */
export const noFilter: Subscription = { topic: "$none", qos: 0 };
