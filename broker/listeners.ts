import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import { ObiegError } from "../devices/index.js";

/** Where a listener can be reached. */
export interface Address {
  host: string;
  port: number;
}

/** A listener that hands each connection on. */
export interface Listener {
  address: Address;
  /** Takes no more connections. */
  close(): Promise<void>;
}

/** Told that a connection couldn't be accepted, and the system's code of why. */
export type AcceptFailed = (code: string) => void;

/** Takes a connection: its stream, and the address it comes from. */
export type Accept = (stream: Duplex, from: string) => void;

const pauseMs = 1_000;
/** Connections that may wait to be accepted: in a storm the system resets what comes beyond (Node's own default is 511). */
const backlog = 4_096;

async function listen(server: Server, host: string, port: number, failed: AcceptFailed): Promise<Listener> {
  server.listen({ port, host, backlog });
  try {
    await once(server, "listening");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ObiegError("mqtt-port-unavailable", `can't listen on ${host}:${port}: ${code || message}`, {
      cause: error,
    });
  }
  const { address, port: taken } = server.address() as AddressInfo;
  // Accepting failed, as no file descriptor is left: those who are in stay; it listens again after a pause, and doesn't spin.
  let again: NodeJS.Timeout | undefined;
  server.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
    failed(code);
    if (again) return;
    server.close();
    again = setTimeout(() => {
      again = undefined;
      server.listen({ port: taken, host, backlog });
    }, pauseMs);
  });
  return {
    address: { host: address, port: taken },
    close: async () => {
      clearTimeout(again);
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** Listens for MQTT over TCP. Throws `mqtt-port-unavailable`. */
export function listenTcp(
  host: string,
  port: number,
  accept: Accept,
  failed: AcceptFailed,
): Promise<Listener> {
  const server = createTcpServer({ noDelay: true }, (socket: Socket) =>
    accept(socket, socket.remoteAddress ?? ""),
  );
  return listen(server, host, port, failed);
}

/** Listens for MQTT over TLS 1.2 or newer. Throws `mqtt-port-unavailable`. */
export function listenTls(
  host: string,
  tls: { port: number; key: Buffer; cert: Buffer },
  handshakeTimeout: number,
  accept: Accept,
  failed: AcceptFailed,
): Promise<Listener> {
  const { key, cert, port } = tls;
  const server = createTlsServer({ key, cert, minVersion: "TLSv1.2", handshakeTimeout }, (socket) =>
    accept(socket, socket.remoteAddress ?? ""),
  );
  return listen(server, host, port, failed);
}

/** Listens for MQTT over WebSocket (sub-protocol `mqtt`). Throws `mqtt-port-unavailable`. */
export async function listenWebSocket(
  host: string,
  port: number,
  maxPayload: number,
  accept: Accept,
  failed: AcceptFailed,
): Promise<Listener> {
  const server = createHttpServer((_request, response) =>
    response.writeHead(426, { upgrade: "websocket" }).end(),
  );
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  const sockets = new WebSocketServer({
    server,
    maxPayload,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has("mqtt") ? "mqtt" : false),
  });
  sockets.on("connection", (socket, request) => {
    const stream = createWebSocketStream(socket);
    accept(stream, request.socket.remoteAddress ?? "");
  });
  sockets.on("error", () => undefined);
  const listener = await listen(server, host, port, failed);
  return {
    address: listener.address,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await listener.close();
    },
  };
}
