import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDataFolder } from "../ingest/folder-lock.js";
import { makeFolder, removeFolder, startObieg } from "./support/obieg.js";

let dir: string;
let file: string;
beforeEach(() => {
  dir = makeFolder();
  file = join(dir, "lock");
});
afterEach(() => removeFolder(dir));

/** A lock as a process in another container leaves it. */
const leaveLock = (ageMs: number): void => {
  writeFileSync(file, "1 4711 pid:[1]@another-boot\n");
  const then = new Date(Date.now() - ageMs);
  utimesSync(file, then, then);
};

test("a folder is taken once, and again when it was released", async () => {
  const lock = await lockDataFolder(dir);
  expect(readFileSync(file, "utf8")).toMatch(
    new RegExp(`^${process.pid} \\d+ pid:\\[\\d+\\]@[0-9a-f-]+\\n$`),
  );
  lock.release();
  expect(existsSync(file)).toBe(false);
  (await lockDataFolder(dir)).release();
});

test("a holder that runs here is told, one that is gone is none", async () => {
  const holder = spawn("sleep", ["60"]);
  await once(holder, "spawn");
  const world = async (): Promise<string> => {
    const lock = await lockDataFolder(dir);
    const [, , found = ""] = readFileSync(file, "utf8").trim().split(" ");
    lock.release();
    return found;
  };
  writeFileSync(file, `${holder.pid}  ${await world()}\n`);
  await expect(lockDataFolder(dir)).rejects.toMatchObject({
    code: "data-folder-in-use",
    message: expect.stringContaining(`by process ${holder.pid}:`),
  });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  (await lockDataFolder(dir)).release();
});

test("a lock from another container holds as long as it is touched", async () => {
  leaveLock(0);
  const beat = setInterval(() => utimesSync(file, new Date(), new Date()), 1_000);
  try {
    await expect(lockDataFolder(dir)).rejects.toMatchObject({
      code: "data-folder-in-use",
      message: expect.stringContaining("another container"),
    });
  } finally {
    clearInterval(beat);
  }
  // Its process was killed just now: after a while it is seen that nobody touches it.
  (await lockDataFolder(dir)).release();
  leaveLock(60_000);
  (await lockDataFolder(dir)).release();
});

test("a service's folder isn't taken from another namespace of processes", async () => {
  const obieg = await startObieg({ dir });
  const main = join(import.meta.dirname, "../dist/main.js");
  const args = ["--pid", "--fork", "--mount-proc", process.execPath, main];
  const other = spawn("unshare", [...args, "history", "rebuild", "--data", obieg.data]);
  let said = "";
  other.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(other, "close")) as [number];
  expect(said).toContain("data-folder-in-use");
  expect(code).toBe(1);
  expect(existsSync(join(obieg.data, "history.duckdb"))).toBe(true);
  expect(readFileSync(join(obieg.data, "lock"), "utf8")).toMatch(new RegExp(`^${obieg.process.pid} `));
  expect(await obieg.stop()).toBe(0);
});
