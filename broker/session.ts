import type { Client, Subscription } from "aedes";
import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import type { RootDatabase } from "lmdb";
import { ObiegError } from "../devices/index.js";
import { type BrokerLimits, keptPacketBytes } from "./limits.js";
import { ownBytes } from "./own-bytes.js";

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
  /** Makes room on the disk for the next commit; gives why there is none. */
  lackOfRoom: (root: RootDatabase) => string | undefined;
  limits: BrokerLimits;
  clock: () => number;
  /** Name of the user that a connected client came in as. */
  userOf: (client: Client) => string;
  /** True when a user may have a filter: refused ones aren't kept. */
  maySubscribe: (user: string, filter: string) => boolean;
  /** Counts what is let go at a bound. */
  refuse: (reason: string, who: string, detail: string) => void;
}

/** A packet as it is kept: what it says, without what aedes hangs on it. */
export const keep = (packet: Kept): Kept => {
  const said = Object.entries(packet).filter(
    ([, value]) => value !== undefined && typeof value !== "function",
  );
  return { ...(Object.fromEntries(said) as unknown as Kept), payload: ownBytes(packet.payload) };
};
/** What a packet that is kept is counted as, bytes of memory. */
export const sizeOf = ({ topic, payload }: Kept): number => topic.length + payload.length + keptPacketBytes;

/** False when the disk has no room for more; counted. What lets go of something needs none. */
export function hasRoom(options: PersistenceOptions, root: RootDatabase, who: string): boolean {
  const lack = options.lackOfRoom(root);
  if (lack !== undefined) options.refuse("disk-full", who, `broker.mdb can't grow: ${lack}`);
  return lack === undefined;
}

/** What a client is sent away with when there is no room for what it asks to be kept. */
export const noRoom = (who: string): ObiegError =>
  new ObiegError("disk-full", `${who}: no room on the disk to keep it`);
