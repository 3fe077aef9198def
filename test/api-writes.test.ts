import { gzipSync } from "node:zlib";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { formats, ObiegError } from "../devices/index.js";
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
  expect((await write("x".repeat(4_200_000))).statusCode).toBe(413);
  const broken = await write(line, { headers });
  expect([broken.statusCode, problemIn(broken).code]).toEqual([400, "body-broken"]);
  expect((await write(line, { headers: { "content-encoding": "br" } })).statusCode).toBe(415);
  expect((await write("")).statusCode).toBe(400);
  expect((await write(line, { url: "/api/v2/write?precision=fortnight" })).statusCode).toBe(400);
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

const texts = (): string[] => server.view.published.map(({ payload }) => Buffer.from(payload).toString());
/** As many fields a line as Telegraf's `mem` has. */
const wide = (n: number): string =>
  `mem,device=bin-1 fill_percent=${n % 100},${Array.from({ length: 34 }, (_, at) => `field_${at}=${23_425_478_656 + at}i`).join(",")} ${1_795_428_000 + n}`;

test("a batch as large as Telegraf's goes into as many messages as it needs, every line whole and in order", async () => {
  const lines = Array.from({ length: 1_000 }, (_, n) => wide(n));
  const packed = gzipSync(lines.join("\n"));
  expect((await write(packed, { headers: { "content-encoding": "gzip" } })).statusCode).toBe(204);
  expect(texts().flatMap((text) => text.split("\n"))).toEqual(lines);
  expect(texts().length).toBeGreaterThan(3);
  for (const text of texts()) {
    expect(text.length).toBeLessThanOrEqual(262_144);
    expect(text.split("\n").length * 35).toBeLessThanOrEqual(5_000);
  }
  server.view.published.length = 0;
  expect((await write(`${line}\n`.repeat(5_001))).statusCode).toBe(204);
  expect(texts().map((text) => text.split("\n").filter((one) => one !== "").length)).toEqual([5_000, 1]);
});

test("in a batch of several messages a bad line costs itself, and is told by its number", async () => {
  const lines = Array.from({ length: 300 }, (_, n) => wide(n));
  lines[250] = "mem,device=bin-1";
  const answer = await write(lines.join("\n"));
  expect([answer.statusCode, answer.json()]).toMatchObject([400, { code: "invalid", line: 251 }]);
  expect(texts().flatMap((text) => text.split("\n"))).toEqual(lines);
  const long = await write(`${line}\nmem,device=bin-1 text="${"ż".repeat(140_000)}"\n${line}`);
  expect([long.statusCode, long.json()]).toMatchObject([400, { line: 2 }]);
  expect(long.json<{ message: string }>().message).toMatch(
    /^partial write: unable to parse 'mem,device=bin-1 text="ż+.*a line has at most 262144 bytes dropped=0$/s,
  );
  expect(texts().slice(-2)).toEqual([line, line]);
});

test("of a batch of several messages none is taken when a line of the last is another's", async () => {
  const token = await publisher("bin-*");
  const lines = Array.from({ length: 300 }, (_, n) => wide(n));
  expect((await write(lines.join("\n"), { token })).statusCode).toBe(204);
  server.view.published.length = 0;
  lines.push("m,device=em-1 power_w=1");
  expect((await write(lines.join("\n"), { token })).statusCode).toBe(403);
  expect(server.view.published).toEqual([]);
});

test("what is refused is told as InfluxDB's clients read it: message, and error", async () => {
  for (const url of ["/write?db=telegraf", "/api/v2/write?bucket=any&org=any"]) {
    const refused: [LightMyRequestResponse, number][] = [
      [await write(line, { url, token: "wrong" }), 401],
      [await write(line, { url, token: server.tokens.viewer }), 403],
      [await write(line, { url, headers: { "content-encoding": "gzip" } }), 400],
      [await write("x".repeat(4_200_000), { url }), 413],
    ];
    server.view.publishFault = new ObiegError("journal-full", "full", { retryable: true });
    refused.push([await write(line, { url }), 503]);
    for (const [answer, status] of refused) {
      const { detail } = problemIn(answer);
      expect([answer.statusCode, answer.json()]).toMatchObject([status, { message: detail, error: detail }]);
      expect(detail).not.toBe("");
    }
    expect(refused.at(-1)?.[0].headers["retry-after"]).toBe("1");
  }
});

test("who writes too often is told to wait so that neither version's client drops what it has", async () => {
  await server.close();
  server = await startFakeServer({ limits: { callsPerMinute: 1 } });
  expect((await write(line)).statusCode).toBe(204);
  for (const [url, status] of [
    ["/write?db=telegraf", 503],
    ["/api/v2/write?bucket=any&org=any", 429],
  ] as const) {
    const answer = await write(line, { url });
    expect([answer.statusCode, problemIn(answer).code]).toEqual([status, "too-many-calls"]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  }
});

test("what InfluxDB's clients ask before they write is answered", async () => {
  for (const method of ["GET", "HEAD"] as const) {
    const ping = await server.app.inject({ method, url: "/ping" });
    expect([ping.statusCode, ping.body, ping.headers["x-influxdb-version"]]).toEqual([204, "", "0"]);
    expect((await server.app.inject({ method, url: "/health" })).statusCode).toBe(200);
    // InfluxDB's Python clients 5.3.2 and 1.50.0 send their token here too.
    for (const authorization of [`Token ${server.tokens.operator}`, basic("any", server.tokens.operator)])
      for (const [url, status] of [
        ["/ping", 204],
        ["/health", 200],
      ] as const)
        expect((await server.app.inject({ method, url, headers: { authorization } })).statusCode).toBe(
          status,
        );
  }
  expect((await server.app.inject("/health")).json()).toMatchObject({ name: "obieg", status: "pass" });
  server.view.readiness = { ready: false, reasons: [{ code: "journal-full", message: "full" }] };
  const failing = await server.app.inject("/health");
  expect([failing.statusCode, failing.json()]).toMatchObject([503, { status: "fail", message: "full" }]);
  const query = (q: string, token: string): Promise<LightMyRequestResponse> =>
    server.app.inject({
      method: "POST",
      url: "/query",
      headers: {
        authorization: basic("any", token),
        "content-type": "application/x-www-form-urlencoded",
      },
      payload: new URLSearchParams({ q }).toString(),
    });
  const { operator } = server.tokens;
  const create = await query('CREATE DATABASE "telegraf"', operator);
  expect([create.statusCode, create.json()]).toEqual([200, { results: [{ statement_id: 0 }] }]);
  expect((await query("SHOW DATABASES", operator)).json()).toMatchObject({
    results: [{ series: [{ name: "databases", values: [["obieg"]] }] }],
  });
  const select = await query("SELECT * FROM mem", operator);
  expect([select.statusCode, select.json<{ error: string }>().error]).toEqual([
    400,
    expect.stringContaining("/api/v1/readings"),
  ]);
  expect((await query('CREATE DATABASE "telegraf"', "wrong")).statusCode).toBe(401);
  const read = await server.app.inject({
    url: "/query?q=SHOW%20DATABASES&db=x",
    headers: { authorization: `Token ${operator}` },
  });
  expect(read.statusCode).toBe(200);
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

test("lines at which the decoder fails are kept and told; of who writes for few devices they are refused, as nobody can tell whose they are", async () => {
  const format = formats.get("influx");
  if (!format) throw new Error("there is no such format");
  const parse = vi.spyOn(format, "parse").mockImplementation(() => {
    throw new RangeError("Maximum call stack size exceeded");
  });
  try {
    const answer = await write(line);
    expect([answer.statusCode, answer.json().message]).toEqual([
      400,
      expect.stringContaining("influx 1 failed"),
    ]);
    expect(server.view.published.map(({ payload }) => payload.toString())).toEqual([line]);
    const few = await write(line, { token: await publisher("bin-*") });
    expect([few.statusCode, problemIn(few).code]).toEqual([403, "role-too-low"]);
    expect(server.view.published).toHaveLength(1);
  } finally {
    parse.mockRestore();
  }
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
