import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Aedes } from "aedes";

/** One publication as the broker took it. */
export interface Received {
  topic: string;
  payload: string;
  clientId: string;
  qos: number;
}

/** A real broker that remembers what it was sent. */
export interface TestBroker {
  url: string;
  received: Received[];
  /** Most connections that were open at once. */
  readonly mostConnections: number;
  /** Connections made so far. */
  readonly connects: number;
  /** Cuts all connections without a word. */
  cut(): void;
  stop(): Promise<void>;
}

/** Options of {@link startTestBroker}. */
export interface TestBrokerOptions {
  /** Who may come in; everyone unless told. */
  mayEnter?: (user: string | undefined, password: string | undefined) => boolean;
  /** Asked for each publication in order; false: it is neither acknowledged nor kept, and its connection is cut. */
  takes?: (count: number) => boolean;
}

/** Starts aedes on a free port of loopback. */
export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let mostConnections = 0;
  let connects = 0;
  let asked = 0;
  const aedes = await Aedes.createBroker({
    authenticate(_client, user, password, done) {
      if (options.mayEnter?.(user, password?.toString()) ?? true) return done(null, true);
      done(null, false);
    },
    authorizePublish(client, packet, done) {
      asked += 1;
      if (options.takes && !options.takes(asked)) return done(new Error("not now"));
      received.push({
        topic: packet.topic,
        payload: packet.payload.toString(),
        clientId: client?.id ?? "",
        qos: packet.qos,
      });
      done(null);
    },
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    connects += 1;
    mostConnections = Math.max(mostConnections, sockets.size);
    socket.on("close", () => sockets.delete(socket));
    aedes.handle(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    get mostConnections() {
      return mostConnections;
    },
    get connects() {
      return connects;
    },
    cut,
    async stop() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
      await new Promise<void>((resolve) => {
        aedes.close(() => resolve());
      });
    },
  };
}
