import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { generate, type Packet } from "mqtt-packet";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ObiegError } from "../devices/index.js";
import { KeptPersistence } from "../broker/persistence.js";
import {
  connectPacket,
  doorOfEachTest,
  openFrontDoor,
  subscribePacket,
  users,
} from "./support/front-door.js";
import { until } from "./support/obieg.js";

const held = doorOfEachTest();
const errors: unknown[] = [];
const note = (error: unknown): void => void errors.push(error);
beforeEach(() => {
  errors.length = 0;
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("uncaughtException", note);
  process.off("unhandledRejection", note);
  vi.useRealTimers();
});
const will = { topic: "tools/will", payload: Buffer.from("gone"), qos: 1 as const, retain: false };

test("all retained messages reach who reads them, however many drains that takes; who goes meanwhile ends nothing", async () => {
  for (let n = 0; n < 60; n += 1)
    await held.door.broker.publish({
      topic: `tools/${n}`,
      payload: Buffer.alloc(100_000, "x"),
      qos: 1,
      retain: true,
    });
  const desk = await held.door.enter("tools", {}, subscribePacket("tools/#"));
  await desk.has("publish", 60);
  await desk.leave();
  for (let round = 0; round < 5; round += 1) {
    const gone = await held.door.enter("tools", {}, subscribePacket("tools/#"));
    await gone.has("publish", 1);
    await gone.leave();
  }
  expect(errors).toEqual([]);
});

test("a client id that is too long to be kept is refused, and disturbs nobody", async () => {
  const long = await held.door.enter("tools", { clientId: "x".repeat(1_001), clean: false });
  expect(long.packets()[0]).toMatchObject({ cmd: "connack", returnCode: 2 });
  const desk = await held.door.enter(
    "tools",
    { clientId: "y".repeat(1_000), clean: false },
    subscribePacket("tools/x"),
  );
  await desk.has("suback");
  await desk.leave();
  await held.door.broker.publish({ topic: "tools/x", payload: "kept", qos: 1, retain: false });
  const back = await held.door.enter("tools", { clientId: "y".repeat(1_000), clean: false });
  await back.has("publish");
  await back.leave();
  expect(errors).toEqual([]);
});

test("a will of a killed process that can't be taken yet is taken later, and ends nothing", async () => {
  const copy = mkdtempSync(join(tmpdir(), "obieg-door-"));
  await held.door.enter("tools", { will });
  await held.door.broker.backup(copy);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  let isFull = true;
  const taken: string[] = [];
  const next = await openFrontDoor({
    dir: copy,
    admit(run, done) {
      if (!isFull) taken.push(...(run.bytes.toString("latin1").match(/gone/g) ?? []));
      setImmediate(() => done(isFull ? new ObiegError("journal-full", "the journal is full") : undefined));
    },
  });
  vi.advanceTimersByTime(300_000);
  await until(
    async () => next.warnings.join("\n"),
    (text) => text.includes("journal is full"),
  );
  isFull = false;
  vi.advanceTimersByTime(300_000);
  await until(
    async () => taken,
    (list) => list.length === 1,
  );
  expect(errors).toEqual([]);
  await next.broker.close();
  rmSync(copy, { recursive: true, force: true });
});

test("a clock that is set forward publishes no will of who is here", async () => {
  await held.door.broker.close();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
  // Intervals drift: here the sign of life comes a millisecond late, so that the last one is old when wills are looked at.
  const real = globalThis.setInterval;
  const drifting = (run: () => void, ms: number): NodeJS.Timeout => real(run, ms === 60_000 ? 60_001 : ms);
  vi.spyOn(globalThis, "setInterval").mockImplementation(drifting as never);
  held.door = await openFrontDoor({ dir: held.dir });
  vi.restoreAllMocks();
  const raw = await held.door.enter("tools", { will });
  for (let n = 0; n < 3; n += 1) {
    vi.advanceTimersByTime(60_010);
    await pause(50);
  }
  vi.advanceTimersByTime(58_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(1_971);
  await pause(100);
  raw.send({ cmd: "pingreq" });
  await raw.has("pingresp");
  expect(held.door.admitted).toEqual([]);
  await raw.leave();
});

test("who says DISCONNECT leaves no will, though what came before is still under way", async () => {
  const before: Packet[] = [
    { cmd: "unsubscribe", messageId: 2, unsubscriptions: ["tools/x"] },
    { cmd: "publish", topic: "tools/x", payload: "x", qos: 2, messageId: 3, retain: false, dup: false },
  ];
  for (const packet of before) {
    const raw = await held.door.enter(
      "tools",
      { clientId: "desk", clean: false, will },
      subscribePacket("tools/x"),
    );
    await raw.has("suback");
    raw.send(Buffer.concat([generate(packet), generate({ cmd: "disconnect" })]));
    raw.socket.end();
    await raw.closed;
  }
  await pause(200);
  expect(held.door.admitted.map(({ topic }) => topic)).toEqual(["tools/x"]);
});

test("of several that come under one id at once the last that was let in stays", async () => {
  for (let round = 0; round < 20; round += 1) {
    const clientId = `desk-${round}`;
    const first = await held.door.enter("tools", { clientId }, subscribePacket("tools/x"));
    await first.has("suback");
    const others = [await held.door.socket(), await held.door.socket()];
    for (const raw of others) raw.send(connectPacket("tools", { clientId }));
    await pause(50);
    for (const raw of others) if (!raw.socket.destroyed) raw.send({ cmd: "pingreq" });
    await pause(50);
    const answered = others.filter((raw) => raw.packets().some(({ cmd }) => cmd === "pingresp"));
    expect(answered).toHaveLength(1);
    for (const raw of [first, ...others]) raw.socket.destroy();
  }
});

test("a QoS 2 message comes again after its connection was closed in the turn in which the one before it was answered", async () => {
  const desk = { clientId: "desk", clean: false };
  const raw = await held.door.enter("tools", desk, subscribePacket("alerts/x"));
  await raw.has("suback");
  const messageOf = (messageId: number, dup: boolean): Packet => ({
    cmd: "publish",
    topic: "tools/x",
    payload: "x",
    qos: 2,
    messageId,
    retain: false,
    dup,
  });
  const narrowed = users.map((one) => ({ ...one, hash: `secret of ${one.user}`, subscribe: ["tools/#"] }));
  type Store = KeptPersistence["incomingStorePacket"];
  const store: Store = Reflect.get<KeptPersistence, "incomingStorePacket">(
    KeptPersistence.prototype,
    "incomingStorePacket",
  );
  const andNarrow = async function (this: KeptPersistence, ...args: Parameters<Store>): Promise<void> {
    await store.apply(this, args);
    setImmediate(() => held.door.broker.setCredentials(narrowed));
  };
  vi.spyOn(KeptPersistence.prototype, "incomingStorePacket").mockImplementationOnce(andNarrow);
  raw.send(Buffer.concat([1, 2].map((id) => generate(messageOf(id, false)))));
  await raw.closed;
  vi.restoreAllMocks();
  const back = await held.door.enter(
    "tools",
    desk,
    messageOf(1, true),
    messageOf(2, true),
    subscribePacket("tools/y", 1, 9),
  );
  await back.has("pubrec", 2);
  await back.has("suback");
});

test("thousands of messages that nobody hears, behind a retained one of their topic, end nothing and come in order", async () => {
  const away = await held.door.enter(
    "tools",
    { clientId: "away", clean: false },
    subscribePacket("tools/#", 0),
  );
  await away.has("suback");
  await away.leave();
  const sender = await held.door.enter("tools", { clientId: "sender" });
  const messageOf = (n: number): Packet => ({
    cmd: "publish",
    topic: "tools/x",
    payload: String(n),
    qos: 0,
    retain: n < 3,
    dup: false,
  });
  const count = 5_000;
  sender.send(Buffer.concat(Array.from({ length: count }, (_, n) => generate(messageOf(n)))));
  sender.send({ cmd: "pingreq" });
  await sender.has("pingresp");
  await until(
    async () => held.door.broker.counters().acknowledged,
    (acknowledged) => acknowledged === count,
  );
  await pause(50);
  const desk = await held.door.enter("tools", { clientId: "desk" }, subscribePacket("tools/x"));
  expect((await desk.has("publish"))[0]?.payload.toString()).toBe("2");
  expect(errors).toEqual([]);
});
