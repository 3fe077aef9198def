import { setTimeout as pause } from "node:timers/promises";
import type { Packet } from "mqtt-packet";
import { expect, test } from "vitest";
import {
  connectPacket,
  doorOfEachTest,
  openFrontDoor,
  type RawSocket,
  subscribePacket,
  users,
} from "./support/front-door.js";
import { until } from "./support/obieg.js";

const held = doorOfEachTest();
const desk = { clientId: "desk", clean: false };
const say = (topic: string, payload: string | Buffer, retain = false): Promise<void> =>
  held.door.broker.publish({ topic, payload, qos: 1, retain });
const messages = (raw: RawSocket): (Packet & { cmd: "publish" })[] =>
  raw.packets().filter((packet) => packet.cmd === "publish");
const payloads = (raw: RawSocket): string[] => messages(raw).map(({ payload }) => payload.toString());
const acknowledge = (raw: RawSocket): void => {
  for (const { messageId } of messages(raw)) if (messageId) raw.send({ cmd: "puback", messageId });
};
/** A session with a filter. */
async function subscribed(topic: string, qos: 0 | 1 | 2 = 1): Promise<RawSocket> {
  const raw = await held.door.enter("tools", desk, subscribePacket(topic, qos));
  await raw.has("suback");
  return raw;
}
/** What a session is told when it comes back. */
async function told(): Promise<RawSocket> {
  const raw = await held.door.enter("tools", desk);
  raw.send({ cmd: "pingreq" });
  await raw.has("pingresp");
  await pause(50);
  return raw;
}

test("what is published while a session subscribes comes at once or not at all, and once", async () => {
  const sender = await held.door.connect("tools", { clientId: "sender" });
  for (const before of [undefined, 0] as const) {
    const asked = subscribePacket("tools/x", 1, 2);
    const raw = before === 0 ? await subscribed("tools/x", 0) : await held.door.enter("tools", desk, asked);
    if (before === 0) raw.send(asked);
    for (let n = 0; n < 30; n += 1) await sender.publishAsync("tools/x", `${n}`, { qos: 1 });
    await pause(100);
    const first = payloads(raw);
    acknowledge(raw);
    await pause(50);
    await raw.leave();
    const back = await told();
    expect(payloads(back)).toEqual([]);
    expect(first.at(-1)).toBe("29");
    if (before === 0) expect(first).toHaveLength(30);
    back.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["tools/x"] });
    await back.has("unsuback");
    await back.leave();
  }
  await sender.endAsync();
});

test("a retained message keeps its place before what is published to its topic after it", async () => {
  const raw = await subscribed("tools/x");
  const sender = await held.door.enter("tools", { clientId: "sender" });
  const publish = (n: number, retain: boolean): Packet => ({
    cmd: "publish",
    topic: "tools/x",
    payload: `${n}`,
    qos: 1,
    messageId: n,
    retain,
    dup: false,
  });
  for (let n = 1; n <= 20; n += 1) sender.send(publish(n, n % 2 === 1));
  await raw.has("publish", 20);
  expect(payloads(raw)).toEqual(Array.from({ length: 20 }, (_, n) => `${n + 1}`));
});

test("what is retained comes as it stands when its turn comes", async () => {
  for (let n = 0; n < 100; n += 1) await say(`tools/${n}`, Buffer.alloc(250_000, "o"), true);
  const raw = await held.door.enter("tools", { clientId: "slow" });
  raw.socket.once("data", () => raw.socket.pause());
  raw.send(subscribePacket("tools/#"));
  await pause(300);
  for (let n = 0; n < 100; n += 1) await say(`tools/${n}`, "", true);
  raw.socket.resume();
  const last = await until(
    async () => new Map(messages(raw).map(({ topic, payload }) => [topic, payload.length])),
    (map) => map.size === 100 && [...map.values()].every((length) => length === 0),
  );
  expect(last.size).toBe(100);
});

test("an empty level is matched for who is away, and for what is retained", async () => {
  await (await subscribed("tools/+/a")).leave();
  await say("tools//a", "x", true);
  expect(payloads(await told())).toEqual(["x"]);
  const other = await held.door.enter("tools", { clientId: "other" }, subscribePacket("tools/+/a"));
  await other.has("publish");
  expect(payloads(other)).toEqual(["x"]);
});

test("a retained message that a session hasn't acknowledged comes again", async () => {
  await say("tools/x", "a", true);
  const raw = await subscribed("tools/#");
  await raw.has("publish");
  await raw.leave();
  const back = await told();
  expect(messages(back)).toMatchObject([{ payload: Buffer.from("a"), qos: 1, retain: true, dup: true }]);
  acknowledge(back);
  await pause(50);
  await back.leave();
  expect(payloads(await told())).toEqual([]);
});

test("what waited comes without RETAIN; a retained message that there is no room for leaves no older one", async () => {
  await (await subscribed("tools/#")).leave();
  await say("tools/x", "a", true);
  expect(messages(await told())).toMatchObject([{ retain: false }]);
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir, limits: { retainedBytes: 3_000 } });
  await say("tools/x", "y".repeat(4_000), true);
  const other = await held.door.enter("tools", { clientId: "other" }, subscribePacket("tools/x"));
  await other.has("suback");
  await pause(50);
  expect(payloads(other)).toEqual([]);
  expect(held.door.refused()).toMatchObject({ "retained-full": 1 });
});

test("what a user may no longer hear doesn't wait for its session, from then on and over a restart", async () => {
  const narrowed = users.map((one) => ({
    ...one,
    hash: `secret of ${one.user}`,
    ...(one.user === "tools" ? { subscribe: ["tools/#"] } : {}),
  }));
  await (await subscribed("alerts/#")).leave();
  held.door.broker.setCredentials(narrowed);
  await pause(50);
  await say("alerts/x", "not for it");
  const back = await told();
  expect(payloads(back)).toEqual([]);
  await back.leave();
  held.door.broker.setCredentials(users.map((one) => ({ ...one, hash: `secret of ${one.user}` })));
  await (await subscribed("alerts/#")).leave();
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir, credentials: narrowed });
  await say("alerts/x", "not for it");
  expect(payloads(await told())).toEqual([]);
});

test("the queue of a session gets shorter by what is answered while it is sent; signs of life are answered", async () => {
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir, limits: { offlineBytesPerClient: 30_000_000 } });
  await (await subscribed("tools/#")).leave();
  for (let n = 0; n < 100; n += 1) await say(`tools/${n}`, Buffer.alloc(250_000, "o"));
  const raw = await held.door.enter("tools", desk);
  await raw.has("publish", 2);
  raw.socket.pause();
  acknowledge(raw);
  await pause(300);
  await raw.leave();
  const back = await held.door.enter("tools", desk);
  await back.has("publish");
  expect(messages(back)[0]?.topic).not.toBe("tools/0");
});

test("a QoS 2 message that there is no room for isn't admitted, however often it comes", async () => {
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir, limits: { sessionsPerUser: 1 } });
  await (await subscribed("tools/x")).leave();
  const message = {
    cmd: "publish",
    topic: "tools/y",
    payload: "x",
    qos: 2,
    messageId: 5,
    retain: false,
  } as const;
  for (let n = 0; n < 3; n += 1) {
    const raw = await held.door.enter("tools", { clientId: "other", clean: false });
    raw.send({ ...message, dup: n > 0 });
    await raw.closed;
  }
  expect(held.door.admitted).toEqual([]);
  expect(held.door.refused()).toMatchObject({ "sessions-full": 3 });
});

test("a session that goes on is said to be there, with filters and without", async () => {
  const message = {
    cmd: "publish",
    topic: "tools/y",
    payload: "x",
    qos: 2,
    messageId: 7,
    retain: false,
  } as const;
  const raw = await held.door.enter("tools", desk, { ...message, dup: false });
  expect(raw.packets()[0]).toMatchObject({ cmd: "connack", sessionPresent: false });
  await raw.has("pubrec");
  await raw.leave();
  const back = await told();
  expect(back.packets()[0]).toMatchObject({ cmd: "connack", sessionPresent: true });
  expect(held.door.refused()).toEqual({});
});

test("a session that begins anew while the one before subscribes has none of its filters", async () => {
  for (let round = 0; round < 30; round += 1) {
    const before = await subscribed("tools/x");
    const anew = await held.door.socket();
    anew.send(connectPacket("tools", { ...desk, clean: true }));
    for (let n = 2; n < 6; n += 1) {
      before.send(subscribePacket(`tools/${n}`, 1, n));
      for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await anew.has("connack");
    await pause(20);
    await anew.leave();
    const back = await held.door.enter("tools", desk);
    expect(back.packets()[0]).toMatchObject({ sessionPresent: false });
    await back.leave();
  }
});
