import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Packet } from "mqtt-packet";
import { afterEach, expect, test } from "vitest";
import { type FrontDoor, doorOfEachTest, openFrontDoor } from "./support/front-door.js";

const held = doorOfEachTest();
let copies: string[] = [];
let doors: FrontDoor[] = [];
afterEach(async () => {
  await Promise.all(doors.map(({ broker }) => broker.close()));
  for (const dir of copies) rmSync(dir, { recursive: true, force: true });
  copies = [];
  doors = [];
});
/** What is on disk at this moment, as a process that is killed now leaves it. */
function copyNow(): string {
  const dir = mkdtempSync(join(tmpdir(), "obieg-door-"));
  copies.push(dir);
  copyFileSync(join(held.dir, "broker.mdb"), join(dir, "broker.mdb"));
  return dir;
}
/** The next process, on what the one before left. */
async function openNext(options: Parameters<typeof openFrontDoor>[0]): Promise<FrontDoor> {
  const door = await openFrontDoor(options);
  doors.push(door);
  return door;
}
const twice = (messageId: number, payload: string): Packet => ({
  cmd: "publish",
  topic: "tools/x",
  payload,
  qos: 2,
  messageId,
  dup: false,
  retain: false,
});

test("an id that a hand-shake has ended with is free again, though the process is killed right after its PUBCOMP", async () => {
  const desk = { clientId: "desk", clean: false };
  const raw = await held.door.enter("tools", desk);
  for (let round = 0; round < 10; round += 1) {
    raw.send(twice(7, `before ${round}`));
    await raw.has("pubrec", round + 1);
    const left = new Promise<string>((resolve) => raw.socket.once("data", () => resolve(copyNow())));
    raw.send({ cmd: "pubrel", messageId: 7 });
    const next = await openNext({ dir: await left });
    const back = await next.enter("tools", desk, twice(7, "new"));
    await back.has("pubrec");
    expect(next.admitted.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["new"]);
  }
});

test("an unfinished QoS 2 message of a session that isn't kept goes with the process that is killed", async () => {
  const raw = await held.door.enter("tools", {}, twice(7, "a"));
  await raw.has("pubrec");
  const next = await openNext({ dir: copyNow(), limits: { incoming: 1 } });
  const other = await next.enter("bin-1", {}, { ...twice(1, "b"), topic: "readings/bin-1" } as Packet);
  await other.has("pubrec");
  const same = await next.enter("tools", { clean: false }, twice(7, "c"));
  await same.closed;
  expect(next.admitted.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["b"]);
  expect(next.refused()).toMatchObject({ "incoming-full": 1 });
});
