import type { Client, Subscription } from "aedes";
import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import type { BrokerLimits } from "./limits.js";

/** A kept session, as it stands in the store. */
export interface Session {
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

/** A packet without its payload and without what can't be stored. */
export const plain = (packet: Kept): Kept =>
  JSON.parse(JSON.stringify({ ...packet, payload: undefined })) as Kept;
/** A packet as it is stored. */
export const keep = (packet: Kept): Kept => ({ ...plain(packet), payload: Buffer.from(packet.payload) });
/** What a packet is counted as, bytes. */
export const sizeOf = ({ topic, payload }: Kept): number => topic.length + payload.length + 64;
