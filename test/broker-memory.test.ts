import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { generate, type Packet } from "mqtt-packet";
import { expect, test } from "vitest";
import { connectPacket, openFrontDoor, subscribePacket } from "./support/front-door.js";
import { collect } from "./support/heap.js";
import { until } from "./support/obieg.js";

test("small retained messages, and small ones for who is away, take the memory that they are counted as", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const bound = 3 * 2 ** 20;
  const limits = {
    retainedBytes: bound,
    offlineBytes: bound,
    offlineBytesPerClient: bound,
    offlineMessagesPerClient: 1e6,
  };
  const door = await openFrontDoor({ dir, limits });
  const away = await door.connect("tools", { clientId: "away", clean: false });
  await away.subscribeAsync("alerts/#", { qos: 1 });
  await away.endAsync();
  const heapMb = (): number => {
    collect();
    return process.memoryUsage().heapUsed / 1e6;
  };
  const before = heapMb();
  for (let n = 0; n < 6_000; n += 1) {
    const topic = `alerts/${n}`;
    await door.broker.publish({ topic, payload: "x", qos: 1, retain: true });
  }
  expect(door.refused()["retained-full"]).toBeGreaterThan(2_000);
  expect(door.refused()["offline-full"]).toBeGreaterThan(2_000);
  expect(heapMb() - before).toBeLessThan((2 * bound) / 1e6);
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

test("what is kept of a packet is its own bytes, not all that came with it", async () => {
  const buffersMb = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers / 1e6;
  };
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const door = await openFrontDoor({ dir });
  const away = await door.connect("tools", { clientId: "away", clean: false });
  await away.subscribeAsync("tools/#", { qos: 1 });
  await away.endAsync();
  const message = { cmd: "publish", topic: "tools/f", qos: 0, dup: false, retain: false } as const;
  const filler = generate({ ...message, payload: Buffer.alloc(60_000) });
  const will = { topic: "tools/will", payload: Buffer.from("x"), qos: 0 as const, retain: false };
  const raws: Awaited<ReturnType<typeof door.socket>>[] = [];
  const before = buffersMb();
  const rounds = 100;
  for (let n = 0; n < rounds; n += 1) {
    const raw = await door.socket();
    raws.push(raw);
    const retained: Packet = {
      ...message,
      topic: `tools/${n}`,
      payload: "x",
      qos: 1,
      messageId: 1,
      retain: true,
    };
    raw.send(
      Buffer.concat([generate(connectPacket("tools", { clientId: `w${n}`, will })), filler]),
      Buffer.concat([generate(retained), filler]),
      Buffer.concat([
        generate({ ...retained, topic: "tools/q", retain: false, messageId: 2 }),
        filler,
        filler.subarray(0, 100),
      ]),
    );
  }
  await until(
    async () => door.admitted.length,
    (count) => count === 5 * rounds,
  );
  door.admitted.length = 0;
  const grownMb = await until(
    async () => buffersMb() - before,
    (mb) => mb < 3,
  );
  expect(grownMb).toBeLessThan(3);
  for (const raw of raws) raw.socket.destroy();
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

test("QoS 2 messages that wait for their PUBREL are bounded: of a client, of a user, in all", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const limits = { incomingPerClient: 3, incomingPerUser: 5, incoming: 7 };
  const door = await openFrontDoor({ dir, limits });
  const open = async (user: string, clientId: string): Promise<(id: number) => Promise<string>> => {
    const raw = await door.socket();
    raw.send(connectPacket(user, { clientId }));
    let length = 4;
    return async (messageId) => {
      const topic = user === "tools" ? "tools/x" : "readings/bin-1";
      raw.send({ cmd: "publish", topic, payload: "{}", qos: 2, messageId, dup: false, retain: false });
      const bytes = await until(
        async () => raw.received(),
        (all) => all.length > length || raw.socket.destroyed,
      );
      const answer = bytes.subarray(length).toString("hex");
      length = bytes.length;
      return answer === "" ? "closed" : answer;
    };
  };
  const taken = (id: number): string => `5002000${id}`;
  const one = await open("tools", "one");
  expect([await one(1), await one(2), await one(3)]).toEqual([1, 2, 3].map(taken));
  // The same one again needs no room.
  expect(await one(3)).toBe(taken(3));
  const two = await open("tools", "two");
  expect([await two(1), await two(2), await two(3)]).toEqual([taken(1), taken(2), "closed"]);
  const other = await open("bin-1", "three");
  expect([await other(1), await other(2), await other(3)]).toEqual([1, 2, 3].map(taken));
  const fourth = await open("gw-1", "four");
  expect([await fourth(1), await fourth(2)]).toEqual([taken(1), "closed"]);
  expect(await one(4)).toBe("closed");
  expect(door.refused()).toMatchObject({ "incoming-full": 3 });
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

test("topics that are remembered as heard by nobody are counted, however many connections name them", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const door = await openFrontDoor({ dir, admit: (_, done) => void setImmediate(done) });
  const [connections, topics] = [60, 1_000];
  const raws: Awaited<ReturnType<typeof door.enter>>[] = [];
  for (let n = 0; n < connections; n += 1) raws.push(await door.enter("gw-1", { clientId: `gw-${n}` }));
  collect();
  const before = process.memoryUsage().heapUsed;
  for (const [n, raw] of raws.entries()) {
    const packets = Array.from({ length: topics }, (_, i) => {
      const topic = `readings/bin-${`${n}-${i}`.padEnd(230, "x")}`;
      return generate({
        cmd: "publish",
        topic,
        payload: "{}",
        qos: 1,
        messageId: i + 1,
        dup: false,
        retain: false,
      });
    });
    raw.send(Buffer.concat(packets));
    await raw.has("puback", topics);
  }
  collect();
  // What is remembered of them all, 4 MiB, and whether 10,000 of them are heard, 3 MB.
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(9);
  for (const raw of raws) raw.socket.destroy();
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

test("what waits for a subscriber that doesn't read is its own bytes, not all that came with it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const door = await openFrontDoor({ dir, limits: { outgoingBytes: 64 * 2 ** 20 } });
  const deaf = await door.enter("tools", { clientId: "deaf" }, subscribePacket("tools/heard", 0));
  await deaf.has("suback");
  deaf.socket.pause();
  // More than the system takes for a connection that isn't read.
  for (let n = 0; n < 60; n += 1)
    await door.broker.publish({
      topic: "tools/heard",
      payload: Buffer.alloc(200_000),
      qos: 0,
      retain: false,
    });
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const message = { cmd: "publish", qos: 0, dup: false, retain: false } as const;
  const filler = generate({ ...message, topic: "tools/f", payload: Buffer.alloc(60_000) });
  const heard = generate({ ...message, topic: "tools/heard", payload: "x" });
  const sender = await door.enter("tools", { clientId: "sender" });
  const rounds = 300;
  for (let n = 0; n < rounds; n += 1) {
    sender.send(Buffer.concat([heard, filler]));
    await until(
      async () => door.broker.counters().acknowledged,
      (count) => count === 2 * (n + 1),
    );
    door.admitted.length = 0;
  }
  const grownMb = await until(
    async () => {
      collect();
      return (process.memoryUsage().arrayBuffers - before) / 1e6;
    },
    (mb) => mb < 5,
  );
  expect(grownMb).toBeLessThan(5);
  for (const raw of [deaf, sender]) raw.socket.destroy();
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});

test("a packet that comes a byte at a time takes little more than its bytes", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  const door = await openFrontDoor({ dir });
  const sender = await door.enter("tools");
  sender.socket.setNoDelay(true);
  const count = 20_000;
  const whole = generate({
    cmd: "publish",
    topic: "tools/x",
    payload: Buffer.alloc(count, "x"),
    qos: 1,
    messageId: 1,
    dup: false,
    retain: false,
  });
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 1e6;
  };
  const before = used();
  for (let at = 0; at < count; at += 1) {
    sender.send(whole.subarray(at, at + 1));
    await nextTurn();
    await nextTurn();
  }
  expect(used() - before).toBeLessThan(2);
  sender.send(whole.subarray(count));
  await sender.has("puback");
  expect(Buffer.from(door.admitted[0]?.payload ?? "").equals(Buffer.alloc(count, "x"))).toBe(true);
  sender.socket.destroy();
  await door.broker.close();
  rmSync(dir, { recursive: true, force: true });
});
