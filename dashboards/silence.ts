import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Hangs up on connections on which nothing moved for the server's `timeout`, unless the silence is the service's own: the request
 * is there to its end, the answer isn't, and nothing of it waits to be read. So a backup or a long query may take its time, and
 * who sends a request by drops, asks nothing, or doesn't read is cut.
 */
export function hangUpOnSilence(server: Server): void {
  const turns = new WeakMap<Socket, { request: IncomingMessage; response: ServerResponse }>();
  server.on("request", (request: IncomingMessage, response: ServerResponse) =>
    turns.set(request.socket, { request, response }),
  );
  // What is written later winds the socket's clock up again.
  server.on("timeout", (socket: Socket) => {
    const turn = turns.get(socket);
    const isAnswering =
      turn?.request.complete === true && !turn.response.writableEnded && turn.response.writableLength === 0;
    if (!isAnswering) socket.destroy();
  });
}
