import type { Duplex } from "node:stream";
import { Aedes, type AuthenticateError, type Client } from "aedes";
import type { Logger } from "pino";
import type { RawMessage } from "../devices/index.js";
import { type BrokerCounters, Tally } from "./counters.js";
import { Gate } from "./gate.js";
import { type BrokerLimits, checkLimits, defaultLimits } from "./limits.js";
import { type Address, type Listener, listenTcp, listenTls, listenWebSocket } from "./listeners.js";
import { type Credential, type CredentialSnapshot, isReserved } from "./rights.js";
import { isTopic, levelCount } from "./topics.js";

/** How the front door is opened. */
export interface BrokerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  wsPort?: number;
  tls?: { port: number; key: Buffer; cert: Buffer };
  limits?: Partial<BrokerLimits>;
  /** Takes a message before it is acknowledged; an error means that it isn't, and closes the connection. */
  admit: (message: RawMessage, done: (error?: Error) => void) => void;
  /** True while QoS 0 is to be let go. */
  underPressure: () => boolean;
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
  publish(message: { topic: string; payload: string | Buffer; qos: 0 | 1; retain: boolean }): Promise<void>;
  /** Replaces all credentials; those who changed or went are disconnected. */
  setCredentials(credentials: readonly CredentialSnapshot[]): void;
  counters(): BrokerCounters;
  /** Takes no more connections, closes those that are open. */
  close(): Promise<void>;
}

const returnCodes = { "unknown-user": 4, "wrong-secret": 4, busy: 3 } as const;

/** What the broker knows of a connected client. */
interface Guest {
  user: string;
  credential: Credential | undefined;
  address: string;
}

/**
 * Opens the front door. Throws `mqtt-port-unavailable`, `broker-limits`.
 * Guarantee: nothing is acknowledged that `admit` didn't take.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const limits: BrokerLimits = { ...defaultLimits, ...options.limits };
  checkLimits(limits);
  const { clock, log } = options;
  const gate = new Gate({ ...limits, credentials: options.credentials, verify: options.verify });
  const tally = new Tally(clock, (facts, message) => log.warn(facts, message));
  const { counters } = tally;
  const guests = new WeakMap<Client, Guest>();
  const clients = new Set<Client>();
  const perAddress = new Map<string, number>();
  const addressOf = new WeakMap<object, string>();

  const refusal = (reason: string, who: string, detail: string): Error => {
    tally.refuse(reason, who, detail);
    return new Error(reason);
  };
  const topicFault = (topic: string): string | undefined => {
    if (!isTopic(topic)) return "topic-invalid";
    if (Buffer.byteLength(topic) > limits.topicBytes) return "topic-too-long";
    return levelCount(topic) > limits.topicLevels ? "topic-too-deep" : undefined;
  };
  const mayPublish = (guest: Guest | undefined, topic: string): boolean => {
    if (!guest) return false;
    if (guest.user === "anonymous") return !isReserved(topic) && topic.startsWith("readings/");
    return gate.find(guest.user)?.mayPublish(topic) ?? false;
  };

  const aedes = await Aedes.createBroker({
    connectTimeout: limits.connectTimeoutMs,
    maxTopicLevels: limits.topicLevels,
    maxClientsIdLength: 128,
    preConnect: (client, _packet, done) => {
      const address = addressOf.get(client.conn) ?? "";
      guests.set(client, { user: "", credential: undefined, address });
      done(null, true);
    },
    authenticate: (client, user, password, done) => {
      const address = guests.get(client)?.address ?? "";
      const admitted = (name: string, credential: Credential | undefined): void => {
        guests.set(client, { user: name, credential, address });
        clients.add(client);
        done(null, true);
      };
      const refused = (reason: string, returnCode: AuthenticateError["returnCode"]): void => {
        const error = refusal(reason, `${address} ${user ?? ""}`, "a connection was refused");
        done(Object.assign<Error, Pick<AuthenticateError, "returnCode">>(error, { returnCode }), false);
      };
      if (user === undefined || user === "") {
        if (options.anonymous) admitted("anonymous", undefined);
        else refused("anonymous", 5);
        return;
      }
      gate.check(user, password?.toString() ?? "").then(
        (verdict) =>
          typeof verdict === "string" ? refused(verdict, returnCodes[verdict]) : admitted(user, verdict),
        () => refused("busy", 3),
      );
    },
    authorizePublish: (client, packet, done) => {
      const guest = client ? guests.get(client) : undefined;
      const who = guest?.user ?? "(will)";
      counters.received += 1;
      const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
      const fault =
        topicFault(packet.topic) ??
        (mayPublish(guest, packet.topic) ? undefined : "not-allowed") ??
        (payload.length > limits.messageBytes ? "message-too-large" : undefined);
      if (fault !== undefined) {
        done(refusal(fault, who, `a message to ${packet.topic.slice(0, 100)} was refused: ${fault}`));
        return;
      }
      if (packet.qos === 0 && options.underPressure()) {
        counters.shed += 1;
        done(null);
        return;
      }
      counters.inflightBytes += payload.length;
      const message: RawMessage = {
        topic: packet.topic,
        payload,
        user: who,
        clientId: client?.id ?? "",
        qos: packet.qos,
        receivedMs: clock(),
      };
      options.admit(message, (error) => {
        counters.inflightBytes -= payload.length;
        if (error) {
          const { code = "not-admitted" } = error as { code?: string };
          done(refusal(code, who, error.message));
          return;
        }
        counters.acknowledged += 1;
        done(null);
      });
    },
    authorizeSubscribe: (client, subscription, done) => {
      const guest = guests.get(client);
      const { topic } = subscription;
      const fits = Buffer.byteLength(topic) <= limits.topicBytes && levelCount(topic) <= limits.topicLevels;
      const allowed = fits && guest !== undefined && (gate.find(guest.user)?.maySubscribe(topic) ?? false);
      if (!allowed)
        tally.refuse(
          "subscription",
          guest?.user ?? "",
          `a subscription to ${topic.slice(0, 100)} was refused`,
        );
      done(null, allowed ? subscription : null);
    },
  });
  aedes.on("clientDisconnect", (client) => clients.delete(client));
  aedes.on("clientError", (client, error) =>
    tally.refuse("client-error", guests.get(client)?.user ?? "", `a connection was closed: ${error.message}`),
  );
  aedes.on("connectionError", (client, error) =>
    tally.refuse(
      "connection-error",
      guests.get(client)?.address ?? "",
      `a connection was closed: ${error.message}`,
    ),
  );

  const open = new Set<Duplex>();
  const accept = (stream: Duplex, from: string): void => {
    const here = perAddress.get(from) ?? 0;
    if (open.size >= limits.connections || here >= limits.connectionsPerAddress) {
      const reason = open.size >= limits.connections ? "connections" : "connections-per-address";
      tally.refuse(reason, from, "a connection was refused: too many are open");
      stream.on("error", () => undefined);
      stream.destroy();
      return;
    }
    open.add(stream);
    counters.connections = open.size;
    perAddress.set(from, here + 1);
    addressOf.set(stream, from);
    stream.once("close", () => {
      open.delete(stream);
      counters.connections = open.size;
      const left = (perAddress.get(from) ?? 1) - 1;
      if (left > 0) perAddress.set(from, left);
      else perAddress.delete(from);
    });
    aedes.handle(stream);
  };

  const listeners: Listener[] = [];
  const close = async (): Promise<void> => {
    const closed = listeners.map((listener) => listener.close());
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const stream of open) stream.destroy();
    await Promise.all(closed);
  };
  try {
    const tcp = await listenTcp(options.host, options.port, accept);
    listeners.push(tcp);
    const addresses: Broker["addresses"] = { mqtt: tcp.address };
    if (options.wsPort !== undefined) {
      const ws = await listenWebSocket(options.host, options.wsPort, limits.messageBytes + 1_024, accept);
      listeners.push(ws);
      addresses.ws = ws.address;
    }
    if (options.tls) {
      const tls = await listenTls(options.host, options.tls, limits.connectTimeoutMs, accept);
      listeners.push(tls);
      addresses.tls = tls.address;
    }
    return {
      addresses,
      publish: ({ topic, payload, qos, retain }) =>
        new Promise((resolve, reject) =>
          aedes.publish({ cmd: "publish", topic, payload, qos, retain, dup: false }, (error) =>
            error ? reject(error) : resolve(),
          ),
        ),
      setCredentials(credentials) {
        const gone = new Set(gate.setCredentials(credentials));
        for (const client of clients) if (gone.has(guests.get(client)?.user ?? "")) client.close();
      },
      counters: () => ({ ...counters, refused: { ...counters.refused } }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
