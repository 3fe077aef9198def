import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg } from "./support/obieg.js";

let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

/** Writes down the system calls of the running process while `body` runs. */
async function traced(body: () => Promise<void>): Promise<string[]> {
  const file = join(obieg.dir, "trace");
  const calls = "trace=fdatasync,pwrite64,pwritev,write,writev,sendmsg";
  const child = spawn(
    "/usr/bin/strace",
    ["-f", "-y", "-e", calls, "-s", "400", "-o", file, "-p", String(obieg.process.pid)],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("attached")) resolve();
    });
    void exited.then(() => reject(new Error(`strace ended: ${said}`)));
  });
  await body();
  child.kill("SIGINT");
  await exited;
  return readFileSync(file, "utf8").split("\n");
}

/** Line of the first match at or after `from`; fails when there is none. */
const lineOf = (lines: string[], pattern: RegExp, from: number): number => {
  const at = lines.findIndex((line, n) => n >= from && pattern.test(line));
  expect(at, `${String(pattern)} after line ${from}`).toBeGreaterThanOrEqual(0);
  return at;
};

const synced = /fdatasync\(\d+<[^>]*\/journal\/[^>]*>\) += 0|fdatasync resumed>.*= 0/;

test("the journal is synced before each PUBACK and before each 202 leaves", async () => {
  const marks = Array.from({ length: 6 }, (_, n) => `${n + 10}.${1_234 + n}`);
  const lines = await traced(async () => {
    for (const [n, mark] of marks.entries()) {
      const payload = `{"fill_percent": ${mark}}`;
      if (n % 2 === 0) {
        const login = { user: "bin-1", secret: secrets.BIN_SECRET };
        expect((await mosquittoPub(obieg.mqttPort, login, "readings/bin-1", payload)).code).toBe(0);
      } else {
        const headers = { "content-type": "application/json" };
        const answer = await obieg.api("/api/v1/readings/bin-1", { method: "POST", headers, body: payload });
        expect(answer.status).toBe(202);
      }
    }
  });
  for (const [n, mark] of marks.entries()) {
    const written = lineOf(
      lines,
      new RegExp(`pwrite\\w*\\(\\d+<[^>]*/journal/.*${mark.replace(".", "\\.")}`),
      0,
    );
    const durable = lineOf(lines, synced, written);
    const puback = /writev?\(\d+<socket.*(?:iov_base="@", iov_len=1|"@\\2)/;
    const told = lineOf(lines, n % 2 === 0 ? puback : /HTTP\/1\.1 202/, written);
    expect(told).toBeGreaterThan(durable);
  }
});

test("the journal and the id are synced before a PUBREC leaves", async () => {
  const login = { user: "bin-1", secret: secrets.BIN_SECRET };
  const publish = async (payload: string): Promise<void> => {
    const more = ["-q", "2", "-i", "desk", "-c"];
    expect((await mosquittoPub(obieg.mqttPort, login, "readings/bin-1", payload, more)).code).toBe(0);
  };
  // The first one's session is put on disk too.
  await publish('{"fill_percent": 32.4567}');
  const lines = await traced(() => publish('{"fill_percent": 33.4567}'));
  const written = lineOf(lines, /pwrite\w*\(\d+<[^>]*\/journal\/.*33\.4567/, 0);
  const durable = lineOf(lines, synced, written);
  const noted = lineOf(lines, /p?write\w*\(\d+<[^>]*\/broker\.mdb>/, durable);
  const isKept = /fdatasync\(\d+<[^>]*\/broker\.mdb>\) += 0|fdatasync resumed>.*= 0/;
  const told = lineOf(lines, /writev?\(\d+<socket.*(?:iov_base="P", iov_len=1|"P\\2)/, written);
  expect(told).toBeGreaterThan(lineOf(lines, isKept, noted));
});
