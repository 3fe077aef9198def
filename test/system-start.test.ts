import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { makeFolder, removeFolder, until } from "./support/obieg.js";

const root = join(import.meta.dirname, "..");
const left = new Set([".git", "node_modules", "dist", "data", "test"]);
const folder = makeFolder();
const started: Run[] = [];
afterAll(async () => {
  for (const run of started) await run.stop();
  removeFolder(folder);
});

interface Run {
  password: string;
  http: string;
  /** Ctrl-C; resolves when the data folder was let go. */
  stop(): Promise<void>;
}

/** Types `npm start` in the copy and waits for its `ready` line. */
async function npmStart(): Promise<Run> {
  const env = { ...process.env };
  delete env["OBIEG_ADMIN_PASSWORD"];
  const child = spawn("npm", ["start", "--", "--mqtt-port", "0", "--http-port", "0"], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const out: string[] = [];
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-20_000);
  });
  const exited = once(child, "exit");
  const http = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      out.push(line);
      const ready = /^ready mqtt=\S+ http=(\S+)$/.exec(line);
      if (ready) resolve(ready[1] ?? "");
    });
    void exited.then(([code]) => reject(new Error(`npm start ended with ${String(code)}:\n${log}`)));
  });
  const run: Run = {
    http,
    password: out.map((line) => /^login admin (\S+)$/.exec(line)?.[1]).find((one) => one !== undefined) ?? "",
    // Ctrl-C in a terminal reaches the whole group; npm itself goes at once, the service when it is done.
    async stop() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, "SIGINT");
        await exited;
      }
      await until(
        async () => existsSync(join(folder, "data/lock")),
        (held) => !held,
      );
    },
  };
  started.push(run);
  return run;
}

/** Logs in as the page does, and asks. */
async function asAdmin({ http, password }: Run, path: string): Promise<{ status: number; body: unknown }> {
  const session = await fetch(`${http}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: "admin", password }),
  });
  const cookie = session.headers.get("set-cookie")?.split(";")[0] ?? "";
  const answer = await fetch(`${http}/api/v1${path}`, { headers: { cookie } });
  return { status: answer.status, body: await answer.json() };
}

test("npm start alone, in a folder with nothing but the source, runs the demo city; Ctrl-C stops it; a second start keeps the data", async () => {
  for (const name of readdirSync(root))
    if (!left.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true });

  const first = await npmStart();
  const alive = await until(
    async () => (await asAdmin(first, "/overview")).body as { devices: { alive: number }; demo: boolean },
    ({ devices }) => devices.alive === 46,
    30_000,
  );
  expect(alive.demo).toBe(true);
  const page = await fetch(first.http, { headers: { accept: "text/html" } });
  expect(await page.text()).toContain('<div id="root">');
  const from = "2020-01-01T00:00:00Z";
  const oldest = async (run: Run): Promise<unknown[]> =>
    ((await asAdmin(run, `/readings?device=bin-0001&from=${from}&limit=50`)).body as { items: unknown[] })
      .items;
  const received = async (run: Run): Promise<number> => {
    const { items } = (await asAdmin(run, "/ledger")).body as { items: { messages: { received: number } }[] };
    return items.reduce((sum, { messages }) => sum + messages.received, 0);
  };
  const before = await until(
    () => received(first),
    (count) => count > 20,
  );
  await first.stop();
  expect(readdirSync(join(folder, "data"))).not.toContain("run.json");

  const second = await npmStart();
  expect(second.password).not.toBe("");
  expect(await received(second)).toBeGreaterThanOrEqual(before);
  expect(await oldest(second)).toHaveLength(50);
  await second.stop();
}, 240_000);
