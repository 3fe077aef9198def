import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connectAsync } from "mqtt";
import { generate, type Packet } from "mqtt-packet";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { metric, openProbe, type Probe, probeCredential, refusals, residentMb } from "./support/probe.js";

const secret = "the secret of the crowd";
const city = testCity({
  credentials: [
    `{ user: crowd, secret: "${secret}", publishesFor: ["bin-*"], publish: ["crowd/#"], subscribe: ["crowd/#"] }`,
    probeCredential,
  ],
});
const probeConnections = 3;
const descriptorLimit = Number(/open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);

const dir = makeFolder();
let obieg: Obieg;
let probe: Probe;
let sockets: Socket[] = [];
beforeAll(async () => {
  const config = "limits: { connections: 8000, connectionsPerAddress: 7000 }";
  obieg = await startObieg({ dir, city, config, env: secrets, logLevel: "error" });
  probe = await openProbe(obieg);
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(dir);
});

const connectOf = (clientId: string, password = secret): Packet => ({
  cmd: "connect",
  protocolId: "MQTT",
  protocolVersion: 4,
  clean: true,
  clientId,
  keepalive: 0,
  username: "crowd",
  password: Buffer.from(password),
});
/** Opens a raw connection; what comes back is counted by `bytesRead`. */
async function open(localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port: obieg.mqttPort, host: "127.0.0.1", localAddress, noDelay: true });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}
const answered = (socket: Socket, bytes: number): Promise<unknown> =>
  until(
    async () => socket.bytesRead,
    (count) => count >= bytes,
    30_000,
  );
/** Waits until the probe has been served some more, and everybody else has gone. */
async function served(): Promise<void> {
  const from = probe.sent();
  await until(
    async () => probe.sent(),
    (sent) => sent >= from + 8,
  );
}
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await until(
    async () => metric(obieg, "obieg_connections"),
    (count) => count <= probeConnections,
  );
});

test("subscribers that never read are closed and counted, and nobody waits for them", async () => {
  const before = residentMb(obieg);
  const reader = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "crowd",
    password: secret,
    reconnectPeriod: 0,
  });
  let heard = 0;
  reader.on("message", () => (heard += 1));
  await reader.subscribeAsync("crowd/loud", { qos: 0 });
  const deaf = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      const socket = await open();
      socket.write(generate(connectOf(`deaf-${n}`)));
      socket.write(
        generate({
          cmd: "subscribe",
          messageId: 1,
          subscriptions: [{ topic: "crowd/loud", qos: 0 }],
        }),
      );
      socket.resume();
      await answered(socket, 9);
      socket.pause();
      return socket;
    }),
  );
  const payload = Buffer.alloc(4_096, "x");
  let sent = 0;
  await until(
    async () => {
      await Promise.all(
        Array.from({ length: 100 }, () => reader.publishAsync("crowd/loud", payload, { qos: 1 })),
      );
      sent += 100;
      return (await refusals(obieg))["outgoing-bytes"] ?? 0;
    },
    (count) => count >= deaf.length,
    25_000,
  );
  await until(
    async () => heard,
    (count) => count === sent,
  );
  await served();
  expect((await refusals(obieg))["outgoing-bytes"]).toBe(deaf.length);
  expect(residentMb(obieg) - before).toBeLessThan(250);
  await reader.endAsync();
});

test("who sends bytes one by one and never a whole packet is closed and counted, and others are served", async () => {
  const before = residentMb(obieg);
  const slow = await Promise.all(Array.from({ length: 300 }, () => open("127.0.0.3")));
  for (const socket of slow) socket.write(Buffer.from([0x10, 0x7f]));
  const drip = setInterval(() => {
    for (const socket of slow) if (!socket.destroyed) socket.write(Buffer.alloc(1));
  }, 1_000);
  // A packet of which the last byte never comes, after CONNECT: a hundred of them are more than all may hold together.
  const half = Buffer.alloc(200_000);
  half.set([0x32, 0xc0, 0x9a, 0x0c]);
  for (let n = 0; n < 100; n += 1) {
    const socket = await open();
    socket.resume();
    socket.write(generate(connectOf(`half-${n}`)));
    socket.write(half);
  }
  await until(
    () => refusals(obieg),
    (refused) => (refused["partial-bytes"] ?? 0) > 10,
  );
  await served();
  expect(residentMb(obieg) - before).toBeLessThan(150);
  await until(
    async () => slow.filter((socket) => !socket.closed).length,
    (left) => left === 0,
    25_000,
  );
  clearInterval(drip);
  await served();
});

test("a storm of connections, good and with wrong secrets, is answered to the last, and others are served", async () => {
  const wrong = Array.from({ length: 1_000 }, async (_, n) => {
    const socket = await open("127.0.0.2");
    socket.resume();
    const closed = once(socket, "close");
    socket.write(generate(connectOf(`wrong-${n}`, "wrong")));
    await closed;
    expect(socket.bytesRead).toBe(4);
  });
  const good = Array.from({ length: 1_000 }, async (_, n) => {
    const socket = await open();
    socket.resume();
    socket.write(generate(connectOf(`good-${n}`)));
    socket.write(
      generate({
        cmd: "publish",
        topic: "readings/bin-1",
        payload: "{}",
        qos: 1,
        messageId: 1,
        dup: false,
        retain: false,
      }),
    );
    await answered(socket, 8);
  });
  await Promise.all([...wrong, ...good]);
  await served();
  const refused = await until(
    () => refusals(obieg),
    (counts) => (counts["wrong-secret"] ?? 0) + (counts["too-many-failures"] ?? 0) === wrong.length,
  );
  expect(refused["too-many-failures"]).toBeGreaterThan(800);
});

test("5,000 idle connections stay open in bounded memory, and others are served", async () => {
  const count = Math.min(5_000, descriptorLimit - 1_000);
  expect(count).toBeGreaterThan(500);
  const before = residentMb(obieg);
  for (let n = 0; n < count; n += 200)
    await Promise.all(
      Array.from({ length: Math.min(200, count - n) }, async (_, m) => {
        const socket = await open();
        socket.resume();
        socket.write(generate(connectOf(`idle-${n + m}`)));
        await answered(socket, 4);
      }),
    );
  await until(
    async () => metric(obieg, "obieg_connections"),
    (open_) => open_ === count + probeConnections,
  );
  await served();
  expect(residentMb(obieg) - before).toBeLessThan(200);
  expect(sockets.filter((socket) => socket.closed)).toEqual([]);
  const { sent } = await probe.stop();
  expect(sent).toBeGreaterThan(30);
});
