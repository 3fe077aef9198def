import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accountsOf } from "./support/accounts.js";
import { openTestPipeline, storedLines } from "./support/pipeline.js";
import { type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";
import { openSharedHistory, type SharedHistory } from "./support/shared-history.js";

const dir = join(import.meta.dirname, "cases");
/** A case's own city, or the one that they share. */
const cityOf = (name: string): string => {
  const own = join(dir, name, "city.yaml");
  return readFileSync(existsSync(own) ? own : join(dir, "city.yaml"), "utf8");
};
const linesOf = <T>(name: string, file: string): T[] =>
  readFileSync(join(dir, name, file), "utf8")
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
const names = readdirSync(dir, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

let shared: SharedHistory;
beforeAll(async () => {
  shared = await openSharedHistory();
});
afterAll(() => shared.close());

test.each(names)("golden case %s", async (name) => {
  const input = linesOf<{
    topic: string;
    payload?: string;
    hex?: string;
    sparkplug?: SparkplugPayload;
    receivedAt: string;
  }>(name, "input.jsonl");
  const works = await openTestPipeline(
    cityOf(name),
    Date.parse("2026-11-23T10:00:10Z"),
    undefined,
    undefined,
    (options) => shared.open(options),
  );
  try {
    await works.take(
      input.map(({ topic, payload, hex = "", sparkplug, receivedAt }) => ({
        topic,
        payload: payload ?? (sparkplug ? sparkplugBytes(sparkplug) : Buffer.from(hex, "hex")),
        receivedMs: Date.parse(receivedAt),
      })),
    );
    const accounts = await accountsOf(works.history, { fromDay: "2026-01-01", toDay: "2026-12-31" });
    expect(accounts.filter(({ balanced }) => !balanced)).toEqual([]);
    expect(accounts.reduce((sum, { messages }) => sum + messages.received, 0)).toBe(input.length);
    const ignored = accounts.reduce((sum, { messages }) => sum + messages.ignored, 0);
    const got = [
      ...(ignored > 0 ? [{ ignored }] : []),
      ...works.answers.map(({ topic }) => ({ answered: topic })),
      ...works.registry.devices().flatMap(({ id }) => {
        const presence = works.pipeline.presence.of(id);
        return presence
          ? [{ device: id, online: presence.online, since: new Date(presence.sinceMs).toISOString() }]
          : [];
      }),
      ...(await storedLines(works)),
    ];
    const inOrder = (list: unknown[]): unknown[] =>
      list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    expect(inOrder(got)).toEqual(inOrder(linesOf(name, "expected.jsonl")));
  } finally {
    await works.close();
  }
});
