import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "mqtt-packet";
import { expect, test, vi } from "vitest";
import {
  connectPacket,
  doorOfEachTest,
  type FrontDoor,
  openFrontDoor,
  type RawSocket,
  subscribePacket,
} from "./support/front-door.js";
import { until } from "./support/obieg.js";

const held = doorOfEachTest();

const forbidden = Buffer.from([0xc1, 0]);
const shared = (user: string, clean: boolean): Buffer =>
  generate(connectPacket(user, { clientId: "shared", clean }));
/** Connects under the shared id; gives the return code. */
async function come(user: string, clean: boolean): Promise<{ raw: RawSocket; code: number | undefined }> {
  const raw = await held.door.enter(user, { clientId: "shared", clean });
  return { raw, code: raw.received()[3] };
}
/** A CONNECT under the shared id, and what MQTT forbids: right behind it, or so and so many turns later, while it is being let in. */
async function stumble(clean: boolean, turns: number): Promise<void> {
  const raw = await held.door.socket();
  raw.socket.setNoDelay();
  if (turns === 0) raw.send(Buffer.concat([shared("bin-1", clean), forbidden]));
  else {
    raw.send(shared("bin-1", clean));
    for (let turn = 1; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    raw.send(forbidden);
  }
  await raw.closed;
}
async function subscribed(): Promise<RawSocket> {
  const { raw } = await come("bin-1", false);
  raw.send(subscribePacket("rejections/bin-1"));
  await raw.has("suback");
  return raw;
}

test("a connection that is closed while it is let in leaves its client id to whoever comes next", async () => {
  for (let turns = 0; turns < 8; turns += 1) {
    const first = await subscribed();
    first.socket.destroy();
    await first.closed;
    await stumble(true, turns);
    const { raw, code } = await come("tools", true);
    expect(code, `${turns} turns`).toBe(0);
    raw.socket.destroy();
    await raw.closed;
  }
});

test("a connection that is closed while it is let in neither closes nor hides the one under its id", async () => {
  for (let turns = 0; turns < 8; turns += 1) {
    const first = await subscribed();
    await stumble(false, turns);
    // Later on it may have been let in, and so have taken the place.
    if (turns === 0) {
      first.send({ cmd: "pingreq" });
      await first.has("pingresp");
    }
    const { raw, code } = await come("bin-1", false);
    expect(code).toBe(0);
    await first.closed;
    expect((await come("tools", false)).code).toBe(2);
    expect(raw.socket.closed).toBe(false);
    raw.socket.destroy();
    await raw.closed;
  }
});

test("the will of who took a place over is published by the next process, when this one is killed", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const copy = mkdtempSync(join(tmpdir(), "obieg-door-"));
  try {
    const login = (payload: string): object => ({
      clientId: "shared",
      will: { topic: "readings/bin-1", payload: Buffer.from(payload), qos: 1, retain: false },
    });
    const admitted = (where: FrontDoor, count: number): Promise<string[]> =>
      until(
        async () => where.admitted.map(({ payload }) => Buffer.from(payload).toString()),
        (list) => list.length >= count,
      );
    const first = await held.door.enter("bin-1", login("the first is gone"));
    const second = await held.door.enter("bin-1", login("the second is gone"), { cmd: "pingreq" });
    await first.closed;
    await second.has("pingresp");
    expect(await admitted(held.door, 1)).toEqual(["the first is gone"]);
    await held.door.broker.backup(copy);
    const next = await openFrontDoor({ dir: copy });
    try {
      vi.advanceTimersByTime(300_000);
      expect(await admitted(next, 1)).toEqual(["the second is gone"]);
    } finally {
      await next.broker.close();
    }
    second.socket.destroy();
  } finally {
    vi.useRealTimers();
    rmSync(copy, { recursive: true, force: true });
  }
});
