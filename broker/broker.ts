import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import type { Logger } from "pino";
import { ObiegError, type RawRun } from "../devices/index.js";
import { ClientIds } from "./client-ids.js";
import { type BrokerCounters, Refusal, Tally } from "./counters.js";
import { Gate } from "./gate.js";
import { type BrokerLimits, checkLimits, defaultLimits } from "./limits.js";
import { type Address, type Listener, listenTcp, listenTls, listenWebSocket } from "./listeners.js";
import type { Credential, CredentialSnapshot } from "./rights.js";
import { type Guest, mayPublish, openAdmission, topicFault } from "./admission.js";
import { guardConnection, PartialBytes } from "./connection.js";
import { openDelivery } from "./delivery.js";
import { Door } from "./door.js";
import { openIntake } from "./intake.js";
import { openLane } from "./lane.js";
import { Handshakes } from "./order.js";
import { Pace } from "./pace.js";
import { KeptPersistence } from "./persistence.js";
import { QuietTopics } from "./quiet-topics.js";
import { levelCount } from "./topics.js";
import { noFilter } from "./sessions.js";
import { Visitors } from "./visitors.js";

/** How the front door is opened. */
export interface BrokerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Folder where sessions and retained messages are kept, in `broker.mdb`; without it they end with the process. */
  dir?: string;
  /** Makes room on the disk for the next commit to `broker.mdb`; gives why there is none. */
  lackOfRoom?: (root: { getStats(): object }) => string | undefined;
  wsPort?: number;
  tls?: { port: number; key: Buffer; cert: Buffer };
  limits?: Partial<BrokerLimits>;
  /** Takes messages before they are acknowledged, all or none; an error means that they aren't, and closes the connection. */
  admit: (run: RawRun, done: (error?: Error) => void) => void;
  /** True while QoS 0 is to be let go. */
  underPressure: () => boolean;
  /** True while memory is nearly used up: nobody more is let in then. */
  isTight?: () => boolean;
  credentials: readonly CredentialSnapshot[];
  verify: (secret: string, hash: string) => Promise<boolean>;
  /** Lets those without a user name publish readings; only ever on loopback. */
  anonymous: boolean;
  clock: () => number;
  log: Pick<Logger, "info" | "warn">;
}

/** The open front door. */
export interface Broker {
  addresses: { mqtt: Address; ws?: Address; tls?: Address };
  /** Publishes as the service itself. */
  publish(message: {
    topic: string;
    payload: string | Uint8Array;
    qos: 0 | 1;
    retain: boolean;
  }): Promise<void>;
  /** Replaces all credentials; those who changed or went are disconnected. */
  setCredentials(credentials: readonly CredentialSnapshot[]): void;
  counters(): BrokerCounters;
  /** Copies sessions and retained messages into an existing folder. */
  backup(dir: string): Promise<void>;
  /** Takes no more connections, closes those that are open. */
  close(): Promise<void>;
}

const watchMs = 1_000;
const expiryMs = 3_600_000;
/** Of a client id: it is part of a key in `broker.mdb`, which holds 1,978. */
const clientIdBytes = 1_000;
const returnCodes = { "unknown-user": 4, "wrong-secret": 4, "too-many-failures": 3, busy: 3 } as const;

/**
 * Opens the front door. Throws `mqtt-port-unavailable`, `broker-limits`.
 * Guarantee: nothing is acknowledged that `admit` didn't take.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const limits: BrokerLimits = { ...defaultLimits, ...options.limits };
  checkLimits(limits);
  const { host, wsPort, clock, log } = options;
  const gate = new Gate({ ...options, ...limits });
  const tally = new Tally(clock, (facts, message) => log.warn(facts, message));
  const { counters } = tally;
  const guests = new WeakMap<Client, Guest>();
  const ended = new WeakSet<Client>();
  const ids = new ClientIds();
  const visitors = new Visitors({
    limits,
    counters,
    isTight: options.isTight ?? (() => false),
    refuse: (reason, who, detail) => tally.refuse(reason, who, detail),
  });

  const refusal = (reason: string, who: string, detail: string): Error => {
    tally.refuse(reason, who, detail);
    return new Refusal(reason);
  };
  const now = (): number => performance.now();
  const find = (user: string): Credential | undefined => gate.find(user);
  const userOf = (client: Client): string => guests.get(client)?.user ?? "";
  const admission = openAdmission({ ...options, limits, counters, find, refusal });
  const maySubscribe = (user: string, topic: string): boolean =>
    Buffer.byteLength(topic) <= limits.topicBytes &&
    levelCount(topic) <= limits.topicLevels &&
    (gate.find(user)?.maySubscribe(topic) ?? false);
  const persistence =
    options.dir === undefined
      ? undefined
      : new KeptPersistence({
          dir: options.dir,
          lackOfRoom: options.lackOfRoom ?? (() => undefined),
          limits,
          clock,
          userOf,
          maySubscribe,
          refuse: (reason, who, detail) => tally.refuse(reason, who, detail),
        });

  const aedes = new Door({
    connectTimeout: limits.connectTimeoutMs,
    // Messages go out at once, each in the turn in which it was queued for who keeps a session.
    concurrency: 0,
    maxTopicLevels: limits.topicLevels,
    maxClientsIdLength: 128,
    drainTimeout: limits.connectTimeoutMs * 3,
    ...(persistence ? { persistence } : {}),
    preConnect: (client, packet, done) => {
      guests.set(client, {
        user: "",
        clientId: packet.clientId,
        credential: undefined,
        address: visitors.addressOf(client.conn),
        will: packet.will?.topic,
        pace: new Pace(limits.messagesPerSecond, limits.messageBurst, now),
      });
      done(null, true);
    },
    authenticate: (client, user, password, done) => {
      const guest = guests.get(client);
      const refused = (reason: string, returnCode: number): void => {
        const who = `${guest?.address ?? ""} ${user ?? ""}`;
        const error = refusal(reason, who, "a connection was refused");
        done(Object.assign(error, { returnCode }), false);
      };
      const admitted = (name: string, credential: Credential | undefined): void => {
        if (client.closed) return done(null, false);
        if (!guest) return refused("not-connected", 3);
        if (Buffer.byteLength(client.id) > clientIdBytes) return refused("client-id-too-long", 2);
        const owner = ids.ownerOf(client.id) ?? persistence?.ownerOf(client.id);
        if (owner !== undefined && owner !== name) return refused("client-id-taken", 2);
        if (
          guest.will !== undefined &&
          (topicFault(guest.will, limits) ?? !mayPublish(name, guest.will, find))
        )
          return refused("will-not-allowed", 5);
        Object.assign(guest, { user: name, credential });
        ids.enter(client, name);
        done(null, true);
      };
      if (user === undefined || user === "") {
        if (options.anonymous) admitted("anonymous", undefined);
        else refused("anonymous", 5);
        return;
      }
      gate.check(user, password?.toString() ?? "", guest?.address ?? "").then(
        (verdict) =>
          typeof verdict === "string" ? refused(verdict, returnCodes[verdict]) : admitted(user, verdict),
        () => refused("busy", 3),
      );
    },
    authorizePublish: (client, packet, done) => {
      const check = (isRepeat: boolean): void =>
        admission.message(client ? guests.get(client) : undefined, packet, isRepeat, done);
      if (!client || packet.qos !== 2 || !("messageId" in packet)) return check(false);
      // What waits for PUBREL was admitted, and is only answered again (MQTT-4.3.3-2).
      const waiting = aedes.persistence.incomingGetPacket(client, packet);
      waiting.then(
        () => setImmediate(check, true),
        () =>
          setImmediate(() => {
            const fault = persistence?.roomFault(client, packet.messageId as number);
            if (fault) done(fault);
            else check(false);
          }),
      );
    },
    authorizeSubscribe: (client, subscription, done) => {
      if (subscription === noFilter) return done(null, null);
      const who = userOf(client);
      const allowed = maySubscribe(who, subscription.topic);
      const filters = (client as unknown as { subscriptions: object }).subscriptions;
      const isFull = Object.keys(filters).length >= limits.subscriptionsPerClient;
      // Those of a kept session are counted where it is kept.
      if (client.clean && isFull && !(subscription.topic in filters))
        return done(refusal("subscriptions-full", who, `at most ${limits.subscriptionsPerClient} filters`));
      if (!allowed)
        tally.refuse(
          "subscription",
          who,
          `a subscription to ${subscription.topic.slice(0, 100)} was refused`,
        );
      done(null, allowed ? subscription : null);
    },
  });
  persistence?.tell(aedes.audience);
  await aedes.listen();
  aedes.on("client", ({ id }) => persistence?.seen(id));
  aedes.on("clientDisconnect", ({ id }) => persistence?.seen(id));
  /** A connection's end is counted once, under the reason that came first. */
  const broken = (reason: string) => (client: Client, error: Error) => {
    if (client.closed || ended.has(client) || error instanceof Refusal || error instanceof ObiegError) return;
    ended.add(client);
    const guest = guests.get(client);
    tally.refuse(reason, guest?.user || (guest?.address ?? ""), `a connection was closed: ${error.message}`);
  };
  // The will of a process that was killed is asked for again after some minutes.
  (aedes as EventEmitter).on("error", (error: unknown) =>
    log.warn({ err: error }, "a message can't be published"),
  );
  aedes.on("clientError", broken("client-error"));
  aedes.on("connectionError", broken("connection-error"));

  const partial = new PartialBytes(limits.partialBytes);
  const handshakes = new Handshakes();
  const quiet = new QuietTopics({
    audienceVersion: () => aedes.audience.version,
    isQuiet: (user, topic) =>
      persistence !== undefined &&
      topicFault(topic, limits) === undefined &&
      mayPublish(user, topic, find) &&
      !aedes.audience.hears(topic),
  });
  const frameLimits = {
    connectBytes: limits.connectBytes,
    packetBytes: limits.messageBytes + limits.topicBytes + 1_024,
    filters: limits.subscriptionsPerClient,
  };
  const accept = (stream: Duplex, from: string): void => {
    if (!visitors.enter(stream, from)) return;
    const client = aedes.handle(stream);
    stream.once("close", () => ids.leave(client));
    openDelivery(client, stream, {
      mostBytes: limits.outgoingBytes,
      tooMuch() {
        ended.add(client);
        visitors.closeAsDeaf(stream);
      },
      queue: persistence?.queueOf(client),
    });
    const refuse = (reason: string): void => {
      ended.add(client);
      tally.refuse(reason, guests.get(client)?.user || from, `a connection was closed: ${reason}`);
    };
    const intake = openIntake(client, stream, limits.aheadBytes);
    const lane = openLane(client, stream, {
      intake,
      quiet,
      user: () => userOf(client),
      underPressure: options.underPressure,
      messageBytes: limits.messageBytes,
      admit(packets, done) {
        const guest = guests.get(client);
        if (guest) admission.run(guest, packets, done);
      },
    });
    guardConnection(client, stream, { limits: frameLimits, partial, intake, handshakes, lane, refuse });
  };
  const watch = setInterval(() => visitors.closeDeaf(), watchMs).unref();
  const expiry = setInterval(() => {
    persistence
      ?.expire((id) => ids.ownerOf(id) !== undefined)
      .catch((error: unknown) => log.warn({ err: error }, "old sessions can't be forgotten"));
  }, expiryMs).unref();

  const listeners: Listener[] = [];
  const failed = (code: string): void =>
    tally.refuse("descriptors", code, `a connection couldn't be accepted: ${code}`);
  const close = async (): Promise<void> => {
    clearInterval(watch);
    clearInterval(expiry);
    const closed = listeners.map((listener) => listener.close());
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    visitors.closeAll();
    await Promise.all(closed);
    await persistence?.store.settled();
  };
  try {
    const tcp = await listenTcp(host, options.port, accept, failed);
    listeners.push(tcp);
    const addresses: Broker["addresses"] = { mqtt: tcp.address };
    if (wsPort !== undefined) {
      const ws = await listenWebSocket(host, wsPort, limits.messageBytes + 1_024, accept, failed);
      listeners.push(ws);
      addresses.ws = ws.address;
    }
    if (options.tls) {
      const tls = await listenTls(host, options.tls, limits.connectTimeoutMs, accept, failed);
      listeners.push(tls);
      addresses.tls = tls.address;
    }
    return {
      addresses,
      publish: ({ topic, payload, qos, retain }) =>
        new Promise((resolve, reject) =>
          aedes.publish(
            { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain, dup: false },
            (error) => (error ? reject(error) : resolve()),
          ),
        ),
      setCredentials(credentials) {
        for (const user of gate.setCredentials(credentials)) ids.closeAll(user);
        quiet.forget();
        persistence
          ?.restrict()
          .catch((error: unknown) => log.warn({ err: error }, "sessions can't be restricted"));
      },
      backup: async (dir) => persistence?.store.backup(dir),
      counters: () => ({ ...counters, refused: { ...counters.refused } }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
