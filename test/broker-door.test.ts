import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ObiegError } from "../devices/index.js";
import { connectPacket, type FrontDoor, openFrontDoor, users } from "./support/front-door.js";
import { until } from "./support/obieg.js";

let dir: string;
let doors: FrontDoor[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
});
afterEach(async () => {
  await Promise.all(doors.map(({ broker }) => broker.close()));
  doors = [];
  rmSync(dir, { recursive: true, force: true });
});
const open = async (options: Parameters<typeof openFrontDoor>[0] = {}): Promise<FrontDoor> => {
  const door = await openFrontDoor(options);
  doors.push(door);
  return door;
};

/** True when a message is acknowledged, false when the connection ends instead; the client goes. */
const maySend = async (client: MqttClient, topic: string): Promise<boolean> => {
  client.on("error", () => undefined);
  const closed = new Promise<false>((resolve) => client.once("close", () => resolve(false)));
  const sent = client.publishAsync(topic, "x", { qos: 1 }).then(
    () => true,
    () => false,
  );
  const result = await Promise.race([sent, closed]);
  client.end(true);
  return result;
};

test("a PUBACK leaves only after admission", async () => {
  const waiting: (() => void)[] = [];
  const door = await open({ admit: (_message, done) => void waiting.push(() => done()) });
  const client = await door.connect("bin-1");
  let acknowledged = false;
  const publishing = client
    .publishAsync("readings/bin-1", "{}", { qos: 1 })
    .then(() => (acknowledged = true));
  await until(
    async () => waiting.length,
    (count) => count === 1,
  );
  await client.subscribeAsync("rejections/bin-1");
  expect(acknowledged).toBe(false);
  waiting[0]?.();
  await publishing;
  await client.endAsync();
});

test("what can't be admitted has no PUBACK, and its connection is closed with a counted reason", async () => {
  const door = await open({
    admit: (_message, done) => done(new ObiegError("journal-full", "no room", { retryable: true })),
  });
  const raw = await door.socket();
  raw.send(connectPacket("bin-1"), {
    cmd: "publish",
    topic: "readings/bin-1",
    payload: "{}",
    qos: 1,
    messageId: 5,
    retain: false,
    dup: false,
  });
  await raw.closed;
  expect(raw.received().toString("hex")).toBe("20020000");
  expect(door.refused()).toMatchObject({ "journal-full": 1 });
});

test("a device publishes and hears only what is its own, a gateway what it lists, an application its filters", async () => {
  const door = await open();
  const may = async (user: string, topic: string): Promise<boolean> =>
    maySend(await door.connect(user), topic);
  const asked: [string, string, boolean][] = [
    ["bin-1", "readings/bin-1", true],
    ["bin-1", "readings/bin-2", false],
    ["bin-1", "alerts/x", false],
    ["gw-1", "readings/bin-77", true],
    ["gw-1", "readings/em-1", false],
    ["gw-1", "$SYS/x", false],
    ["tools", "tools/a/b", true],
    ["tools", "readings/bin-1", false],
    ["tools", "rejections/bin-1", false],
  ];
  for (const [user, topic, allowed] of asked)
    expect([user, topic, await may(user, topic)]).toEqual([user, topic, allowed]);
  const grants = async (user: string, filters: string[]): Promise<number[]> => {
    const client = await door.connect(user);
    const granted = await client
      .subscribeAsync(filters, { qos: 1 })
      .catch((error: { packet?: { granted: number[] } }) => error.packet?.granted ?? []);
    client.end(true);
    return granted.map((one) => (typeof one === "number" ? one : one.qos));
  };
  expect(await grants("bin-1", ["rejections/bin-1"])).toEqual([1]);
  for (const filter of ["#", "+/+", "readings/#", "rejections/+", "rejections/bin-2", "$SYS/#"])
    expect(await grants("bin-1", [filter])).toEqual([128]);
  expect(await grants("tools", ["alerts/+/x"])).toEqual([1]);
  expect(await grants("tools", ["+/x"])).toEqual([128]);
});

test("who has no name is let in where that is wanted alone, and publishes readings and nothing else", async () => {
  const door = await open({ anonymous: true });
  const may = async (topic: string): Promise<boolean> =>
    maySend(await connectAsync(`mqtt://127.0.0.1:${door.port}`, { reconnectPeriod: 0 }), topic);
  const topics = ["readings/bin-1", "alerts/x", "tele/plug/SENSOR", "homeassistant/status", "latest/bin-1"];
  expect(await Promise.all(topics.map(may))).toEqual([true, false, false, false, false]);
  expect(door.admitted.map(({ topic, user }) => [topic, user])).toEqual([["readings/bin-1", "anonymous"]]);
  const other = await open();
  await expect(
    connectAsync(`mqtt://127.0.0.1:${other.port}`, { reconnectPeriod: 0, connectTimeout: 2_000 }),
  ).rejects.toThrow(/[Nn]ot authorized/);
  expect(other.refused()).toMatchObject({ anonymous: 1 });
});

test("a will is checked when its client comes in, and admitted when it goes without a word", async () => {
  const door = await open();
  const will = (topic: string): object => ({
    will: { topic, payload: Buffer.from("gone"), qos: 1, retain: false },
  });
  const refused = await door.socket();
  refused.send(connectPacket("bin-1", will("readings/bin-2")));
  await refused.closed;
  expect(refused.received().toString("hex")).toBe("20020005");
  const raw = await door.socket();
  raw.send(connectPacket("bin-1", will("readings/bin-1")));
  await until(
    async () => raw.received().length,
    (length) => length >= 4,
  );
  raw.socket.destroy();
  await until(
    async () => door.admitted,
    (list) => list.some(({ payload }) => Buffer.from(payload).toString() === "gone"),
  );
});

test("too many connections, in total and from one address, are refused and counted; those that are open go on", async () => {
  const door = await open({ limits: { connections: 3, connectionsPerAddress: 2 } });
  const first = await door.connect("bin-1");
  await door.connect("gw-1").then((client) => client);
  const third = await door.socket();
  await third.closed;
  expect(door.refused()).toMatchObject({ "connections-per-address": 1 });
  await first.publishAsync("readings/bin-1", "{}", { qos: 1 });
  await first.endAsync();
});

test("while memory is nearly used up nobody more is let in, and those who are in go on", async () => {
  let tight = false;
  const door = await open({ isTight: () => tight });
  const first = await door.connect("bin-1");
  tight = true;
  const second = await door.socket();
  await second.closed;
  expect(door.refused()).toEqual({ memory: 1 });
  await first.publishAsync("readings/bin-1", "{}", { qos: 1 });
  tight = false;
  const third = await door.connect("gw-1");
  await Promise.all([first.endAsync(), third.endAsync()]);
});

test("who doesn't send CONNECT in time is closed", async () => {
  const door = await open({ limits: { connectTimeoutMs: 100 } });
  const raw = await door.socket();
  raw.send(Buffer.from([0x10]));
  await raw.closed;
  expect(door.refused()).toMatchObject({ "connection-error": 1 });
});

test("a client that publishes too fast is slowed down, and loses nothing", async () => {
  const door = await open({ limits: { messagesPerSecond: 200, messageBurst: 10 } });
  const client = await door.connect("bin-1");
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => client.publishAsync("readings/bin-1", `${n}`, { qos: 1 })),
  );
  expect(door.admitted.map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(
    Array.from({ length: 40 }, (_, n) => n),
  );
  expect(door.broker.counters().slowed).toBeGreaterThan(0);
  await client.endAsync();
});

test("under pressure QoS 0 is let go and counted, QoS 1 isn't", async () => {
  const door = await open({ underPressure: () => true });
  const client = await door.connect("bin-1");
  client.publish("readings/bin-1", "zero", { qos: 0 });
  await client.publishAsync("readings/bin-1", "one", { qos: 1 });
  expect(door.admitted.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["one"]);
  expect(door.broker.counters()).toMatchObject({ shed: 1, acknowledged: 1 });
  await client.endAsync();
});

test("a subscriber that never reads is closed, and the others go on", async () => {
  const door = await open({ limits: { outgoingBytes: 65_536 } });
  const raw = await door.socket();
  raw.send(connectPacket("tools", { clientId: "deaf" }), {
    cmd: "subscribe",
    messageId: 1,
    subscriptions: [{ topic: "tools/#", qos: 0 }],
  } as never);
  await until(
    async () => raw.received().length,
    (length) => length >= 9,
  );
  raw.socket.pause();
  const tools = await door.connect("tools", { clientId: "loud" });
  const payload = Buffer.alloc(200_000, "x");
  await until(
    async () => {
      await tools.publishAsync("tools/a", payload, { qos: 1 });
      return door.refused()["outgoing-bytes"] ?? 0;
    },
    (count) => count === 1,
    30_000,
  );
  await tools.endAsync();
});

test("a secret that was changed ends the connection that came in with the old one", async () => {
  const door = await open();
  const client = await door.connect("bin-1");
  const other = await door.connect("gw-1");
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  door.broker.setCredentials(
    users.map((one) => ({ ...one, hash: one.user === "bin-1" ? "another" : `secret of ${one.user}` })),
  );
  await closed;
  expect(other.connected).toBe(true);
  await expect(door.connect("bin-1")).rejects.toThrow(/[Nn]ot authorized|[Bb]ad user/);
  await other.endAsync();
});

test("a user that there is none of costs and counts what a wrong secret does, and is answered alike", async () => {
  const checked: string[] = [];
  const door = await open({
    limits: { failuresPerMinute: 3 },
    verify: async (secret, hash) => {
      checked.push(hash);
      return secret === hash;
    },
  });
  const come = async (user: string, secret: string): Promise<string> => {
    const raw = await door.socket();
    raw.send(connectPacket(user, { password: Buffer.from(secret) }));
    await raw.closed;
    return raw.received().toString("hex");
  };
  // Not even with the secret of the one that it is checked against.
  for (const [user, secret] of [
    ["nobody", "secret of bin-1"],
    ["bin-1", "wrong"],
    ["nobody", "wrong"],
  ] as const)
    expect(await come(user, secret)).toBe("20020004");
  expect(checked).toHaveLength(3);
  expect(await come("nobody", "wrong")).toBe(await come("bin-1", "wrong"));
  expect(checked).toHaveLength(3);
  expect(door.refused()).toEqual({ "unknown-user": 2, "wrong-secret": 1, "too-many-failures": 2 });
});

test("a secret that is replaced while it is being checked lets nobody in any more", async () => {
  let release = (): void => undefined;
  const door = await open({
    verify: async (secret, hash) => {
      await new Promise<void>((resolve) => (release = resolve));
      return secret === hash;
    },
  });
  const raw = await door.socket();
  raw.send(connectPacket("bin-1"));
  const isWaiting = release;
  await until(
    async () => release !== isWaiting,
    (waits) => waits,
  );
  door.broker.setCredentials(users.map((one) => ({ ...one, hash: `new secret of ${one.user}` })));
  release();
  await raw.closed;
  expect(raw.received().toString("hex")).toBe("20020004");
});

test("TLS and WebSocket lead through the same door", async () => {
  const files = { key: join(dir, "key.pem"), cert: join(dir, "cert.pem") };
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      files.key,
      "-out",
      files.cert,
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    ],
    { stdio: "ignore" },
  );
  const cert = readFileSync(files.cert);
  const door = await open({ wsPort: 0, tls: { port: 0, key: readFileSync(files.key), cert } });
  const { ws, tls } = door.broker.addresses;
  const login = { username: "bin-1", password: "secret of bin-1", reconnectPeriod: 0 };
  const overTls = await connectAsync(`mqtts://127.0.0.1:${tls?.port}`, { ...login, ca: cert });
  await overTls.publishAsync("readings/bin-1", "tls", { qos: 1 });
  const overWs = await connectAsync(`ws://127.0.0.1:${ws?.port}`, login);
  await overWs.publishAsync("readings/bin-1", "ws", { qos: 2 });
  expect(door.admitted.map(({ payload, qos }) => `${Buffer.from(payload).toString()} ${qos}`)).toEqual([
    "tls 1",
    "ws 2",
  ]);
  await overTls.endAsync();
  await overWs.endAsync();
});
