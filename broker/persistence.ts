import { join } from "node:path";
import type { Client, Subscription } from "aedes";
import MemoryPersistence, { type StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { type Database, open, type RootDatabase } from "lmdb";
import { ObiegError } from "../devices/index.js";
import type { Audience } from "./audience.js";
import type { BrokerLimits } from "./limits.js";
import { type OutKey, Queues } from "./queues.js";

interface Session {
  user: string;
  subscriptions: Subscription[];
  /** When its client was last here, epoch milliseconds. */
  seenMs: number;
}

/** What the store of sessions and retained messages works with. */
export interface PersistenceOptions {
  /** Folder of `broker.mdb`. */
  dir: string;
  limits: BrokerLimits;
  clock: () => number;
  /** Name of the user that a connected client came in as. */
  userOf: (client: Client) => string;
  /** True when the client may have the filter: refused ones aren't kept. */
  maySubscribe: (client: Client, filter: string) => boolean;
  /** Counts what is let go at a bound. */
  refuse: (reason: string, who: string, detail: string) => void;
}

const plain = (packet: Kept): Kept => JSON.parse(JSON.stringify({ ...packet, payload: undefined })) as Kept;
const keep = (packet: Kept): Kept => ({ ...plain(packet), payload: Buffer.from(packet.payload) });
const sizeOf = ({ topic, payload }: Kept): number => topic.length + payload.length + 64;

/**
 * Sessions, messages for clients that are away, QoS 2 hand-shakes, wills and retained messages: in memory, and in LMDB beside.
 * Guarantee: retained messages and subscriptions are on disk when the call resolves, queued messages a moment later; all bounded by the limits.
 */
export class KeptPersistence extends MemoryPersistence {
  readonly #root: RootDatabase;
  readonly #retained: Database<Kept, string>;
  readonly #sessions: Database<Session, string>;
  readonly #outgoing: Database<Kept, OutKey>;
  readonly #incoming: Database<Kept, [string, number]>;
  readonly #wills: Database<Kept, string>;
  readonly #options: PersistenceOptions;
  readonly #kept = new Map<string, Session>();
  #audience: Pick<Audience, "keep"> | undefined;
  readonly #retainedSizes = new Map<string, number>();
  readonly #queues = new Queues();
  #retainedBytes = 0;

  constructor(options: PersistenceOptions) {
    super();
    this.#options = options;
    this.#root = open({
      path: join(options.dir, "broker.mdb"),
      noSubdir: true,
      maxDbs: 8,
      overlappingSync: false,
    });
    this.#retained = this.#root.openDB({ name: "retained" });
    this.#sessions = this.#root.openDB({ name: "sessions" });
    this.#outgoing = this.#root.openDB({ name: "outgoing" });
    this.#incoming = this.#root.openDB({ name: "incoming" });
    this.#wills = this.#root.openDB({ name: "wills" });
  }

  /** The user whose session stands under a client id; undefined when there is none. */
  ownerOf(clientId: string): string | undefined {
    return this.#kept.get(clientId)?.user;
  }

  /** Names who is to know what kept sessions listen to; before {@link setup}. */
  tell(audience: Pick<Audience, "keep">): void {
    this.#audience = audience;
  }

  override async setup(broker: unknown): Promise<void> {
    await super.setup(broker);
    for (const { key, value } of this.#retained.getRange()) {
      this.#noteRetained(key, sizeOf(value));
      await super.storeRetained(value);
    }
    for (const { key, value } of this.#sessions.getRange()) {
      this.#note(key, value);
      await super.addSubscriptions({ id: key } as Client, value.subscriptions);
    }
    for (const { key, value } of this.#outgoing.getRange()) {
      this.#queues.add(key, sizeOf(value), value.messageId);
      await super.outgoingEnqueue({ clientId: key[0] }, value);
      if (value.messageId !== undefined) await super.outgoingUpdate({ id: key[0] } as Client, value);
    }
    for (const { key, value } of this.#incoming.getRange())
      await super.incomingStorePacket({ id: key[0] } as Client, value);
    for (const { key, value } of this.#wills.getRange()) {
      const { brokerId } = value;
      await super.putWill({ id: key } as Client, value);
      // The will of a run that is over: the broker publishes it, as that run can't.
      value.brokerId = brokerId ?? "";
    }
  }

  override async storeRetained(packet: Kept): Promise<void> {
    const kept = packet;
    const gone = kept.payload.length === 0;
    const grown = this.#retainedBytes - (this.#retainedSizes.get(kept.topic) ?? 0) + sizeOf(kept);
    if (!gone && grown > this.#options.limits.retainedBytes) {
      this.#options.refuse("retained-full", kept.topic, "a retained message wasn't kept: too many bytes are");
      return;
    }
    this.#noteRetained(kept.topic, gone ? 0 : sizeOf(kept));
    await super.storeRetained(packet);
    if (gone) void this.#retained.remove(kept.topic);
    else void this.#retained.put(kept.topic, keep(kept));
    await this.#root.flushed;
  }

  override async addSubscriptions(client: Client, subs: Subscription[]): Promise<void> {
    const { limits, clock, userOf, maySubscribe } = this.#options;
    const granted = subs.filter(({ topic }) => maySubscribe(client, topic));
    const user = userOf(client);
    const known = this.#kept.get(client.id);
    if (!known && !this.#roomFor(user)) {
      throw new ObiegError("sessions-full", `${client.id}: too many sessions are kept`);
    }
    const topics = new Set(granted.map(({ topic }) => topic));
    const others = (known?.subscriptions ?? []).filter(({ topic }) => !topics.has(topic));
    const subscriptions = [
      ...others,
      ...granted.map(({ topic, qos, rh, rap, nl }) => ({ topic, qos, rh, rap, nl }) as Subscription),
    ];
    if (subscriptions.length > limits.subscriptionsPerClient)
      throw new ObiegError(
        "subscriptions-full",
        `${client.id}: at most ${limits.subscriptionsPerClient} filters`,
      );
    await super.addSubscriptions(client, granted);
    await this.#saveSession(client.id, { user, subscriptions, seenMs: clock() });
  }

  override async removeSubscriptions(client: Client, topics: string[]): Promise<void> {
    await super.removeSubscriptions(client, topics);
    const known = this.#kept.get(client.id);
    if (!known) return;
    const subscriptions = known.subscriptions.filter(({ topic }) => !topics.includes(topic));
    await this.#saveSession(client.id, { ...known, subscriptions });
  }

  override async cleanSubscriptions(client: Client): Promise<void> {
    await super.cleanSubscriptions(client);
    this.#audience?.keep(client.id, []);
    if (!this.#kept.delete(client.id)) return;
    void this.#sessions.remove(client.id);
    await this.#root.flushed;
  }

  override async outgoingEnqueue(sub: { clientId: string }, packet: Kept): Promise<void> {
    await this.outgoingEnqueueCombi([sub], packet);
  }

  override async outgoingEnqueueCombi(subs: { clientId: string }[], packet: Kept): Promise<void> {
    if (subs.length === 0) return;
    const { limits, refuse } = this.#options;
    const kept = packet;
    const size = sizeOf(kept);
    const room = subs.filter(({ clientId }) => {
      const queue = this.#queues.of(clientId);
      const fits =
        (queue?.sizes.size ?? 0) < limits.offlineMessagesPerClient &&
        (queue?.bytes ?? 0) + size <= limits.offlineBytesPerClient &&
        this.#queues.bytes + size <= limits.offlineBytes;
      if (!fits) refuse("offline-full", clientId, "a message for a client that is away wasn't kept");
      return fits;
    });
    await super.outgoingEnqueueCombi(room, packet);
    const stored = keep(kept);
    for (const { clientId } of room) {
      const key: OutKey = [clientId, kept.brokerId ?? "", kept.brokerCounter ?? 0];
      this.#queues.add(key, sizeOf(stored), stored.messageId);
      void this.#outgoing.put(key, stored);
    }
  }

  override async outgoingUpdate(client: Client, packet: Kept): Promise<void> {
    await super.outgoingUpdate(client, packet);
    const kept = packet;
    const queue = this.#queues.of(client.id);
    const key: OutKey | undefined =
      kept.brokerCounter === undefined
        ? queue?.ids.get(kept.messageId ?? 0)
        : [client.id, kept.brokerId ?? "", kept.brokerCounter];
    if (!key || !queue) return;
    if (kept.messageId !== undefined) queue.ids.set(kept.messageId, key);
    const before = this.#outgoing.get(key);
    if (!before) return;
    const stored =
      kept.cmd === "publish"
        ? { ...before, ...(kept.messageId === undefined ? {} : { messageId: kept.messageId }) }
        : { ...before, ...plain(kept) };
    void this.#outgoing.put(key, stored);
  }

  override async outgoingClearMessageId(client: Client, packet: Kept): Promise<Kept | undefined> {
    const cleared = await super.outgoingClearMessageId(client, packet);
    const { messageId = 0 } = packet;
    const queue = this.#queues.of(client.id);
    const key = queue?.ids.get(messageId);
    if (queue && key) {
      queue.ids.delete(messageId);
      this.#queues.remove(key);
      void this.#outgoing.remove(key);
    }
    return cleared;
  }

  override async incomingStorePacket(client: Client, packet: Kept): Promise<void> {
    await super.incomingStorePacket(client, packet);
    const kept = packet;
    void this.#incoming.put([client.id, kept.messageId ?? 0], keep(kept));
    await this.#root.committed;
  }

  override async incomingDelPacket(client: Client, packet: Kept): Promise<void> {
    await super.incomingDelPacket(client, packet);
    void this.#incoming.remove([client.id, packet.messageId ?? 0]);
  }

  override async cleanIncoming(client: Client): Promise<void> {
    await super.cleanIncoming(client);
    this.#removeOf(client.id, this.#incoming as unknown as Database<Kept, OutKey>);
  }

  override async putWill(client: Client, packet: Kept): Promise<void> {
    await super.putWill(client, packet);
    void this.#wills.put(client.id, keep(packet));
  }

  override async delWill(client: Client): Promise<Kept | undefined> {
    const will = await super.delWill(client);
    if (will) void this.#wills.remove(client.id);
    return will;
  }

  /** Notes that a client is here, or has just left. */
  seen(clientId: string): void {
    const known = this.#kept.get(clientId);
    if (known) void this.#saveSession(clientId, { ...known, seenMs: this.#options.clock() });
  }

  /** Forgets sessions whose clients stayed away too long. */
  async expire(isHere: (clientId: string) => boolean): Promise<void> {
    const { limits, clock, refuse } = this.#options;
    for (const [id, { seenMs }] of this.#kept) {
      if (isHere(id) || clock() - seenMs < limits.sessionAgeMs) continue;
      refuse("session-expired", id, "a session was forgotten: its client stayed away too long");
      const ref = { id } as Client;
      await this.cleanSubscriptions(ref);
      await this.cleanIncoming(ref);
      this.#removeOf(id, this.#outgoing);
    }
  }

  /** Copies `broker.mdb` into an existing folder while running. */
  async backup(dir: string): Promise<void> {
    await this.#root.flushed;
    await this.#root.backup(join(dir, "broker.mdb"), true);
  }

  override async destroy(): Promise<void> {
    await super.destroy();
    await this.#root.flushed;
    await this.#root.close();
  }

  #roomFor(user: string): boolean {
    const { sessions, sessionsPerUser } = this.#options.limits;
    if (this.#kept.size >= sessions) return false;
    let own = 0;
    for (const session of this.#kept.values()) if (session.user === user) own += 1;
    return own < sessionsPerUser;
  }

  async #saveSession(clientId: string, session: Session): Promise<void> {
    this.#note(clientId, session);
    void this.#sessions.put(clientId, session);
    await this.#root.flushed;
  }

  #note(clientId: string, session: Session): void {
    this.#kept.set(clientId, session);
    this.#audience?.keep(
      clientId,
      session.subscriptions.map(({ topic }) => topic),
    );
  }

  #noteRetained(topic: string, size: number): void {
    this.#retainedBytes += size - (this.#retainedSizes.get(topic) ?? 0);
    if (size === 0) this.#retainedSizes.delete(topic);
    else this.#retainedSizes.set(topic, size);
  }

  #removeOf(id: string, table: Database<Kept, OutKey>): void {
    const range = { start: [id] as unknown as OutKey, end: [id, "\uffff"] as unknown as OutKey };
    for (const key of table.getKeys(range)) {
      this.#queues.remove(key);
      void table.remove(key);
    }
  }
}
