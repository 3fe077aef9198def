import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { askAsAdmin, type FakeServer, problemIn, startFakeServer } from "./support/fake-server.js";
import { reading } from "./support/fake-view.js";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer({ limits: { exports: 2 } });
});
afterEach(() => server.close());

const get = (url: string, accept = "application/json") =>
  askAsAdmin(server, { url: `/api/v1${url}`, headers: { accept } });

test("exports that nobody reads keep one more waiting until one of them has gone", async () => {
  for (let n = 3; n < 100_000; n += 1) server.view.stored.push(reading(n));
  const address = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const open = async (accept: string): Promise<IncomingMessage> => {
    const headers = { accept, authorization: `Bearer ${server.tokens.viewer}` };
    const asked = httpRequest(`${address}/api/v1/readings`, { headers, agent: false }).end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return answer.on("error", () => undefined);
  };
  const [first, second] = [await open("text/csv"), await open("application/x-ndjson")];
  const refused = await get("/places", "text/csv");
  expect(problemIn(refused)).toMatchObject({ status: 503, code: "too-many-exports" });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  expect((await get("/places")).statusCode).toBe(200);
  first.destroy();
  await expect.poll(async () => (await get("/places", "text/csv")).statusCode).toBe(200);
  // A list that was taken whole, and one that couldn't be begun, leave their places too.
  for (let n = 0; n < 3; n += 1) expect((await get("/places", "text/csv")).statusCode).toBe(200);
  server.view.readingsFaultAtPage = 0;
  for (let n = 0; n < 3; n += 1)
    expect(problemIn(await get("/readings", "text/csv")).code).toBe("history-closed");
  second.destroy();
  await expect.poll(async () => (await get("/places", "text/csv")).statusCode).toBe(200);
});

test("who goes before the first page was read leaves no place taken", async () => {
  const address = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const { history } = server.view;
  const readings = history.readings.bind(history);
  let reading = 0;
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  history.readings = async (query) => {
    reading += 1;
    await held;
    return readings(query);
  };
  const headers = { accept: "text/csv", authorization: `Bearer ${server.tokens.viewer}` };
  const asked = [1, 2].map(() => httpRequest(`${address}/api/v1/readings`, { headers, agent: false }));
  for (const one of asked) one.on("error", () => undefined).end();
  await expect.poll(() => reading).toBe(2);
  for (const one of asked) one.destroy();
  const connections = promisify(server.app.server.getConnections.bind(server.app.server));
  await expect.poll(() => connections()).toBe(0);
  expect((await get("/places", "text/csv")).statusCode).toBe(503);
  goOn();
  await expect.poll(async () => (await get("/places", "text/csv")).statusCode).toBe(200);
});
