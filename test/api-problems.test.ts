import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startServer } from "../dashboards/server.js";
import { ObiegError } from "../devices/index.js";
import {
  type Asked,
  askAsAdmin,
  type FakeServer,
  problemIn,
  startFakeServer,
} from "./support/fake-server.js";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

/** Serves the same view on a port of its own. */
const serve = (port = 0): ReturnType<typeof startServer> =>
  startServer({
    host: "127.0.0.1",
    port,
    view: server.view,
    users: server.users,
    log: server.app.log,
    clock: () => server.clock.ms,
  });

const ask = (asked: Asked): Promise<LightMyRequestResponse> => askAsAdmin(server, asked);

test("every fault of a request is named at once", async () => {
  const answer = await ask({ url: "/api/v1/readings?limit=x&from=yesterday&to=tomorrow" });
  expect(problemIn(answer).faults?.map(({ path }) => path)).toEqual([
    "/query/limit",
    "/query/from",
    "/query/to",
  ]);
});

test("a full journal is told as 503 with the time to wait", async () => {
  server.view.publishFault = new ObiegError("journal-full", "no room", {
    retryable: true,
    retryAfterMs: 4_500,
  });
  const answer = await ask({ method: "POST", url: "/api/v1/readings/bin-1", payload: { fill_percent: 1 } });
  expect(problemIn(answer)).toMatchObject({ status: 503, code: "journal-full", detail: "no room" });
  expect(answer.headers["retry-after"]).toBe("5");
});

test("what went wrong inside is logged, and not told", async () => {
  server.view.publishFault = new Error("secret of the house");
  const answer = await ask({ method: "POST", url: "/api/v1/readings/bin-1", payload: { fill_percent: 1 } });
  expect(problemIn(answer)).toMatchObject({ status: 500, code: "internal" });
  expect(answer.body).not.toContain("secret of the house");
  expect(server.logged.join("")).toContain("secret of the house");
});

test("an answer that breaks its description doesn't leave", async () => {
  server.view.stored.push({ ...server.view.stored[0], value: "x" } as never);
  const answer = await ask({ url: "/api/v1/readings" });
  expect(problemIn(answer)).toMatchObject({ status: 500, code: "response-invalid" });
});

test("a resolved alert can't be acknowledged", async () => {
  Object.assign(server.view.alertList[0] ?? {}, { state: "resolved" });
  const answer = await ask({ method: "POST", url: "/api/v1/alerts/a1/acknowledge", payload: {} });
  expect(problemIn(answer)).toMatchObject({ status: 409, code: "alert-resolved" });
});

test("an address that calls too often is told to wait", async () => {
  const few = await startFakeServer({ limits: { callsPerMinute: 3 } });
  const call = (): Promise<LightMyRequestResponse> => few.app.inject({ url: "/api/v1/session" });
  expect([(await call()).statusCode, (await call()).statusCode, (await call()).statusCode]).toEqual([
    204, 204, 204,
  ]);
  const refused = await call();
  expect(problemIn(refused)).toMatchObject({ status: 429, code: "too-many-calls" });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  for (const url of ["/healthz", "/readyz", "/metrics"])
    expect([url, (await few.app.inject({ url })).statusCode]).toEqual([url, 200]);
  await few.close();
});

test("not ready is 503 with the reasons", async () => {
  server.view.readiness = { ready: false, reasons: [{ code: "journal-full", message: "no room" }] };
  const answer = await server.app.inject({ url: "/readyz" });
  expect([answer.statusCode, answer.json()]).toEqual([503, server.view.readiness]);
});

test("a request that isn't HTTP, and one that never ends its head, cost the others nothing", async () => {
  const running = await serve();
  const status = await new Promise<number>((resolve, reject) => {
    const long = httpRequest(`${running.address}/healthz`, { headers: { "x-long": "a".repeat(20_000) } });
    long.on("response", (response) => resolve(response.statusCode ?? 0)).on("error", reject);
    long.end();
  });
  expect(status).toBe(431);
  expect((await fetch(`${running.address}/healthz`)).status).toBe(200);
  await running.close();
});

test("a stop hangs up on connections on which nothing was asked yet, as browsers open them ahead", async () => {
  const running = await serve();
  const ahead = connect({ host: "127.0.0.1", port: running.port });
  await once(ahead, "connect");
  expect((await fetch(`${running.address}/healthz`)).status).toBe(200);
  const hungUp = once(ahead.resume(), "close");
  await running.close();
  expect(await hungUp).toEqual([false]);
}, 10_000);

test("a port in use is refused with a code", async () => {
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  const second = serve(port);
  await expect(second).rejects.toMatchObject({ code: "http-port-unavailable" });
});
