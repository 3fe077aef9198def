import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { fakeClock } from "./support/fake-clock.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

let dir: string;
let obieg: Obieg;
beforeEach(() => {
  dir = makeFolder();
});
afterEach(async () => {
  await obieg.stop();
  removeFolder(dir);
});

const start = async (maxBytes: number, env: Record<string, string> = {}): Promise<void> => {
  const config = `journal: { maxBytes: ${maxBytes}, segmentBytes: 262144 }\n`;
  obieg = await startObieg({ dir, city: testCity(), config, env: { ...secrets, ...env } });
};
/** Some 3 MB of readings; resolves when they are processed. */
async function send(): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "bin-1",
    password: secrets.BIN_SECRET,
    reconnectPeriod: 0,
  });
  const padding = " ".repeat(100_000);
  for (let n = 0; n < 30; n += 1)
    await client.publishAsync("readings/bin-1", `{"fill_percent": ${n}${padding}}`, { qos: 1 });
  await client.endAsync();
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
  );
}
const archived = (): string[] =>
  existsSync(join(dir, "data/archive"))
    ? readdirSync(join(dir, "data/archive"))
        .filter((name) => name.endsWith(".gz"))
        .toSorted()
    : [];

test("a journal at its bound that is processed is let go at the next start", async () => {
  await start(2 ** 24);
  await send();
  await until(
    async () => archived(),
    (names) => names.length >= 8,
  );
  await obieg.stop();
  // As a process leaves it that was killed between its last batch and what that batch let go.
  for (const name of archived()) {
    const segment = `${name.slice(0, 16)}.journal`;
    writeFileSync(
      join(dir, "data/journal", segment),
      gunzipSync(readFileSync(join(dir, "data/archive", name))),
    );
    rmSync(join(dir, "data/archive", name));
  }
  const maxBytes = 2 ** 21;
  await start(maxBytes);
  await until(
    async () => Number(/^obieg_journal_bytes (\d+)$/m.exec((await obieg.api("/metrics")).text)?.[1]),
    (bytes) => bytes < maxBytes / 2,
  );
  await send();
});

test("a clock that stands far ahead at a start empties no archive", async () => {
  await start(2 ** 24);
  const begun = Date.now();
  await send();
  const before = await until(
    async () => archived(),
    (names) => names.length >= 8,
  );
  // The time that is gone by is kept for the first time.
  await until(
    async () => Date.now() - begun,
    (ms) => ms > 7_000,
  );
  await obieg.stop();
  await start(2 ** 24, fakeClock({ FAKETIME: "+40d", NO_FAKE_STAT: "1" }));
  const again = Date.now();
  await send();
  await until(
    async () => Date.now() - again,
    (ms) => ms > 7_000,
  );
  await send();
  const after = await until(
    async () => archived(),
    (names) => names.length >= before.length + 16,
  );
  expect(after.slice(0, before.length)).toEqual(before);
});
