import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { HttpLimits } from "../dashboards/route.js";
import { type FakeServer, startFakeServer } from "./support/fake-server.js";

let server: FakeServer;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

async function listen(limits: Partial<HttpLimits>): Promise<number> {
  server = await startFakeServer({ limits });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  return (server.app.server.address() as AddressInfo).port;
}

/** Connects and says nothing. */
async function idle(port: number, localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  sockets.push(socket.on("error", () => undefined).resume());
  await once(socket, "connect");
  return socket;
}

/** Status of `/healthz`, asked on a connection of its own; what went wrong where there is none. */
async function health(port: number, localAddress: string): Promise<number | string | undefined> {
  const asked = httpRequest({ port, host: "127.0.0.1", localAddress, path: "/healthz", agent: false }).end();
  try {
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return answer.resume().statusCode;
  } catch (error) {
    return String(error);
  }
}

const refused = async (reason: string): Promise<number> => {
  const { body } = await server.app.inject({ url: "/metrics" });
  const found = new RegExp(
    String.raw`^obieg_http_connections_refused_total\{reason="${reason}"\} (\d+)$`,
    "m",
  );
  return Number(found.exec(body)?.[1]);
};

test("idle connections from one address leave room for the others; those refused are counted, one that goes makes room", async () => {
  const port = await listen({ connections: 8, connectionsPerAddress: 200 });
  const here: Socket[] = [];
  for (let n = 0; n < 8; n += 1) here.push(await idle(port));
  expect(await health(port, "127.0.0.2")).toBe(200);
  await expect.poll(() => here.filter(({ closed }) => closed).length).toBe(4);
  expect(await refused("connections-per-address")).toBe(4);
  expect(await refused("connections")).toBe(0);

  for (let n = 0; n < 4; n += 1) await idle(port, "127.0.0.2");
  await once(await idle(port, "127.0.0.3"), "close");
  expect(await refused("connections")).toBe(1);

  here.find(({ closed }) => !closed)?.destroy();
  await expect.poll(() => health(port, "127.0.0.1")).toBe(200);
});
