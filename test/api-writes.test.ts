import { gzipSync } from "node:zlib";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ObiegError } from "../devices/index.js";
import { type FakeServer, problemIn, startFakeServer } from "./support/fake-server.js";

const line = "bins,device=bin-1 fill_percent=43.2 1795428000";
let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

const write = (
  payload: string | Buffer,
  more: { url?: string; headers?: Record<string, string>; token?: string } = {},
): Promise<LightMyRequestResponse> =>
  server.app.inject({
    method: "POST",
    url: more.url ?? "/api/v2/write?org=o&bucket=b&precision=s",
    payload,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      authorization: `Token ${more.token ?? server.tokens.operator}`,
      ...more.headers,
    },
  });
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const publisher = async (...publishesFor: string[]): Promise<string> =>
  (await server.users.tokens.create({ name: "gw", role: "public", publishesFor }, "test")).token;

test("lines are taken as InfluxDB 2 and 1 take them: 204 without a body, once in the journal as they came", async () => {
  const answer = await write(line);
  expect([answer.statusCode, answer.body]).toEqual([204, ""]);
  for (const [precision, unit] of Object.entries({ n: "ns", u: "us", us: "us", ms: "ms", m: "m", h: "h" }))
    expect([
      precision,
      (await write(line, { url: `/write?db=x&precision=${precision}` })).statusCode,
      server.view.published.at(-1)?.topic,
    ]).toEqual([precision, 204, `influx/${unit}`]);
  expect((await write(line, { url: "/write?db=x" })).statusCode).toBe(204);
  expect(server.view.published.at(-1)?.topic).toBe("influx/ns");
  expect(server.view.published[0]).toEqual({
    topic: "influx/s",
    payload: Buffer.from(line),
    user: "for-operator",
    receivedMs: server.clock.ms,
  });
});

test("a packed body is unpacked, within its bound; what isn't packed and other packings are refused", async () => {
  const headers = { "content-encoding": "gzip" };
  expect((await write(gzipSync(line), { headers })).statusCode).toBe(204);
  expect(server.view.published[0]?.payload).toEqual(Buffer.from(line));
  const bomb = await write(gzipSync(Buffer.alloc(50_000_000, "#")), { headers });
  expect([bomb.statusCode, problemIn(bomb).code]).toEqual([413, "body-too-large"]);
  expect((await write("x".repeat(300_000))).statusCode).toBe(413);
  const broken = await write(line, { headers });
  expect([broken.statusCode, problemIn(broken).code]).toEqual([400, "body-broken"]);
  expect((await write(line, { headers: { "content-encoding": "br" } })).statusCode).toBe(415);
  expect((await write("")).statusCode).toBe(400);
  expect((await write(line, { url: "/api/v2/write?precision=fortnight" })).statusCode).toBe(400);
  expect((await write(`${line}\n`.repeat(5_001))).statusCode).toBe(413);
  expect(server.view.published).toHaveLength(1);
});

test("a bad line is named in a partial write's answer, and the whole body is in the journal", async () => {
  const body = `${line}\nbins,device=bin-1\n${line}\ngarbage\n`;
  const answer = await write(body);
  const message = `partial write: unable to parse 'bins,device=bin-1': missing fields
unable to parse 'garbage': missing fields dropped=0`;
  expect([answer.statusCode, answer.json()]).toEqual([
    400,
    {
      code: "invalid",
      line: 2,
      message,
      error: message,
    },
  ]);
  expect(server.view.published.map(({ payload }) => Buffer.from(payload).toString())).toEqual([body]);
});

test("nothing is answered before the journal has it, and a journal that takes none is told", async () => {
  let durable = (): void => undefined;
  const publish = server.view.publish.bind(server.view);
  server.view.publish = async (message) => {
    await new Promise<void>((resolve) => (durable = resolve));
    return publish(message);
  };
  let answered = false;
  const answer = write(line).then(({ statusCode }) => {
    answered = true;
    return statusCode;
  });
  await expect.poll(() => durable.name).toBe("");
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);
  durable();
  expect(await answer).toBe(204);
  server.view.publish = publish;
  server.view.publishFault = new ObiegError("journal-full", "full", { retryable: true });
  expect((await write(line)).statusCode).toBe(503);
});

test("a token comes as Token, Bearer or the password of Basic, here and nowhere else", async () => {
  const { operator, viewer } = server.tokens;
  for (const authorization of [`Token ${operator}`, `Bearer ${operator}`, basic("any", operator)]) {
    expect((await write(line, { headers: { authorization } })).statusCode).toBe(204);
    const airrohr = {
      method: "POST",
      url: "/api/v1/airrohr",
      headers: { authorization },
      payload: { esp8266id: "1", sensordatavalues: [] },
    } as const;
    expect((await server.app.inject(airrohr)).statusCode).toBe(202);
    const other = await server.app.inject({ url: "/api/v1/devices", headers: { authorization } });
    expect(other.statusCode).toBe(authorization.startsWith("Bearer") ? 200 : 401);
  }
  for (const authorization of [
    "Token x",
    "Token",
    "Basic",
    basic("any", "x"),
    basic("any", ""),
    `Digest ${operator}`,
    `Token ${operator}x`,
  ])
    expect([authorization, (await write(line, { headers: { authorization } })).statusCode]).toEqual([
      authorization,
      401,
    ]);
  expect((await write(line, { token: viewer })).statusCode).toBe(403);
});

test("a token of few devices writes for these alone: one line of another refuses the body", async () => {
  const token = await publisher("bin-*");
  expect((await write(line, { token })).statusCode).toBe(204);
  for (const foreign of [`${line}\nm,device=em-1 power_w=1`, "m,device=em-1 power_w=1"]) {
    const answer = await write(foreign, { token });
    expect([answer.statusCode, problemIn(answer).code]).toEqual([403, "role-too-low"]);
  }
  const sensor = (esp8266id: string): Promise<LightMyRequestResponse> =>
    server.app.inject({
      method: "POST",
      url: "/api/v1/airrohr",
      headers: { authorization: `Bearer ${token}`, "x-sensor": "bin-1" },
      payload: { esp8266id, sensordatavalues: [] },
    });
  expect((await sensor("7")).statusCode).toBe(403);
  expect((await sensor("")).statusCode).toBe(202);
  expect(server.view.published.map(({ topic }) => topic)).toEqual(["influx/s", "airrohr/bin-1"]);
});

test("a header that can't be a topic's level isn't made one", async () => {
  for (const sensor of ["a/b", "#", "+", "", "x".repeat(200), "\u0001"]) {
    const answer = await server.app.inject({
      method: "POST",
      url: "/api/v1/airrohr",
      headers: { authorization: `Bearer ${server.tokens.admin}`, "x-sensor": sensor },
      payload: { esp8266id: "1", sensordatavalues: [] },
    });
    expect([sensor, answer.statusCode, server.view.published.at(-1)?.topic]).toEqual([
      sensor,
      202,
      "airrohr/http",
    ]);
  }
});
