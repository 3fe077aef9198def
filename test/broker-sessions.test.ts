import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MqttClient } from "mqtt";
import { generate, type Packet } from "mqtt-packet";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connectPacket, type FrontDoor, openFrontDoor } from "./support/front-door.js";
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
const close = async (door: FrontDoor): Promise<void> => {
  doors = doors.filter((one) => one !== door);
  await door.broker.close();
};
const heard = (client: MqttClient): string[] => {
  const lines: string[] = [];
  client.on("message", (topic, payload) => lines.push(`${topic} ${payload.toString()}`));
  return lines;
};

test("a client id belongs to who came with it: another user is refused and disturbs nobody", async () => {
  const door = await open({ dir });
  const tools = await door.connect("tools", { clientId: "shared", clean: false });
  await tools.subscribeAsync("alerts/#", { qos: 1 });
  await expect(door.connect("bin-1", { clientId: "shared" })).rejects.toThrow(/[Ii]dentifier rejected/);
  expect(tools.connected).toBe(true);
  await tools.endAsync();
  await expect(door.connect("bin-1", { clientId: "shared", clean: false })).rejects.toThrow(
    /[Ii]dentifier rejected/,
  );
  expect(door.refused()).toMatchObject({ "client-id-taken": 2 });
});

test("sessions, queued and retained messages survive a restart; a refused filter isn't kept", async () => {
  let door = await open({ dir });
  const tools = await door.connect("tools", { clientId: "desk", clean: false });
  await tools.subscribeAsync(["alerts/#", "readings/#"], { qos: 1 }).catch(() => undefined);
  await tools.endAsync();
  await door.broker.publish({ topic: "alerts/krakow/full/bin-1", payload: "raised", qos: 1, retain: true });
  const device = await door.connect("bin-1");
  await device.publishAsync("readings/bin-1", "secret", { qos: 1 });
  await device.endAsync();
  await close(door);

  door = await open({ dir });
  const again = await door.connect("tools", { clientId: "desk2", clean: true });
  const lines = heard(again);
  await again.subscribeAsync("alerts/#", { qos: 1 });
  await until(
    async () => lines,
    (list) => list.length > 0,
  );
  expect(lines).toEqual(["alerts/krakow/full/bin-1 raised"]);
  await again.endAsync();
  const raw = await door.socket();
  raw.send(connectPacket("tools", { clientId: "desk", clean: false }));
  await until(
    async () => raw.received().toString(),
    (text) => text.includes("raised"),
  );
  expect(raw.received().subarray(0, 4).toString("hex")).toBe("20020100");
  expect(raw.received().toString()).not.toContain("secret");
  raw.socket.destroy();
  await door.broker.publish({ topic: "alerts/krakow/full/bin-1", payload: "", qos: 1, retain: true });
  await close(door);

  door = await open({ dir });
  const last = await door.connect("tools", { clientId: "desk3" });
  const none = heard(last);
  await last.subscribeAsync("alerts/#", { qos: 1 });
  await door.broker.publish({ topic: "alerts/x", payload: "mark", qos: 1, retain: false });
  await until(
    async () => none,
    (list) => list.length > 0,
  );
  expect(none).toEqual(["alerts/x mark"]);
  await last.endAsync();
});

const twice = (messageId: number, payload: string, dup = false): Packet => ({
  cmd: "publish",
  topic: "tools/a",
  payload: Buffer.from(payload),
  qos: 2,
  messageId,
  dup,
  retain: false,
});
const answer = (cmd: "pubrec" | "pubrel" | "pubcomp", messageId: number): string =>
  generate({ cmd, messageId }).toString("hex");
const login = connectPacket("tools", { clientId: "desk", clean: false });

test("a QoS 2 message that is sent again before PUBREL is answered and not admitted twice, over a reconnect and a restart", async () => {
  let door = await open({ dir });
  const admitted: string[] = [];
  const send = async (count: number, ...packets: Packet[]): Promise<string> => {
    const raw = await door.socket();
    raw.send(login, ...packets);
    await until(
      async () => raw.received().length,
      (length) => length === 4 + count * 4,
    );
    raw.socket.destroy();
    await raw.closed;
    return raw.received().subarray(4).toString("hex");
  };
  const note = (): void =>
    void admitted.push(...door.admitted.splice(0).map(({ payload }) => Buffer.from(payload).toString()));
  const received = answer("pubrec", 7);
  expect(await send(2, twice(7, "a"), twice(7, "a", true))).toBe(received + received);
  expect(await send(1, twice(7, "a", true))).toBe(received);
  note();
  await close(door);
  door = await open({ dir });
  expect(await send(1, twice(7, "a", true))).toBe(received);
  expect(
    await send(4, twice(7, "a", true), { cmd: "pubrel", messageId: 7 }, twice(7, "b"), twice(8, "c")),
  ).toBe(received + answer("pubcomp", 7) + received + answer("pubrec", 8));
  note();
  expect(admitted).toEqual(["a", "b", "c"]);
  // Under its id, to where its user may not: it is no repeat.
  const raw = await door.socket();
  raw.send(login, { ...twice(7, "b", true), topic: "readings/bin-1" } as Packet);
  await raw.closed;
  expect(raw.received().subarray(4).toString("hex")).toBe("");
});

test("a QoS 2 message that comes again over a new connection while it is on its way to disk is admitted once", async () => {
  const held: (() => void)[] = [];
  const door = await open({ dir, admit: (_run, done) => void held.push(done) });
  const old = await door.socket();
  old.send(login, twice(7, "a"));
  await until(
    async () => held.length,
    (length) => length === 1,
  );
  const raw = await door.socket();
  raw.send(login, twice(7, "a", true), { cmd: "pingreq" });
  await old.closed;
  await until(
    async () => raw.received().length,
    (length) => length === 4,
  );
  // Another one is taken meanwhile: the door had time to read what came before.
  const other = await door.socket();
  other.send(connectPacket("gw-1"), { ...twice(1, "b"), topic: "readings/bin-1", qos: 1 } as Packet);
  await until(
    async () => held.length,
    (length) => length === 2,
  );
  for (const done of held) done();
  await until(
    async () => raw.received().subarray(4).toString("hex"),
    (hex) => hex === `${answer("pubrec", 7)}d000`,
  );
  expect(held).toHaveLength(2);
  for (const { socket } of [raw, other]) socket.destroy();
});

test("an unfinished QoS 2 message of a session that isn't kept is forgotten with its connection", async () => {
  const door = await open({ dir });
  for (const payload of ["a", "b"]) {
    const raw = await door.socket();
    raw.send(connectPacket("tools"), twice(7, payload));
    await until(
      async () => raw.received().length,
      (length) => length === 8,
    );
    raw.socket.destroy();
    await raw.closed;
  }
  expect(door.admitted.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["a", "b"]);
});

test("what is queued for who is away is bounded, and counted beyond", async () => {
  const door = await open({ dir, limits: { offlineMessagesPerClient: 5 } });
  const tools = await door.connect("tools", { clientId: "desk", clean: false });
  await tools.subscribeAsync("alerts/#", { qos: 1 });
  await tools.endAsync();
  for (let n = 0; n < 8; n += 1)
    await door.broker.publish({ topic: "alerts/x", payload: `alert ${n}`, qos: 1, retain: false });
  expect(door.refused()).toMatchObject({ "offline-full": 3 });
  const raw = await door.socket();
  raw.send(connectPacket("tools", { clientId: "desk", clean: false }));
  await until(
    async () => raw.received().toString(),
    (text) => text.includes("alert 0"),
  );
  raw.socket.destroy();
});

/** What a kept session is told between its coming and a mark, oldest first. */
async function told(door: FrontDoor, clientId: string): Promise<string> {
  const raw = await door.socket();
  raw.send(connectPacket("tools", { clientId, clean: false }), {
    cmd: "subscribe",
    messageId: 1,
    subscriptions: [{ topic: "tools/mark", qos: 0 }],
  });
  const mark = Buffer.from("tools/mark");
  await until(
    async () => {
      await door.broker.publish({ topic: "tools/mark", payload: "", qos: 0, retain: false });
      return raw.received();
    },
    (bytes) => bytes.includes(mark),
  );
  raw.socket.destroy();
  await raw.closed;
  return raw.received().toString("latin1");
}

test("a session that begins anew, or that was away too long, leaves nothing of what waited for it", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    let now = 1_000_000;
    const limits = { offlineBytes: 3_300, sessionAgeMs: 10_000 };
    let door = await open({ dir, clock: () => now, limits });
    const waitsFor = async (clientId: string): Promise<void> => {
      const client = await door.connect("tools", { clientId, clean: false });
      await client.subscribeAsync("alerts/#", { qos: 1 });
      await client.endAsync();
      await door.broker.publish({ topic: "alerts/x", payload: `for ${clientId}`, qos: 1, retain: false });
    };
    await waitsFor("desk");
    await (await door.connect("tools", { clientId: "desk", clean: true })).endAsync();
    expect(await told(door, "desk")).not.toContain("for desk");
    await waitsFor("hall");
    now += 20_000;
    vi.advanceTimersByTime(3_600_000);
    await until(
      async () => door.refused()["session-expired"] ?? 0,
      (count) => count === 2,
    );
    expect(await told(door, "hall")).not.toContain("for hall");
    // The bytes that both took are free again: 3,300 hold three of these, which stand the restart.
    await waitsFor("yard");
    for (const payload of ["two", "three"])
      await door.broker.publish({ topic: "alerts/x", payload, qos: 1, retain: false });
    expect(door.refused()["offline-full"]).toBeUndefined();
    await close(door);
    door = await open({ dir, clock: () => now, limits });
    expect(await told(door, "yard")).toMatch(/for yard.*two.*three/s);
  } finally {
    vi.useRealTimers();
  }
});

test("what waits for who is away comes in its order, over restarts", async () => {
  let door = await open({ dir });
  const desk = await door.connect("tools", { clientId: "desk", clean: false });
  await desk.subscribeAsync("tools/#", { qos: 1 });
  await desk.endAsync();
  const sent: string[] = [];
  for (let run = 0; run < 4; run += 1) {
    const sender = await door.connect("tools", { clientId: "sender" });
    for (let n = 0; n < 3; n += 1) {
      sent.push(`<run ${run}, ${n}>`);
      await sender.publishAsync("tools/x", sent.at(-1) ?? "", { qos: 1 });
    }
    await sender.endAsync();
    await close(door);
    door = await open({ dir });
  }
  expect((await told(door, "desk")).match(/<run[^<>]+>/g)).toEqual(sent);
});
