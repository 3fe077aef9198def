import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate, type Packet } from "mqtt-packet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Audience } from "../broker/audience.js";
import { createWebSocketStream, WebSocket } from "ws";
import { connectPacket, type FrontDoor, openFrontDoor, users } from "./support/front-door.js";
import { until } from "./support/obieg.js";

let dir: string;
let door: FrontDoor | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-lane-"));
});
afterEach(async () => {
  await door?.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

const publishPacket = (messageId: number, topic = "tools/a"): Packet => ({
  cmd: "publish",
  topic,
  payload: Buffer.from(String(messageId)),
  qos: 1,
  messageId,
  dup: false,
  retain: false,
});
/** Packet ids of the PUBACKs behind the CONNACK. */
const answered = (bytes: Buffer): number[] => {
  const ids: number[] = [];
  for (let at = 4; at < bytes.length; at += 4) {
    expect(bytes.readUInt16BE(at)).toBe(0x4002);
    ids.push(bytes.readUInt16BE(at + 2));
  }
  return ids;
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

test("every message is admitted and acknowledged in order, cut into packets wherever", async () => {
  door = await openFrontDoor({ dir });
  const raw = await door.socket();
  raw.send(connectPacket("tools"));
  await until(
    async () => raw.received().length,
    (length) => length === 4,
  );
  const bytes = Buffer.concat(upTo(3_000).map((id) => generate(publishPacket(id))));
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 9_001)
    raw.send(bytes.subarray(at, at + step));
  await until(
    async () => raw.received().length,
    (length) => length === 4 + 3_000 * 4,
  );
  expect(answered(raw.received())).toEqual(upTo(3_000));
  expect(door.admitted.map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(upTo(3_000));
  raw.socket.destroy();
});

test("who subscribes between two messages hears the second, and a kept session what it missed", async () => {
  door = await openFrontDoor({ dir });
  const publisher = await door.connect("tools");
  await publisher.publishAsync("tools/a", "1", { qos: 1 });
  const listener = await door.connect("tools", { clientId: "ear", clean: false });
  const heard: string[] = [];
  listener.on("message", (_topic, payload) => heard.push(payload.toString()));
  await listener.subscribeAsync("tools/+", { qos: 1 });
  await publisher.publishAsync("tools/a", "2", { qos: 1 });
  await publisher.publishAsync("tools/b", "3", { qos: 0 });
  await until(
    async () => heard,
    (list) => list.length === 2,
  );
  await listener.endAsync();
  await publisher.publishAsync("tools/a", "4", { qos: 1 });
  await publisher.publishAsync("tools/a/b", "not for it", { qos: 1 });
  const again = await door.connect("tools", { clientId: "ear", clean: false });
  again.on("message", (_topic, payload) => heard.push(payload.toString()));
  await until(
    async () => heard,
    (list) => list.length === 3,
  );
  await again.unsubscribeAsync("tools/+");
  await publisher.publishAsync("tools/a", "5", { qos: 1 });
  expect(heard).toEqual(["2", "3", "4"]);
  expect(door.admitted.length).toBe(6);
  await Promise.all([publisher.endAsync(), again.endAsync()]);
});

test("what isn't admitted isn't acknowledged, nor anything after it; what was before it is", async () => {
  let isFull = false;
  door = await openFrontDoor({
    dir,
    admit: (_run, done) => {
      const error = isFull ? Object.assign(new Error("no room"), { code: "journal-full" }) : undefined;
      setImmediate(done, error);
    },
  });
  const raw = await door.socket();
  raw.send(connectPacket("tools"));
  await until(
    async () => raw.received().length,
    (length) => length === 4,
  );
  raw.send(...upTo(3).map((id) => publishPacket(id)));
  await until(
    async () => raw.received().length,
    (length) => length === 16,
  );
  isFull = true;
  raw.send(...[4, 5, 6].map((id) => publishPacket(id)));
  await raw.closed;
  expect(answered(raw.received())).toEqual([1, 2, 3]);
  expect(door.refused()).toMatchObject({ "journal-full": 1 });
});

test("a payload a byte above the limit is refused, however small the limit; what came before it is acknowledged", async () => {
  door = await openFrontDoor({ dir, limits: { messageBytes: 100 } });
  const raw = await door.socket();
  raw.send(connectPacket("tools"));
  await until(
    async () => raw.received().length,
    (length) => length === 4,
  );
  const sized = (messageId: number, size: number): Packet =>
    ({ ...publishPacket(messageId), payload: Buffer.alloc(size, "9") }) as Packet;
  raw.send(sized(1, 100), sized(2, 101), sized(3, 1));
  await raw.closed;
  expect(answered(raw.received())).toEqual([1]);
  expect(door.admitted.map(({ payload }) => payload.length)).toEqual([100]);
  expect(door.refused()).toEqual({ "message-too-large": 1 });
});

test("a publisher that waits for nothing is read no further than its bound, in pieces however small; others are served", async () => {
  const held: (() => void)[] = [];
  let bytes = 0;
  let isHeld = true;
  door = await openFrontDoor({
    dir,
    limits: { aheadBytes: 20_000 },
    admit: (run, done) => {
      if (run.user !== "tools" || !isHeld) {
        setImmediate(done);
        return;
      }
      bytes += run.end - run.start;
      held.push(done);
    },
  });
  const raw = await door.socket();
  raw.socket.setNoDelay(true);
  raw.send(connectPacket("tools"));
  await until(
    async () => raw.received().length,
    (length) => length === 4,
  );
  const other = await door.connect("gw-1");
  for (const id of upTo(300)) {
    raw.send({ ...publishPacket(id), payload: Buffer.alloc(1_000) } as Packet);
    // Each comes alone: an answer to the other shows that the door had time to read it.
    await other.publishAsync("readings/bin-1", "{}", { qos: 1 });
  }
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(25_000);
  expect(door.broker.counters().inflightBytes).toBe(bytes);
  isHeld = false;
  for (const done of held) done();
  await until(
    async () => raw.received().length,
    (length) => length === 4 + 300 * 4,
  );
  expect(answered(raw.received())).toEqual(upTo(300));
  expect(door.broker.counters().inflightBytes).toBe(0);
  raw.socket.destroy();
  await other.endAsync();
});

test("what was taken of a connection that went is kept, answered to nobody, and leaves nothing behind", async () => {
  const held: (() => void)[] = [];
  door = await openFrontDoor({ dir, admit: (_run, done) => void held.push(done) });
  const raw = await door.socket();
  raw.send(connectPacket("tools"), publishPacket(1));
  await until(
    async () => held.length,
    (length) => length === 1,
  );
  raw.send(publishPacket(2), Buffer.from([0xc0, 0]));
  raw.socket.destroy();
  await until(
    async () => door?.broker.counters().connections,
    (count) => count === 0,
  );
  for (const done of held) done();
  expect(door.broker.counters()).toMatchObject({ inflightBytes: 0, acknowledged: held.length });
  expect(door.refused()).toEqual({});
  const again = await door.connect("tools");
  await again.endAsync();
});

test("rights that were narrowed hold for the next message of who is connected", async () => {
  door = await openFrontDoor({ dir });
  const raw = await door.socket();
  for (const [n, packet] of [
    connectPacket("gw-1"),
    ...upTo(2).map((id) => publishPacket(id, "readings/bin-1")),
  ].entries()) {
    raw.send(packet);
    await until(
      async () => raw.received().length,
      (length) => length === 4 * (n + 1),
    );
  }
  const narrowed = users.map((one) => ({
    ...one,
    hash: `secret of ${one.user}`,
    publishesFor: one.user === "gw-1" ? ["bin-2"] : one.publishesFor,
  }));
  door.broker.setCredentials(narrowed);
  raw.send(publishPacket(3, "readings/bin-1"));
  await raw.closed;
  expect(answered(raw.received())).toEqual([1, 2]);
  expect(door.admitted).toHaveLength(2);
  const again = await door.socket();
  again.send(connectPacket("gw-1"), publishPacket(1, "readings/bin-2"));
  await until(
    async () => again.received().length,
    (length) => length === 8,
  );
  again.send(publishPacket(2, "readings/bin-1"));
  await again.closed;
  expect(answered(again.received())).toEqual([1]);
  expect(door.refused()).toEqual({ "not-allowed": 1 });
});

test("a filter that is left and taken again in one breath is heard, and nobody's leaving takes another's away", async () => {
  door = await openFrontDoor({ dir });
  const filter = "tools/a";
  const subscribe: Packet = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] };
  const leave: Packet = { cmd: "unsubscribe", messageId: 2, unsubscriptions: [filter] };
  const [one, other, publisher] = await Promise.all([door.socket(), door.socket(), door.connect("tools")]);
  one.send(connectPacket("tools", { clientId: "one" }), subscribe);
  other.send(connectPacket("tools", { clientId: "other" }), subscribe);
  await until(
    async () => one.received().length + other.received().length,
    (length) => length === 2 * 9,
  );
  one.send(Buffer.concat([leave, subscribe].map((packet) => generate(packet))));
  await until(
    async () => one.received().length,
    (length) => length === 9 + 4 + 5,
  );
  await publisher.publishAsync(filter, "1", { qos: 1 });
  const heard = generate({ ...publishPacket(1, filter), qos: 0 } as Packet).toString("hex");
  for (const ear of [one, other])
    await until(
      async () => ear.received().toString("hex"),
      (hex) => hex.endsWith(heard),
    );
  // It leaves, and goes before that is done.
  one.send(leave);
  one.socket.end();
  await one.closed;
  await publisher.publishAsync(filter, "2", { qos: 1 });
  const second = generate({ ...publishPacket(2, filter), qos: 0 } as Packet).toString("hex");
  await until(
    async () => other.received().toString("hex"),
    (hex) => hex.endsWith(second),
  );
  other.socket.destroy();
  await publisher.endAsync();
});

test("runs come through WebSocket as through TCP, cut into frames wherever", async () => {
  door = await openFrontDoor({ dir, wsPort: 0 });
  const socket = new WebSocket(`ws://127.0.0.1:${door.broker.addresses.ws?.port}`, "mqtt");
  const stream = createWebSocketStream(socket);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const bytes = Buffer.concat(
    [connectPacket("tools"), ...upTo(500).map((id) => publishPacket(id))].map((one) => generate(one)),
  );
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 1_009)
    stream.write(bytes.subarray(at, at + step));
  await until(
    async () => Buffer.concat(chunks).length,
    (length) => length === 4 + 500 * 4,
  );
  expect(answered(Buffer.concat(chunks))).toEqual(upTo(500));
  expect(door.admitted.map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(upTo(500));
  stream.destroy();
});

test("runs keep the pace that a connection may have: slowed, none lost", async () => {
  door = await openFrontDoor({ dir, limits: { messagesPerSecond: 1_000, messageBurst: 10 } });
  const raw = await door.socket();
  raw.send(connectPacket("tools"), Buffer.concat(upTo(200).map((id) => generate(publishPacket(id)))));
  await until(
    async () => raw.received().length,
    (length) => length === 4 + 200 * 4,
  );
  expect(answered(raw.received())).toEqual(upTo(200));
  expect(door.broker.counters().slowed).toBeGreaterThan(0);
  raw.socket.destroy();
});

test("an audience counts each listener of a filter, and forgets a session with it", () => {
  const audience = new Audience();
  audience.add("a/#", "one");
  audience.add("a/#", "other");
  audience.keep("ear", ["b/+", "c"]);
  expect(["a/b", "b/c", "c", "d"].map((topic) => audience.hears(topic))).toEqual([true, true, true, false]);
  audience.remove("a/#", "one");
  audience.remove("a/#", "one");
  expect(audience.hears("a/b")).toBe(true);
  audience.remove("a/#", "other");
  audience.keep("ear", ["c"]);
  expect(["a/b", "b/c", "c"].map((topic) => audience.hears(topic))).toEqual([false, false, true]);
  audience.keep("ear", []);
  expect(audience.hears("c")).toBe(false);
});
