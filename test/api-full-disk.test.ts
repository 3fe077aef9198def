import { join } from "node:path";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRegistry } from "../devices/index.js";
import { openView, type ViewParts } from "../ingest/view.js";
import { cookieIn, type FakeServer, logIn, startFakeServer } from "./support/fake-server.js";
import { makeFolder, removeFolder } from "./support/obieg.js";
import { mountSmallDisk, noSmallDisk, type SmallDisk } from "./support/small-disk.js";

const folder = makeFolder();
let disk: SmallDisk;
let server: FakeServer;
beforeEach(async () => {
  if (noSmallDisk !== undefined) return;
  disk = mountSmallDisk(join(folder, "disk"), 20);
  server = await startFakeServer({ dir: join(disk.dir, "state") });
});
afterEach(async () => {
  if (noSmallDisk === undefined) {
    await server.close();
    disk.remove();
  }
  removeFolder(folder);
});

const ready = (): Promise<LightMyRequestResponse> => server.app.inject({ url: "/readyz" });
const whoAmI = (id: string): Promise<LightMyRequestResponse> =>
  server.app.inject({ url: "/api/v1/session", cookies: { obieg_session: id } });

/** Lets the state grow until the disk takes no more of it. */
async function grow(): Promise<void> {
  const table = server.state.table<Buffer, number>("growing");
  for (let n = 0; n < 1_000; n += 1)
    await server.state.transaction(() => void table.put(n, Buffer.alloc(100_000, n)));
}

test.skipIf(noSmallDisk !== undefined)(
  "on a full disk a session goes on under its old id, and /readyz says that the state can't be written",
  async () => {
    const { state } = server;
    const registry = openRegistry(state, () => server.clock.ms);
    // What its readiness looks at, and little more of the works.
    const presence = { onChange: () => undefined };
    const parts = {
      state,
      registry,
      door: () => ({ journal: {} }),
      intake: () => ({}),
      pipeline: { presence },
    };
    const { view } = openView(parts as unknown as ViewParts);
    server.view.ready = () => view.ready();

    const id = cookieIn(await logIn(server, "olga"));
    expect((await ready()).json()).toEqual({ ready: true, reasons: [] });
    disk.fill();
    await expect(grow()).rejects.toMatchObject({ code: "state-commit" });
    server.clock.ms += 900_000;
    const answer = await whoAmI(id);
    expect([answer.statusCode, answer.body, cookieIn(answer)]).toEqual([
      200,
      JSON.stringify({ user: "olga", role: "operator" }),
      "",
    ]);
    const told = await ready();
    expect([told.statusCode, told.json()]).toMatchObject([
      503,
      { ready: false, reasons: [{ code: "state-commit" }] },
    ]);

    disk.empty();
    expect((await ready()).statusCode).toBe(200);
    const renewed = cookieIn(await whoAmI(id));
    expect(renewed).not.toBe("");
    expect((await whoAmI(renewed)).statusCode).toBe(200);
  },
);
