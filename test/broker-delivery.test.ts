import type { Packet } from "mqtt-packet";
import { afterEach, expect, test, vi } from "vitest";
import { doorOfEachTest, openFrontDoor, type RawSocket, subscribePacket } from "./support/front-door.js";
import { until } from "./support/obieg.js";

const held = doorOfEachTest();
afterEach(() => {
  vi.restoreAllMocks();
});

const topic = "tools/a";
/** First byte of a PUBLISH with QoS 2, first and again, and of a PUBREL. Source: MQTT 3.1.1, 2.2 and 3.3.1. */
const [first, again, released] = [0x34, 0x3c, 0x62];

/** What stands in the bytes that a client received, packet by packet. */
function packetsOf(raw: RawSocket): { head: number; id: number; payload: string }[] {
  const bytes = raw.received();
  const found: ReturnType<typeof packetsOf> = [];
  // No packet here is as long as 128 bytes.
  for (let at = 0; at + 1 < bytes.length; at += 2 + (bytes[at + 1] ?? 0)) {
    const head = bytes[at] ?? 0;
    const body = bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0));
    const idAt = head >> 4 === 3 ? 2 + topic.length : 0;
    if (head >> 4 !== 2 && head >> 4 !== 9)
      found.push({ head, id: body.readUInt16BE(idAt), payload: body.subarray(idAt + 2).toString() });
  }
  return found;
}
const come = (...more: Packet[]): Promise<RawSocket> =>
  held.door.enter("tools", { clientId: "desk", clean: false }, ...more);
const told = (raw: RawSocket, count: number): Promise<ReturnType<typeof packetsOf>> =>
  until(
    async () => packetsOf(raw),
    (list) => list.length === count,
  );
/** Publishes with QoS 2, as a message that comes again. */
async function publishAgain(payload: string): Promise<void> {
  const packet = { cmd: "publish", topic, payload, qos: 2, messageId: 9, dup: true, retain: false } as const;
  const sender = await held.door.enter("tools", {}, packet, { cmd: "pubrel", messageId: 9 });
  await sender.has("pubcomp");
  await sender.leave();
}
const subscribe = subscribePacket(topic, 2);

test("what was sent comes again as such and under its id; what follows under another, as what it is, however its publisher sent it", async () => {
  // aedes' ids begin anywhere: here each connection's begin at the same one.
  vi.spyOn(Math, "random").mockReturnValue(1);
  const raw = await come(subscribe);
  await raw.has("suback");
  await publishAgain("a");
  const [sent] = await told(raw, 1);
  expect(sent).toMatchObject({ head: first, id: 65_535, payload: "a" });
  await raw.leave();
  await publishAgain("b");
  const id = 65_535;
  const back = await come();
  expect(await told(back, 2)).toEqual([
    { head: again, id, payload: "a" },
    { head: first, id: 1, payload: "b" },
  ]);
  await publishAgain("c");
  expect((await told(back, 3)).at(-1)).toEqual({ head: first, id: 2, payload: "c" });
  await back.leave();
});

test("a hand-shake that stopped at PUBREL goes on there after a reconnect and a restart", async () => {
  const raw = await come(subscribe);
  await raw.has("suback");
  await publishAgain("a");
  const id = (await told(raw, 1))[0]?.id ?? 0;
  raw.send({ cmd: "pubrec", messageId: id });
  expect((await told(raw, 2))[1]).toMatchObject({ head: released, id });
  await raw.leave();
  const back = await come();
  expect(await told(back, 1)).toMatchObject([{ head: released, id }]);
  await back.leave();
  await held.door.broker.close();
  held.door = await openFrontDoor({ dir: held.dir });
  const last = await come();
  expect(await told(last, 1)).toMatchObject([{ head: released, id }]);
  last.send({ cmd: "pubcomp", messageId: id }, { cmd: "pingreq" });
  await until(
    async () => last.received().subarray(-2).toString("hex"),
    (hex) => hex === "d000",
  );
  await last.leave();
  await publishAgain("b");
  expect(await told(await come(), 1)).toMatchObject([{ head: first, payload: "b" }]);
});
