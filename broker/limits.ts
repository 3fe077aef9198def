import { ObiegError } from "../devices/error.js";

/** What the front door takes at most; every bound has a counter and a log line when it is met. */
export interface BrokerLimits {
  /** Open connections, all listeners together. */
  connections: number;
  /** Open connections from one address. */
  connectionsPerAddress: number;
  /** From the accepted socket to its whole CONNECT (TLS and WebSocket handshakes included), milliseconds. */
  connectTimeoutMs: number;
  /** Bytes of a CONNECT packet, will included. */
  connectBytes: number;
  /** Bytes of a published payload. */
  messageBytes: number;
  /** Bytes of a topic or topic filter in UTF-8; at most 1,000. */
  topicBytes: number;
  /** Levels of a topic or topic filter; at most 100. */
  topicLevels: number;
  /** PUBLISH packets a second from one connection, averaged; above it the connection is read more slowly. */
  messagesPerSecond: number;
  /** PUBLISH packets that may come at once before `messagesPerSecond` holds. */
  messageBurst: number;
  /** Bytes of one connection's packets between arrival and answer; above it no more is read of it. */
  aheadBytes: number;
  /** Bytes of messages between arrival and admission, all connections together; above it a message is refused, and its connection closed. */
  inflightBytes: number;
  /** Bytes of packets that have not yet arrived whole, all connections together; above it the slowest is closed. */
  partialBytes: number;
  /** Bytes waiting in a connection for a subscriber that doesn't read; above it the connection is closed. */
  outgoingBytes: number;
  /** The same of all connections together; above it those with most are closed. */
  outgoingTotalBytes: number;
  /** Topic filters of one client. */
  subscriptionsPerClient: number;
  /** Kept sessions (clean session = 0), in total and of one user. */
  sessions: number;
  sessionsPerUser: number;
  /** A kept session whose client stays away this long is forgotten, milliseconds. */
  sessionAgeMs: number;
  /** Messages, and bytes of memory, kept for one client that is away; further ones are not queued for it. */
  offlineMessagesPerClient: number;
  offlineBytesPerClient: number;
  /** Bytes of memory kept for all clients that are away. */
  offlineBytes: number;
  /** QoS 2 messages that wait for their PUBREL: in total, of one user, of one client. Each takes {@link keptPacketBytes}. */
  incoming: number;
  incomingPerUser: number;
  incomingPerClient: number;
  /** Bytes of memory that retained messages take. */
  retainedBytes: number;
  /** Secrets checked at the same time, and CONNECTs that may wait for it. */
  verifying: number;
  verifyQueue: number;
  /** Wrong secrets from one address a minute before its CONNECTs are refused unchecked. */
  failuresPerMinute: number;
}

/** What keeping a packet takes beside its topic and payload, bytes of memory. Measured: 930, with 20,000 retained messages. */
export const keptPacketBytes = 1_024;

/** The limits of an edge box that serves some ten thousand devices. */
export const defaultLimits: Readonly<BrokerLimits> = {
  connections: 10_000,
  connectionsPerAddress: 6_000,
  connectTimeoutMs: 10_000,
  connectBytes: 8_192,
  messageBytes: 256 * 1024,
  topicBytes: 256,
  topicLevels: 16,
  messagesPerSecond: 10_000,
  messageBurst: 20_000,
  aheadBytes: 128 * 1024,
  inflightBytes: 32 * 1024 * 1024,
  partialBytes: 16 * 1024 * 1024,
  outgoingBytes: 4 * 1024 * 1024,
  outgoingTotalBytes: 64 * 1024 * 1024,
  subscriptionsPerClient: 100,
  sessions: 10_000,
  sessionsPerUser: 20,
  sessionAgeMs: 7 * 24 * 3_600_000,
  offlineMessagesPerClient: 1_000,
  offlineBytesPerClient: 2 * 1024 * 1024,
  offlineBytes: 32 * 1024 * 1024,
  incoming: 30_000,
  incomingPerUser: 5_000,
  incomingPerClient: 1_000,
  retainedBytes: 32 * 1024 * 1024,
  verifying: 2,
  verifyQueue: 10_000,
  failuresPerMinute: 60,
};

/**
 * Checks that the limits can be held.
 * Throws `broker-limits` when one isn't a positive whole number, or a topic could outgrow a key of the session store.
 */
export function checkLimits(limits: BrokerLimits): void {
  const wrong = Object.entries(limits as unknown as Record<string, number>)
    .filter(([, value]) => !Number.isSafeInteger(value) || value < 1)
    .map(([name, value]) => `${name} is ${value}, write a whole number above 0`);
  if (limits.topicBytes > 1_000)
    wrong.push(`topicBytes is ${limits.topicBytes}, write at most 1000 (a key of the session store)`);
  if (limits.topicLevels > 100) wrong.push(`topicLevels is ${limits.topicLevels}, write at most 100`);
  if (wrong.length > 0) throw new ObiegError("broker-limits", `limits of the broker: ${wrong.join("; ")}`);
}
