import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate, type Packet } from "mqtt-packet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Audience } from "../broker/audience.js";
import { connectPacket, type FrontDoor, openFrontDoor } from "./support/front-door.js";
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

test("an audience counts each listener of a filter, and forgets a session with it", () => {
  const audience = new Audience();
  audience.add("a/#");
  audience.add("a/#");
  audience.keep("ear", ["b/+", "c"]);
  expect(["a/b", "b/c", "c", "d"].map((topic) => audience.hears(topic))).toEqual([true, true, true, false]);
  audience.remove("a/#");
  expect(audience.hears("a/b")).toBe(true);
  audience.remove("a/#");
  audience.keep("ear", ["c"]);
  expect(["a/b", "b/c", "c"].map((topic) => audience.hears(topic))).toEqual([false, false, true]);
  audience.keep("ear", []);
  expect(audience.hears("c")).toBe(false);
});
