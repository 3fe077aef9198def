import { Readable } from "node:stream";
import type { Client, Subscription } from "aedes";
import MemoryPersistence, { type StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { ObiegError } from "../devices/index.js";
import type { Audience } from "./audience.js";
import type { SessionQueue } from "./delivery.js";
import { Incoming } from "./incoming.js";
import { Queues, type Sent } from "./queues.js";
import { Retained } from "./retained.js";
import { hasRoom, keep, noRoom, type PersistenceOptions, type Session, sizeOf } from "./session.js";
import { type Listener, noFilter, Sessions } from "./sessions.js";
import { Store } from "./store.js";

/**
 * Sessions, messages for clients that are away, QoS 2 hand-shakes, wills and retained messages: in memory, and in LMDB beside.
 * Guarantee: retained messages and subscriptions are on disk when the call resolves, queued messages a moment later; all bounded by the limits.
 */
export class KeptPersistence extends MemoryPersistence {
  /** Its disk, to back up and to wait for. */
  readonly store: Store;
  readonly #options: PersistenceOptions;
  readonly #sessions: Sessions;
  /** Whose wills stand there, of this run. */
  readonly #willOf = new Map<string, Client>();
  readonly #waiting: Incoming;
  readonly #retained: Retained;
  readonly #queues = new Queues();
  #brokerId = "";

  constructor(options: PersistenceOptions) {
    super();
    this.#options = options;
    this.store = new Store(options.dir);
    this.#sessions = new Sessions(options.limits);
    this.#retained = new Retained(options.limits.retainedBytes);
    this.#waiting = new Incoming(options.limits);
  }

  /** The user whose session stands under a client id; undefined when there is none. */
  ownerOf(clientId: string): string | undefined {
    return this.#sessions.get(clientId)?.user;
  }

  /** What waits for a client. */
  queueOf(client: Client): SessionQueue {
    return {
      isInUse: (id) => this.#queues.isInUse(client.id, id),
      wasSent: (message) => this.#queues.wasSent(client.id, message),
      unsent: () => this.#queues.unsent(client.id),
      unsentCount: () => this.#queues.unsentCount(client.id),
      add: (message) => {
        const named = { ...message, cmd: "publish", dup: false, brokerId: this.#brokerId } as Kept;
        return this.#queue(client.id, keep(named)) ? named : undefined;
      },
      sentAs: (message, messageId) => this.#update(client.id, { ...message, cmd: "publish", messageId }),
    };
  }

  /** Names who is to know what kept sessions listen to; before {@link setup}. */
  tell(audience: Pick<Audience, "keep">): void {
    this.#sessions.tell(audience);
  }

  override async setup(broker: { id: string }): Promise<void> {
    await super.setup(broker);
    this.#brokerId = broker.id;
    for (const { value } of this.store.retained.getRange()) this.#retained.set(value);
    for (const { key, value } of this.store.sessions.getRange()) {
      this.#sessions.set(key, value);
      this.#sessions.listen(key);
    }
    await this.restrict();
    for (const { key, value } of this.store.outgoing.getRange()) this.#queues.restore(key, value);
    for (const { key, value } of this.store.incoming.getRange()) {
      const [id, messageId] = key;
      const owner = this.ownerOf(id);
      // Without a kept session it went with the process.
      if (owner === undefined) void this.store.incoming.remove(key);
      else {
        this.#waiting.add(id, owner, messageId);
        await super.incomingStorePacket({ id } as Client, value);
      }
    }
    for (const { key, value } of this.store.wills.getRange()) {
      const { brokerId } = value;
      await super.putWill({ id: key } as Client, value);
      // The will of a run that is over: the broker publishes it, as that run can't.
      value.brokerId = brokerId ?? "";
    }
  }

  override async storeRetained(packet: Kept): Promise<void> {
    const kept = keep(packet);
    if (kept.payload.length > 0 && this.#isRetained(kept)) {
      this.#retained.set(kept);
      void this.store.retained.put(kept.topic, kept);
      // One that can't be kept takes the older one away all the same: it would tell what is no longer so.
    } else if (this.#retained.delete(kept.topic)) void this.store.retained.remove(kept.topic);
    await this.store.root.flushed;
  }

  override createRetainedStreamCombi(filters: string[]): Readable {
    return Readable.from(this.#retained.matching(filters));
  }

  override async subscriptionsByClient(client: { id: string }): Promise<Subscription[]> {
    const session = this.#sessions.get(client.id);
    return session?.subscriptions.length === 0 ? [noFilter] : (session?.subscriptions ?? []);
  }

  override async subscriptionsByTopic(topic: string): Promise<Listener[]> {
    return this.#sessions.of(topic);
  }

  override async addSubscriptions(client: Client, subs: Subscription[]): Promise<void> {
    const { limits, clock, userOf, maySubscribe } = this.#options;
    // Of a filter that stands there twice the last one counts.
    const user = userOf(client);
    const asked = new Map(subs.map((one) => [one.topic, one]));
    const granted = [...asked.values()].filter(({ topic }) => maySubscribe(user, topic));
    const fault = this.#sessionFault(client);
    if (fault) throw fault;
    const known = this.#sessions.get(client.id)?.subscriptions ?? [];
    const others = known.filter(({ topic }) => !asked.has(topic));
    const subscriptions = [...others, ...granted.map(({ topic, qos }) => ({ topic, qos }))];
    if (subscriptions.length > limits.subscriptionsPerClient)
      throw this.#full("subscriptions-full", client.id, `at most ${limits.subscriptionsPerClient} filters`);
    await this.#saveFilters(client.id, { user, subscriptions, seenMs: clock() });
  }

  override async removeSubscriptions(client: Client, topics: string[]): Promise<void> {
    const known = this.#sessions.get(client.id);
    if (!known) return;
    const subscriptions = known.subscriptions.filter(({ topic }) => !topics.includes(topic));
    await this.#saveFilters(client.id, { ...known, subscriptions });
  }

  override async cleanSubscriptions(client: Client): Promise<void> {
    for (const key of this.#queues.drop(client.id)) void this.store.outgoing.remove(key);
    if (!this.#sessions.delete(client.id)) return;
    void this.store.sessions.remove(client.id);
    await this.store.root.flushed;
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
    const kept = keep(packet);
    // Several filters of a client may match: it gets the message once, with the highest QoS that one was granted.
    const granted = new Map<string, number>();
    for (const { clientId, qos } of subs) granted.set(clientId, Math.max(qos, granted.get(clientId) ?? 0));
    // RETAIN says that a message was there before its filter (MQTT-3.3.1-9).
    for (const [clientId, most] of granted)
      this.#queue(clientId, { ...kept, retain: false, qos: Math.min(kept.qos, most) as Kept["qos"] });
  }

  override async outgoingUpdate(client: Client, packet: Kept): Promise<void> {
    this.#update(client.id, packet);
  }

  override async outgoingClearMessageId(client: Client, packet: Kept): Promise<Kept | undefined> {
    const entry = this.#queues.takeSent(client.id, packet.messageId);
    if (entry) void this.store.outgoing.remove(entry.key);
    return entry?.packet;
  }

  override outgoingStream(client: Client): Readable {
    return Readable.from(this.#queues.packetsFor(client.id));
  }

  /** Why an id of a QoS 2 message can't be kept until its PUBREL, counted; undefined when it can. */
  roomFault(client: Client, messageId: number): ObiegError | undefined {
    const user = this.#options.userOf(client);
    if (!this.#waiting.hasRoom(client.id, user, messageId))
      return this.#full("incoming-full", client.id, "too many QoS 2 messages wait for PUBREL");
    return this.#sessionFault(client);
  }

  /** Why nothing more can be kept of a client, counted; undefined when it can. */
  #sessionFault(client: Client): ObiegError | undefined {
    const isNew = !client.clean && !this.#sessions.get(client.id);
    if (isNew && !this.#sessions.hasRoom(this.#options.userOf(client)))
      return this.#full("sessions-full", client.id, "too many sessions are kept");
    return hasRoom(this.#options, this.store.root, client.id) ? undefined : noRoom(client.id);
  }

  override async incomingStorePacket(client: Client, packet: Kept): Promise<void> {
    const { messageId = 0 } = packet;
    const fault = this.roomFault(client, messageId);
    if (fault) throw fault;
    await this.#keepSession(client);
    this.#waiting.add(client.id, this.#options.userOf(client), messageId);
    // The id is what is needed to know a message again.
    const kept = { ...packet, payload: Buffer.alloc(0) };
    await super.incomingStorePacket(client, kept);
    void this.store.incoming.put([client.id, messageId], keep(kept));
    await this.store.root.committed;
    // It went meanwhile, and its session with it.
    if (client.closed && client.clean) await this.cleanIncoming(client);
  }

  override async incomingDelPacket(client: Client, packet: Kept): Promise<void> {
    await super.incomingDelPacket(client, packet);
    const key: [string, number] = [client.id, packet.messageId ?? 0];
    this.#waiting.remove(...key);
    void this.store.incoming.remove(key);
    // Else a new message under this id could be taken for the one before, after a crash.
    await this.store.root.flushed;
  }

  override async cleanIncoming(client: Client): Promise<void> {
    // aedes calls it when a place was taken over, too: what the one before subscribed meanwhile goes with its session.
    if (client.connecting) await this.cleanSubscriptions(client);
    await super.cleanIncoming(client);
    for (const messageId of this.#waiting.drop(client.id))
      void this.store.incoming.remove([client.id, messageId]);
  }

  override async putWill(client: Client, packet: Kept): Promise<void> {
    this.#willOf.set(client.id, client);
    await super.putWill(client, packet);
    void this.store.wills.put(client.id, keep(packet));
  }

  override async delWill(client: Client): Promise<Kept | undefined> {
    // aedes names an id alone when a connection is over: what stands there may be the will of the one that took its place.
    const owner = this.#willOf.get(client.id);
    if (owner && !owner.closed && !("conn" in client)) return undefined;
    this.#willOf.delete(client.id);
    const will = await super.delWill(client);
    if (will) void this.store.wills.remove(client.id);
    return will;
  }

  /** Wills of processes that are over; aedes would take its own for over when the clock jumps. */
  override streamWill(): Readable {
    return super.streamWill({ [this.#brokerId]: true });
  }

  /** Notes that a client is here, or has just left. */
  seen(clientId: string): void {
    const known = this.#sessions.get(clientId);
    if (known) void this.#saveSession(clientId, { ...known, seenMs: this.#options.clock() });
  }

  /** Forgets sessions whose clients stayed away too long. */
  async expire(isHere: (clientId: string) => boolean): Promise<void> {
    const { limits, clock, refuse } = this.#options;
    for (const [id, { seenMs }] of this.#sessions.all()) {
      if (isHere(id) || clock() - seenMs < limits.sessionAgeMs) continue;
      refuse("session-expired", id, "a session was forgotten: its client stayed away too long");
      const ref = { id } as Client;
      await this.cleanSubscriptions(ref);
      await this.cleanIncoming(ref);
    }
  }

  /** Takes from sessions what their users may no longer listen to. */
  async restrict(): Promise<void> {
    const { maySubscribe } = this.#options;
    const narrow = async ([id, session]: [string, Session]): Promise<void> => {
      const subscriptions = session.subscriptions.filter(({ topic }) => maySubscribe(session.user, topic));
      if (subscriptions.length < session.subscriptions.length)
        await this.#saveFilters(id, { ...session, subscriptions });
    };
    await Promise.all(this.#sessions.all().map(narrow));
  }

  /** What isn't kept (any more) can be sent all the same: its queue was full, or it was acknowledged just now. */
  #update(clientId: string, packet: Sent): void {
    const entry = this.#queues.update(clientId, packet);
    if (entry) void this.store.outgoing.put(entry.key, entry.packet);
  }

  /** Puts a message at the end of what waits for a client. False when there is no room, counted. */
  #queue(clientId: string, packet: Kept): boolean {
    const { limits, refuse } = this.#options;
    const size = sizeOf(packet);
    const { packets, bytes } = this.#queues.sizeOf(clientId);
    const fits =
      packets < limits.offlineMessagesPerClient &&
      bytes + size <= limits.offlineBytesPerClient &&
      this.#queues.bytes + size <= limits.offlineBytes;
    if (!fits) refuse("offline-full", clientId, "a message for a client that is away wasn't kept");
    if (!fits || !hasRoom(this.#options, this.store.root, clientId)) return false;
    void this.store.outgoing.put(this.#queues.add(clientId, packet), packet);
    return true;
  }

  /** True when there is room for a retained message; counted when there isn't. */
  #isRetained(packet: Kept): boolean {
    if (this.#retained.fits(packet)) return hasRoom(this.#options, this.store.root, packet.topic);
    this.#options.refuse("retained-full", packet.topic, "a retained message wasn't kept: too many bytes are");
    return false;
  }

  /** Counts what there is no room for and makes its error: the connection is closed with it. */
  #full(code: string, clientId: string, why: string): ObiegError {
    this.#options.refuse(code, clientId, why);
    return new ObiegError(code, `${clientId}: ${why}`);
  }

  /** Makes a session for a client that asked for a kept one and has something to keep, filters or not. */
  async #keepSession(client: Client): Promise<void> {
    if (client.clean || this.#sessions.get(client.id)) return;
    const { clock, userOf } = this.#options;
    await this.#saveSession(client.id, { user: userOf(client), subscriptions: [], seenMs: clock() });
  }

  /** Saves a session whose filters changed. They count once they are on disk: before, who subscribes isn't there to hear them. */
  async #saveFilters(clientId: string, session: Session): Promise<void> {
    await this.#saveSession(clientId, session);
    this.#sessions.listen(clientId);
  }

  async #saveSession(clientId: string, session: Session): Promise<void> {
    this.#sessions.set(clientId, session);
    void this.store.sessions.put(clientId, session);
    await this.store.root.flushed;
  }
}
