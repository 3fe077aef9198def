import type { Server } from "node:http";
import type { DropArgument, Socket } from "node:net";
import { Counter, Registry } from "prom-client";
import { networkOf } from "../devices/index.js";

/** Who is connected. */
export interface Visitors {
  /** How many connections were refused, as Prometheus text. */
  figures(): Promise<string>;
}

/**
 * Bounds a server's connections, in all and from one address (one network, with IPv6; loopback too); those refused are closed
 * without an answer and counted. Guarantee: no address takes more than half of all.
 */
export function boundConnections(
  server: Server,
  { connections, connectionsPerAddress }: { connections: number; connectionsPerAddress: number },
): Visitors {
  const registry = new Registry();
  const refused = new Counter({
    name: "obieg_http_connections_refused_total",
    help: "HTTP connections refused, by reason (connections)",
    labelNames: ["reason"],
    registers: [registry],
  });
  for (const reason of ["connections", "connections-per-address"]) refused.inc({ reason }, 0);
  const most = Math.min(connectionsPerAddress, Math.ceil(connections / 2));
  const open = new Map<string, number>();

  server.maxConnections = connections;
  server.on("drop", (_dropped?: DropArgument) => refused.inc({ reason: "connections" }));
  server.on("connection", (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? "");
    const here = open.get(network) ?? 0;
    if (here >= most) {
      refused.inc({ reason: "connections-per-address" });
      socket.destroy();
      return;
    }
    open.set(network, here + 1);
    socket.once("close", () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
  });
  return { figures: () => registry.metrics() };
}
