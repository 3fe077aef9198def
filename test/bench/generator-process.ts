// The generator, a process of its own: encodes everything first, then publishes with QoS 1 over raw sockets and waits for
// every PUBACK. A window of messages is one slice of one buffer: nothing is built while it runs.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Load, LoadReport } from "./generator.js";
import { connectPacket, encodePackets, type Packets } from "./packets.js";

interface Link extends Packets {
  socket: Socket;
  next: number;
  acknowledged: number;
  received: number;
  sentAt: Float64Array;
}

async function openLink(load: Load, index: number, packets: Packets): Promise<Link> {
  const socket = connect({ port: load.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(connectPacket(`load-${process.pid}-${index}`, load.user, load.password));
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (answer[3] !== 0) throw new Error(`refused with return code ${answer[3]}`);
  return {
    ...packets,
    socket,
    next: 0,
    acknowledged: 0,
    received: 0,
    sentAt: new Float64Array(packets.count),
  };
}

function push(link: Link, upTo: number): void {
  const end = Math.min(link.count, upTo);
  if (end <= link.next) return;
  link.sentAt.fill(performance.now(), link.next, end);
  link.socket.write(link.bytes.subarray(link.offsets[link.next], link.offsets[end]));
  link.next = end;
}

/** Publishes as fast as acknowledgements come, or so many a second; gives the latencies in milliseconds. */
async function publish(load: Load, links: readonly Link[]): Promise<Float64Array> {
  const total = load.workload.messages;
  const latencies = new Float64Array(total);
  let acknowledged = 0;
  const start = performance.now();
  const quarter = load.window >> 2;
  await new Promise<void>((resolve, reject) => {
    const pushDue = (link: Link): void => {
      const due =
        load.perSecond === undefined
          ? link.count
          : Math.ceil((((performance.now() - start) / 1_000) * load.perSecond) / links.length);
      push(link, Math.min(due, link.acknowledged + load.window));
    };
    for (const link of links) {
      link.socket.on("data", (chunk: Buffer) => {
        link.received += chunk.length;
        const now = performance.now();
        const upTo = link.received >> 2;
        for (; link.acknowledged < upTo; link.acknowledged += 1)
          latencies[acknowledged++] = now - (link.sentAt[link.acknowledged] ?? now);
        if (acknowledged >= total) resolve();
        else if (load.perSecond === undefined && link.next - link.acknowledged <= load.window - quarter)
          pushDue(link);
      });
      link.socket.on("close", () => reject(new Error(`cut off after ${acknowledged} messages`)));
      link.socket.on("error", reject);
      pushDue(link);
    }
    if (load.perSecond !== undefined) {
      const pace = setInterval(() => {
        links.forEach(pushDue);
        if (acknowledged >= total) clearInterval(pace);
      }, 2);
    }
  });
  return latencies;
}

async function run(load: Load): Promise<LoadReport> {
  const packets = encodePackets(load.workload, load.connections);
  const links = await Promise.all(packets.map((one, index) => openLink(load, index, one)));
  const cpu = process.cpuUsage();
  const startedMs = performance.timeOrigin + performance.now();
  const latencies = await publish(load, links);
  const endedMs = performance.timeOrigin + performance.now();
  const { user, system } = process.cpuUsage(cpu);
  for (const { socket } of links) {
    socket.removeAllListeners("close");
    socket.destroy();
  }
  latencies.sort();
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return {
    acknowledged: latencies.length,
    startedMs,
    perSecond: (latencies.length / (endedMs - startedMs)) * 1_000,
    p50: at(0.5),
    p99: at(0.99),
    cpuSeconds: (user + system) / 1e6,
  };
}

process.once("message", (load: Load) => {
  run(load).then(
    (report) => process.send?.(report, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
