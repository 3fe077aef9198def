import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type MqttClient, connectAsync, type IClientOptions } from "mqtt";
import { generate, type Packet, parser } from "mqtt-packet";
import { afterEach, beforeEach } from "vitest";
import { type Broker, type BrokerOptions, type CredentialSnapshot, startBroker } from "../../broker/index.js";
import { messagesOf, type RawMessage } from "../../devices/index.js";
import { until } from "./obieg.js";

/** Users of the door under test; each one's secret is `secret of {user}`. */
export const users: CredentialSnapshot[] = [
  { user: "bin-1", kind: "device", hash: "", publishesFor: [], publish: [], subscribe: [] },
  { user: "gw-1", kind: "gateway", hash: "", publishesFor: ["bin-*"], publish: [], subscribe: [] },
  {
    user: "tools",
    kind: "application",
    hash: "",
    publishesFor: [],
    publish: ["tools/#"],
    subscribe: ["tools/#", "alerts/#"],
  },
];

/** A broker in this process, with what it admitted. */
export interface FrontDoor {
  broker: Broker;
  port: number;
  admitted: RawMessage[];
  warnings: string[];
  refused(): Record<string, number>;
  connect(user: string, options?: IClientOptions): Promise<MqttClient>;
  /** A raw connection. */
  socket(): Promise<RawSocket>;
  /** A raw connection that was let in. */
  enter(user: string, more?: object, ...packets: Packet[]): Promise<RawSocket>;
}

/** A connection that sends any bytes and notes what comes back. */
export interface RawSocket {
  socket: Socket;
  send(...bytes: (Buffer | Packet)[]): void;
  received(): Buffer;
  /** What was received, packet by packet. */
  packets(): Packet[];
  /** Waits until so many packets of a kind were received; gives them. */
  has<C extends Packet["cmd"]>(cmd: C, count?: number): Promise<Extract<Packet, { cmd: C }>[]>;
  /** Breaks it off. */
  leave(): Promise<void>;
  closed: Promise<void>;
}

/** Opens a front door that takes everything. */
export async function openFrontDoor(options: Partial<BrokerOptions> = {}): Promise<FrontDoor> {
  const admitted: RawMessage[] = [];
  const warnings: string[] = [];
  const warn = (facts: object, message: string): void =>
    void warnings.push(`${JSON.stringify(facts)} ${message}`);
  const broker = await startBroker({
    host: "127.0.0.1",
    port: 0,
    admit: (run, done) => {
      for (const { topic, payload, user, clientId, qos, receivedMs } of messagesOf(run))
        admitted.push({ topic, payload, user, clientId, qos, receivedMs });
      setImmediate(done);
    },
    underPressure: () => false,
    credentials: users.map((one) => ({ ...one, hash: `secret of ${one.user}` })),
    verify: async (secret, hash) => secret === hash,
    anonymous: false,
    clock: Date.now,
    log: { info: () => undefined, warn: warn as never },
    ...options,
  });
  const { port } = broker.addresses.mqtt;
  return {
    broker,
    port,
    admitted,
    warnings,
    refused: () => broker.counters().refused,
    connect: (user, more = {}) =>
      connectAsync(`mqtt://127.0.0.1:${port}`, {
        username: user,
        password: `secret of ${user}`,
        reconnectPeriod: 0,
        ...more,
      }),
    socket: () => openSocket(port),
    async enter(user, more = {}, ...packets) {
      const raw = await openSocket(port);
      raw.send(connectPacket(user, more), ...packets);
      await raw.has("connack");
      return raw;
    },
  };
}

async function openSocket(port: number): Promise<RawSocket> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await once(socket, "connect");
  const received = (): Buffer => Buffer.concat(chunks);
  const packets = (): Packet[] => {
    const found: Packet[] = [];
    const reader = parser();
    reader.on("packet", (packet) => found.push(packet));
    reader.parse(received());
    return found;
  };
  return {
    socket,
    send: (...bytes) => {
      for (const one of bytes) socket.write(Buffer.isBuffer(one) ? one : generate(one));
    },
    received,
    packets,
    has: <C extends Packet["cmd"]>(cmd: C, count = 1) =>
      until(
        async () => packets().filter((one) => one.cmd === cmd) as Extract<Packet, { cmd: C }>[],
        (list) => list.length >= count,
      ),
    async leave() {
      socket.destroy();
      await closed;
      // The service sees it a moment later.
      await pause(30);
    },
    closed,
  };
}

/** A front door that keeps sessions, opened anew for each test of a file and closed behind it. */
export function doorOfEachTest(): { dir: string; door: FrontDoor } {
  const held = {} as { dir: string; door: FrontDoor };
  beforeEach(async () => {
    held.dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
    held.door = await openFrontDoor({ dir: held.dir });
  });
  afterEach(async () => {
    await held.door.broker.close();
    rmSync(held.dir, { recursive: true, force: true });
  });
  return held;
}

/** CONNECT of a user, MQTT 3.1.1. */
export const connectPacket = (user: string, more: object = {}): Packet => ({
  cmd: "connect",
  protocolId: "MQTT",
  protocolVersion: 4,
  clean: true,
  clientId: `raw-${user}`,
  keepalive: 60,
  username: user,
  password: Buffer.from(`secret of ${user}`),
  ...more,
});

/** SUBSCRIBE with one filter. */
export const subscribePacket = (topic: string, qos: 0 | 1 | 2 = 1, messageId = 1): Packet => ({
  cmd: "subscribe",
  messageId,
  subscriptions: [{ topic, qos }],
});
