import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** Answers under way at a stop get so long. */
const graceMs = 3_000;

/** Hangs up when a server stops. */
export interface HangUps {
  /** Hangs up on who has asked nothing yet, and after a while on everybody. */
  begin(): void;
  /** The server has stopped. */
  end(): void;
}

/**
 * Watches a server's connections. Node closes those that are idle after an answer; one on which nothing was asked yet (a browser
 * opens some ahead) would hold a stop up until its headers are due.
 */
export function watchConnections(server: Server): HangUps {
  const silent = new Set<Socket>();
  let late: NodeJS.Timeout | undefined;
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage) => silent.delete(socket));
  return {
    begin() {
      for (const socket of silent) socket.destroy();
      late = setTimeout(() => server.closeAllConnections(), graceMs).unref();
    },
    end() {
      clearTimeout(late);
    },
  };
}
