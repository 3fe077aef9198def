import { join } from "node:path";
import { Readable } from "node:stream";
import type { Client, Subscription } from "aedes";
import MemoryPersistence, { type StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { type Database, open, type RootDatabase } from "lmdb";
import { ObiegError } from "../devices/index.js";
import type { Audience } from "./audience.js";
import type { Waiting } from "./delivery.js";
import { Incoming } from "./incoming.js";
import { type OutKey, Queues, type Sent } from "./queues.js";
import { hasRoom, keep, noRoom, type PersistenceOptions, type Session, sizeOf } from "./session.js";

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
  /** Whose wills stand there, of this run. */
  readonly #willOf = new Map<string, Client>();
  #audience: Pick<Audience, "keep"> | undefined;
  readonly #waiting: Incoming;
  readonly #retainedSizes = new Map<string, number>();
  readonly #queues = new Queues();
  #retainedBytes = 0;
  #brokerId = "";

  constructor(options: PersistenceOptions) {
    super();
    this.#options = options;
    this.#waiting = new Incoming(options.limits);
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

  /** What waits for a client. */
  waitingFor(client: Client): Waiting {
    return {
      isInUse: (id) => this.#queues.isInUse(client.id, id),
      wasSent: (message) => this.#queues.wasSent(client.id, message),
      unsent: () => this.#queues.packetsFor(client.id).filter(({ messageId }) => messageId === undefined),
      sentAs: (message, messageId) => this.#update(client.id, { ...message, cmd: "publish", messageId }),
    };
  }

  /** Names who is to know what kept sessions listen to; before {@link setup}. */
  tell(audience: Pick<Audience, "keep">): void {
    this.#audience = audience;
  }

  override async setup(broker: { id: string }): Promise<void> {
    await super.setup(broker);
    this.#brokerId = broker.id;
    for (const { key, value } of this.#retained.getRange()) {
      this.#noteRetained(key, sizeOf(value));
      await super.storeRetained(value);
    }
    for (const { key, value } of this.#sessions.getRange()) {
      this.#note(key, value);
      await super.addSubscriptions({ id: key } as Client, value.subscriptions);
    }
    for (const { key, value } of this.#outgoing.getRange()) this.#queues.restore(key, value);
    for (const { key, value } of this.#incoming.getRange()) {
      const [id, messageId] = key;
      this.#waiting.add(id, this.#kept.get(id)?.user ?? "", messageId);
      await super.incomingStorePacket({ id } as Client, value);
    }
    for (const { key, value } of this.#wills.getRange()) {
      const { brokerId } = value;
      await super.putWill({ id: key } as Client, value);
      // The will of a run that is over: the broker publishes it, as that run can't.
      value.brokerId = brokerId ?? "";
    }
  }

  override async storeRetained(packet: Kept): Promise<void> {
    const kept = keep(packet);
    const gone = kept.payload.length === 0;
    const grown = this.#retainedBytes - (this.#retainedSizes.get(kept.topic) ?? 0) + sizeOf(kept);
    if (!gone && grown > this.#options.limits.retainedBytes) {
      this.#options.refuse("retained-full", kept.topic, "a retained message wasn't kept: too many bytes are");
      return;
    }
    if (!gone && !hasRoom(this.#options, this.#root, kept.topic)) return;
    this.#noteRetained(kept.topic, gone ? 0 : sizeOf(kept));
    await super.storeRetained(kept);
    if (gone) void this.#retained.remove(kept.topic);
    else void this.#retained.put(kept.topic, kept);
    await this.#root.flushed;
  }

  override async addSubscriptions(client: Client, subs: Subscription[]): Promise<void> {
    const { limits, clock, userOf, maySubscribe } = this.#options;
    // Of a filter that stands there twice the last one counts.
    const granted = [...new Map(subs.map((one) => [one.topic, one])).values()].filter(({ topic }) =>
      maySubscribe(client, topic),
    );
    const user = userOf(client);
    const known = this.#kept.get(client.id);
    if (!known && !this.#roomFor(user))
      throw this.#full("sessions-full", client.id, "too many sessions are kept");
    if (!hasRoom(this.#options, this.#root, client.id)) throw noRoom(client.id);
    const topics = new Set(granted.map(({ topic }) => topic));
    const others = (known?.subscriptions ?? []).filter(({ topic }) => !topics.has(topic));
    const subscriptions = [
      ...others,
      ...granted.map(({ topic, qos, rh, rap, nl }) => ({ topic, qos, rh, rap, nl }) as Subscription),
    ];
    if (subscriptions.length > limits.subscriptionsPerClient)
      throw this.#full("subscriptions-full", client.id, `at most ${limits.subscriptionsPerClient} filters`);
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
    for (const key of this.#queues.drop(client.id)) void this.#outgoing.remove(key);
    this.#audience?.keep(client.id, []);
    if (!this.#kept.delete(client.id)) return;
    void this.#sessions.remove(client.id);
    await this.#root.flushed;
  }

  // What waits for clients stands in our own queues alone: aedes' store keeps an empty list of each client that ever acknowledged.

  override async outgoingEnqueue(sub: { clientId: string; qos: number }, packet: Kept): Promise<void> {
    await this.outgoingEnqueueCombi([sub], packet);
  }

  override async outgoingEnqueueCombi(
    subs: { clientId: string; qos: number }[],
    packet: Kept,
  ): Promise<void> {
    if (subs.length === 0) return;
    const { limits, refuse } = this.#options;
    const kept = keep(packet);
    const size = sizeOf(kept);
    // Several filters of a client may match: it gets the message once, with the highest QoS that one was granted.
    const granted = new Map<string, number>();
    for (const { clientId, qos } of subs) granted.set(clientId, Math.max(qos, granted.get(clientId) ?? 0));
    for (const [clientId, most] of granted) {
      const { packets, bytes } = this.#queues.sizeOf(clientId);
      const fits =
        packets < limits.offlineMessagesPerClient &&
        bytes + size <= limits.offlineBytesPerClient &&
        this.#queues.bytes + size <= limits.offlineBytes;
      if (!fits) refuse("offline-full", clientId, "a message for a client that is away wasn't kept");
      if (!fits || !hasRoom(this.#options, this.#root, clientId)) continue;
      const own = { ...kept, qos: Math.min(kept.qos, most) as Kept["qos"] };
      void this.#outgoing.put(this.#queues.add(clientId, own), own);
    }
  }

  override async outgoingUpdate(client: Client, packet: Kept): Promise<void> {
    this.#update(client.id, packet);
  }

  override async outgoingClearMessageId(client: Client, packet: Kept): Promise<Kept | undefined> {
    const entry = this.#queues.takeSent(client.id, packet.messageId);
    if (entry) void this.#outgoing.remove(entry.key);
    return entry?.packet;
  }

  override outgoingStream(client: Client): Readable {
    return Readable.from(this.#queues.packetsFor(client.id));
  }

  override async incomingStorePacket(client: Client, packet: Kept): Promise<void> {
    const { messageId = 0 } = packet;
    const user = this.#options.userOf(client);
    if (!this.#waiting.hasRoom(client.id, user, messageId))
      throw this.#full("incoming-full", client.id, "too many QoS 2 messages wait for PUBREL");
    if (!hasRoom(this.#options, this.#root, client.id)) throw noRoom(client.id);
    await this.#keepSession(client);
    this.#waiting.add(client.id, user, messageId);
    // The id is what is needed to know a message again.
    const kept = { ...packet, payload: Buffer.alloc(0) };
    await super.incomingStorePacket(client, kept);
    void this.#incoming.put([client.id, messageId], keep(kept));
    await this.#root.committed;
    // It went meanwhile, and its session with it.
    if (client.closed && client.clean) await this.cleanIncoming(client);
  }

  override async incomingDelPacket(client: Client, packet: Kept): Promise<void> {
    await super.incomingDelPacket(client, packet);
    const { messageId = 0 } = packet;
    this.#waiting.remove(client.id, messageId);
    void this.#incoming.remove([client.id, messageId]);
  }

  override async cleanIncoming(client: Client): Promise<void> {
    await super.cleanIncoming(client);
    for (const messageId of this.#waiting.drop(client.id)) void this.#incoming.remove([client.id, messageId]);
  }

  override async putWill(client: Client, packet: Kept): Promise<void> {
    this.#willOf.set(client.id, client);
    await super.putWill(client, packet);
    void this.#wills.put(client.id, keep(packet));
  }

  override async delWill(client: Client): Promise<Kept | undefined> {
    // aedes names an id alone when a connection is over: what stands there may be the will of the one that took its place.
    const owner = this.#willOf.get(client.id);
    if (owner && !owner.closed && !("conn" in client)) return undefined;
    this.#willOf.delete(client.id);
    const will = await super.delWill(client);
    if (will) void this.#wills.remove(client.id);
    return will;
  }

  /** Wills of processes that are over; aedes would take its own for over when the clock jumps. */
  override streamWill(): Readable {
    return super.streamWill({ [this.#brokerId]: true });
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
    }
  }

  /** Copies `broker.mdb` into an existing folder while running. */
  async backup(dir: string): Promise<void> {
    await this.#root.flushed;
    await this.#root.backup(join(dir, "broker.mdb"), true);
  }

  /** Resolves when everything so far is on disk. The file stays open: what aedes still does with connections that went may come behind. */
  async settled(): Promise<void> {
    await this.#root.transaction(() => undefined);
    await this.#root.flushed;
  }

  /** What isn't kept (any more) can be sent all the same: its queue was full, or it was acknowledged just now. */
  #update(clientId: string, packet: Sent): void {
    const entry = this.#queues.update(clientId, packet);
    if (entry) void this.#outgoing.put(entry.key, entry.packet);
  }

  #roomFor(user: string): boolean {
    const { sessions, sessionsPerUser } = this.#options.limits;
    if (this.#kept.size >= sessions) return false;
    let own = 0;
    for (const session of this.#kept.values()) if (session.user === user) own += 1;
    return own < sessionsPerUser;
  }

  /** Counts what there is no room for and makes its error: the connection is closed with it. */
  #full(code: string, clientId: string, why: string): ObiegError {
    this.#options.refuse(code, clientId, why);
    return new ObiegError(code, `${clientId}: ${why}`);
  }

  /** Makes a session for a client that asked for a kept one and has something to keep, filters or not. */
  async #keepSession(client: Client): Promise<void> {
    if (client.clean || this.#kept.has(client.id)) return;
    const { clock, userOf } = this.#options;
    const user = userOf(client);
    if (!this.#roomFor(user)) throw this.#full("sessions-full", client.id, "too many sessions are kept");
    await this.#saveSession(client.id, { user, subscriptions: [], seenMs: clock() });
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
}
