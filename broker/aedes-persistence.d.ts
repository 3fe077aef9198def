// The package ships these types beside, not under, the file that they describe.
declare module "aedes-persistence/asyncPersistence.js" {
  import type { Readable } from "node:stream";
  import type { Client, Subscription } from "aedes";

  /** A packet in the store: PUBLISH, or PUBREL with its id alone. */
  export interface StoredPacket {
    cmd: string;
    topic: string;
    payload: Buffer;
    qos: 0 | 1 | 2;
    retain: boolean;
    dup: boolean;
    brokerId?: string;
    brokerCounter?: number;
    messageId?: number;
    clientId?: string;
  }

  export default class MemoryPersistence {
    setup(broker: unknown): Promise<void>;
    storeRetained(packet: StoredPacket): Promise<void>;
    createRetainedStreamCombi(filters: string[]): Readable;
    subscriptionsByClient(client: { id: string }): Promise<Subscription[]>;
    subscriptionsByTopic(topic: string): Promise<object[]>;
    addSubscriptions(client: Client, subs: Subscription[]): Promise<void>;
    removeSubscriptions(client: Client, topics: string[]): Promise<void>;
    cleanSubscriptions(client: Client): Promise<void>;
    outgoingEnqueue(sub: { clientId: string; qos: number }, packet: StoredPacket): Promise<void>;
    outgoingEnqueueCombi(subs: { clientId: string; qos: number }[], packet: StoredPacket): Promise<void>;
    outgoingUpdate(client: Client, packet: StoredPacket): Promise<void>;
    outgoingClearMessageId(client: Client, packet: StoredPacket): Promise<StoredPacket | undefined>;
    outgoingStream(client: Client): Readable;
    incomingStorePacket(client: Client, packet: StoredPacket): Promise<void>;
    incomingDelPacket(client: Client, packet: StoredPacket): Promise<void>;
    cleanIncoming(client: Client): Promise<void>;
    putWill(client: Client, packet: StoredPacket): Promise<void>;
    /** Wills of brokers other than these. */
    streamWill(brokers: Record<string, unknown>): Readable;
    delWill(client: Client): Promise<StoredPacket | undefined>;
  }
}
