import { setTimeout as pause } from "node:timers/promises";
import type { IPublishPacket, Packet } from "mqtt-packet";
import type { MqttClient } from "mqtt";
import { expect, test } from "vitest";
import { doorOfEachTest, openFrontDoor } from "./support/front-door.js";
import { until } from "./support/obieg.js";

const held = doorOfEachTest();

/** What a client hears: topic, payload, QoS. */
function heard(client: MqttClient): string[] {
  const lines: string[] = [];
  client.on("message", (topic, payload, { qos }: IPublishPacket) =>
    lines.push(`${topic} ${payload.toString()} ${qos}`),
  );
  return lines;
}
const say = (topic: string, payload: string, qos: 0 | 1 = 1, retain = false): Promise<void> =>
  held.door.broker.publish({ topic, payload, qos, retain });
const listed = (lines: string[], count: number): Promise<string[]> =>
  until(
    async () => lines,
    (list) => list.length >= count,
  );

test("a message that is overtaken on its way to disk still reaches who listens to both", async () => {
  const desk = await held.door.connect("tools", { clientId: "desk" });
  const lines = heard(desk);
  await desk.subscribeAsync(["alerts/#", "tools/#"], { qos: 1 });
  const sender = await held.door.connect("tools", { clientId: "sender" });
  const sent: Promise<unknown>[] = [];
  for (let n = 0; n < 20; n += 1) {
    sent.push(say(`alerts/${n}`, "raised", 1, true));
    for (let k = 0; k < 5; k += 1) sent.push(sender.publishAsync("tools/x", `${n}.${k}`, { qos: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(sent);
  await listed(lines, 120).catch(() => undefined);
  expect(lines.filter((line) => line.endsWith("raised 1"))).toHaveLength(20);
  expect(lines).toHaveLength(120);
});

test("a message comes once, with the highest QoS that its filters were granted, and no higher", async () => {
  const desk = await held.door.connect("tools", { clientId: "desk", clean: false });
  const lines = heard(desk);
  await desk.subscribeAsync({ "tools/+": { qos: 1 }, "tools/a": { qos: 0 }, "tools/b": { qos: 2 } });
  const sender = await held.door.connect("tools", { clientId: "sender" });
  const publish = async (): Promise<void> => {
    for (const topic of ["tools/a", "tools/b", "tools/c"]) await sender.publishAsync(topic, "x", { qos: 2 });
    await sender.publishAsync("tools/b", "y", { qos: 0 });
  };
  await publish();
  const granted = ["tools/a x 1", "tools/b x 2", "tools/c x 1", "tools/b y 0"];
  expect((await listed(lines, 4)).sort()).toEqual(granted.sort());
  await desk.endAsync();
  await publish();
  const back = await held.door.connect("tools", { clientId: "desk", clean: false });
  const later = heard(back);
  await listed(later, 3).catch(() => undefined);
  await say("tools/b", "last");
  await listed(later, 4).catch(() => undefined);
  expect(later.sort()).toEqual(["tools/a x 1", "tools/b last 1", "tools/b x 2", "tools/c x 1"]);
});

test("a retained message comes with the QoS that its filter was granted", async () => {
  await say("tools/kept", "x", 1, true);
  const desk = await held.door.connect("tools", { clientId: "desk" });
  const lines = heard(desk);
  await desk.subscribeAsync("tools/+", { qos: 0 });
  expect(await listed(lines, 1)).toEqual(["tools/kept x 0"]);
});

test("what comes while a session's queue is sent waits for its turn, and comes once", async () => {
  const desk = await held.door.connect("tools", { clientId: "desk", clean: false });
  await desk.subscribeAsync("tools/#", { qos: 1 });
  await desk.endAsync();
  const order: string[] = [];
  const publish = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      order.push(`tools/x ${order.length} 1`);
      await say("tools/x", String(order.length - 1));
    }
  };
  await publish(300);
  const coming = held.door.connect("tools", { clientId: "desk", clean: false });
  const stream = publish(600);
  const back = await coming;
  const lines = heard(back);
  await stream;
  await publish(3);
  await listed(lines, order.length).catch(() => undefined);
  expect(lines).toEqual(order);
  await back.endAsync();
});

test("the filters of a client are bounded, whether its session is kept or not", async () => {
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir, limits: { subscriptionsPerClient: 5 } });
  for (const [at, clean] of [true, false].entries()) {
    const desk = await held.door.connect("tools", { clientId: "desk", clean });
    const gone = new Promise<void>((resolve) => desk.once("close", resolve));
    for (let n = 0; n < 5; n += 1) await desk.subscribeAsync(`tools/${n}`, { qos: 1 });
    await desk.subscribeAsync("tools/0", { qos: 0 });
    desk.subscribe("tools/5", { qos: 1 });
    await gone;
    expect(held.door.refused()).toMatchObject({ "subscriptions-full": at + 1 });
  }
});

test("the filters of one packet are bounded, repeated ones too; at the bound all are answered", async () => {
  const { door } = held;
  const asking = (count: number): Packet => ({
    cmd: "subscribe",
    messageId: 1,
    subscriptions: Array.from({ length: count }, () => ({ topic: "tools/x", qos: 1 as const })),
  });
  for (const clean of [true, false]) {
    const most = await door.enter("tools", { clean }, asking(100));
    expect((await most.has("suback"))[0]?.granted).toEqual(Array.from({ length: 100 }, () => 1));
    const leaving = Array.from({ length: 101 }, () => "tools/x");
    most.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: leaving });
    await most.closed;
    const more = await door.enter("tools", { clean });
    more.send(asking(101));
    await more.closed;
    expect(more.packets().map(({ cmd }) => cmd)).toEqual(["connack"]);
  }
  expect(door.refused()).toEqual({ "subscriptions-full": 4 });
});

test("retained messages that come while others are sent don't come twice; one of several filters brings each once", async () => {
  const { door } = held;
  const say = (topic: string, payload: string | Buffer): Promise<void> =>
    door.broker.publish({ topic, payload, qos: 1, retain: true });
  const big = Buffer.alloc(200_000, "x");
  for (let n = 0; n < 40; n += 1) await say(`tools/${n}`, big);
  const raw = await door.enter("tools");
  raw.socket.pause();
  raw.send({
    cmd: "subscribe",
    messageId: 1,
    subscriptions: ["tools/0", "tools/#", "tools/+", "tools/0"].map((topic) => ({ topic, qos: 1 as const })),
  });
  await pause(200);
  for (let n = 0; n < 5; n += 1) await say(`tools/new/${n}`, `${n}`);
  raw.socket.resume();
  const all = await raw.has("publish", 45);
  await pause(50);
  expect(all.map(({ topic }) => topic).toSorted()).toEqual(
    [
      ...Array.from({ length: 40 }, (_, n) => `tools/${n}`),
      ...Array.from({ length: 5 }, (_, n) => `tools/new/${n}`),
    ].toSorted(),
  );
  expect(raw.packets().filter(({ cmd }) => cmd === "publish")).toHaveLength(45);
});
