import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { generate } from "mqtt-packet";

/** What a load is. */
export interface Load {
  port: number;
  connections: number;
  /** Messages of all connections together. */
  messages: number;
  /** Messages that may wait for their PUBACK on a connection. */
  window: number;
  /** Messages a second of all connections together; as fast as they are acknowledged without it. */
  perSecond?: number;
  user: string;
  password: string;
  /** Topic and payload of message `n`. */
  message(n: number): { topic: string; payload: string };
}

/** What a load did. */
export interface LoadReport {
  acknowledged: number;
  seconds: number;
  perSecond: number;
  /** From writing to PUBACK, milliseconds. */
  p50: number;
  p99: number;
}

interface Link {
  socket: Socket;
  packets: Buffer[];
  next: number;
  acknowledged: number;
  sentAt: Float64Array;
}

async function openLink(load: Load, index: number, packets: Buffer[]): Promise<Link> {
  const socket = connect({ port: load.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(
    generate({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clean: true,
      clientId: `load-${process.pid}-${index}-${load.messages}`,
      keepalive: 0,
      username: load.user,
      password: Buffer.from(load.password),
    }),
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (answer[3] !== 0) throw new Error(`refused with return code ${answer[3]}`);
  return { socket, packets, next: 0, acknowledged: 0, sentAt: new Float64Array(packets.length) };
}

/** Encodes everything first, then publishes with QoS 1 over raw sockets and waits for every PUBACK. */
export async function runLoad(load: Load): Promise<LoadReport> {
  const perLink: Buffer[][] = Array.from({ length: load.connections }, () => []);
  for (let n = 0; n < load.messages; n += 1) {
    const { topic, payload } = load.message(n);
    const packets = perLink[n % load.connections] ?? [];
    const messageId = (packets.length % 65_535) + 1;
    packets.push(generate({ cmd: "publish", topic, payload, qos: 1, messageId, retain: false, dup: false }));
  }
  const links = await Promise.all(perLink.map((packets, index) => openLink(load, index, packets)));
  const latencies = new Float64Array(load.messages);
  let acknowledged = 0;
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const push = (link: Link, upTo: number): void => {
      const end = Math.min(link.packets.length, upTo, link.acknowledged + load.window);
      if (end <= link.next) return;
      const now = performance.now();
      link.sentAt.fill(now, link.next, end);
      link.socket.write(Buffer.concat(link.packets.slice(link.next, end)));
      link.next = end;
    };
    const due = (link: Link): number =>
      load.perSecond === undefined
        ? link.packets.length
        : Math.ceil((((performance.now() - start) / 1_000) * load.perSecond) / links.length);
    for (const link of links) {
      let bytes = 0;
      link.socket.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        const now = performance.now();
        const upTo = Math.floor(bytes / 4);
        for (; link.acknowledged < upTo; link.acknowledged += 1)
          latencies[acknowledged++] = now - (link.sentAt[link.acknowledged] ?? now);
        if (acknowledged >= load.messages) resolve();
        else if (load.perSecond === undefined) push(link, due(link));
      });
      link.socket.on("close", () => reject(new Error(`cut off after ${acknowledged} messages`)));
      link.socket.on("error", reject);
      push(link, due(link));
    }
    if (load.perSecond !== undefined) {
      const pace = setInterval(() => {
        for (const link of links) push(link, due(link));
        if (acknowledged >= load.messages) clearInterval(pace);
      }, 2);
    }
  });
  const seconds = (performance.now() - start) / 1_000;
  for (const { socket } of links) {
    socket.removeAllListeners("close");
    socket.destroy();
  }
  const sorted = latencies.subarray(0, acknowledged).sort();
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { acknowledged, seconds, perSecond: acknowledged / seconds, p50: at(0.5), p99: at(0.99) };
}
