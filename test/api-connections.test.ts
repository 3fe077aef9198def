import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { askService } from "../dashboards/client/call.js";
import type { HttpLimits } from "../dashboards/route.js";
import { type FakeServer, startFakeServer } from "./support/fake-server.js";
import { reading } from "./support/fake-view.js";

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

const silenceMs = 100;

/** Lets a backup take a while. */
function slowBackup(takesMs = silenceMs * 8): void {
  server.view.backup = async (dir) => {
    await wait(takesMs);
    return { dir, files: 3, bytes: 1_000 };
  };
}

/** Connects and sends a head and the beginning of a body. */
async function sendSome(port: number, head: string, body: string): Promise<Socket> {
  const socket = await idle(port);
  const lines = [head, "host: obieg", `authorization: Bearer ${server.tokens.admin}`];
  socket.write(`${[...lines, "content-type: application/json"].join("\r\n")}\r\n${body}`);
  return socket;
}

test("an answer that takes longer than a silence is waited for, and the connection goes on after it", async () => {
  const port = await listen({ silenceMs });
  slowBackup();
  const service = { url: `http://127.0.0.1:${port}`, token: server.tokens.admin };
  const call = { method: "POST", body: { dir: "/tmp/copy" } } as const;
  for (let n = 0; n < 2; n += 1)
    expect(await askService(service, "/backup", call).catch(String)).toEqual({
      dir: "/tmp/copy",
      files: 3,
      bytes: 1_000,
    });
});

test("an export whose next page takes longer than a silence comes to its end", async () => {
  const port = await listen({ silenceMs });
  const { history } = server.view;
  const readings = history.readings.bind(history);
  for (let n = 3; n < 15_000; n += 1) server.view.stored.push(reading(n));
  history.readings = async (query) => {
    if (query.cursor !== undefined) await wait(silenceMs * 8);
    return readings(query);
  };
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/readings`, {
    headers: { accept: "application/x-ndjson", authorization: `Bearer ${server.tokens.viewer}` },
  });
  expect((await answer.text().catch(String)).split("\n").length).toBe(15_001);
});

test("who asks nothing, sends by drops, or doesn't read is cut after a silence", async () => {
  const port = await listen({ silenceMs });
  for (let n = 3; n < 100_000; n += 1) server.view.stored.push(reading(n));
  const [mute, cutHead, cutBody] = [
    await idle(port),
    await sendSome(port, "GET /api/v1/places HTTP/1.1", ""),
    await sendSome(port, "POST /api/v1/backup HTTP/1.1", 'content-length: 100\r\n\r\n{"dir":'),
  ];
  const deaf = await sendSome(port, "GET /api/v1/readings HTTP/1.1", "accept: text/csv\r\n\r\n");
  deaf.pause();
  const connections = promisify(server.app.server.getConnections.bind(server.app.server));
  await expect.poll(() => connections(), { timeout: 8_000 }).toBe(0);
  for (const socket of [mute, cutHead, cutBody]) await expect.poll(() => socket.closed).toBe(true);
});

test("the command line waits longer than Node's own client does", async () => {
  const port = await listen({});
  const key = Symbol.for("undici.globalDispatcher.1");
  const dispatchers = globalThis as unknown as Record<
    symbol,
    { constructor: new (options: object) => object }
  >;
  // It is there once something was fetched.
  await fetch(`http://127.0.0.1:${port}/healthz`);
  const usual = dispatchers[key];
  if (!usual) throw new Error("fetch has another dispatcher than it had");
  dispatchers[key] = new usual.constructor({ headersTimeout: silenceMs }) as typeof usual;
  try {
    // Its clock goes by the second.
    slowBackup(3_000);
    const service = { url: `http://127.0.0.1:${port}`, token: server.tokens.admin };
    const call = { method: "POST", body: { dir: "/tmp/copy" } } as const;
    await expect(
      fetch(`${service.url}/api/v1/backup`, {
        method: "POST",
        headers: { authorization: `Bearer ${service.token}`, "content-type": "application/json" },
        body: JSON.stringify(call.body),
      }),
    ).rejects.toThrow();
    expect(await askService(service, "/backup", call).catch(String)).toMatchObject({ dir: "/tmp/copy" });
  } finally {
    dispatchers[key] = usual;
  }
});
