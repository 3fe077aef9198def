/** What the broker counted since it started, and how it stands. */
export interface BrokerCounters {
  connections: number;
  /** PUBLISH packets that came in. */
  received: number;
  /** Of these, admitted: PUBACK or PUBREC could leave. */
  acknowledged: number;
  /** QoS 0 messages let go under pressure. */
  shed: number;
  /** Messages that had to wait, as their client publishes faster than it may. */
  slowed: number;
  /** Bytes between arrival and admission. */
  inflightBytes: number;
  /** Messages, subscriptions and connections refused, by reason. */
  refused: Record<string, number>;
}

/** Why a connection or a message was refused; counted where it is made. */
export class Refusal extends Error {}

/** Counts refusals, and says each reason of a client at most once a minute in the log. */
export class Tally {
  readonly counters: BrokerCounters = {
    connections: 0,
    received: 0,
    acknowledged: 0,
    shed: 0,
    slowed: 0,
    inflightBytes: 0,
    refused: {},
  };
  readonly #said = new Map<string, number>();
  readonly #clock: () => number;
  readonly #warn: (facts: object, message: string) => void;

  constructor(clock: () => number, warn: (facts: object, message: string) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  refuse(reason: string, who: string, detail: string): void {
    const { refused } = this.counters;
    refused[reason] = (refused[reason] ?? 0) + 1;
    const key = `${reason} ${who}`;
    const now = this.#clock();
    const last = this.#said.get(key);
    if (last !== undefined && Math.abs(now - last) < 60_000) return;
    if (this.#said.size >= 10_000) this.#said.clear();
    this.#said.set(key, now);
    this.#warn({ reason, client: who }, detail);
  }
}
