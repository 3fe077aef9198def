import { expect, test, vi } from "vitest";
import { type JournalMessage, ObiegError } from "../devices/index.js";
import type { Batch } from "../ingest/batch.js";
import { startIntake } from "../ingest/intake.js";
import { until } from "./support/obieg.js";

const silent = { error: () => undefined, warn: () => undefined, info: () => undefined } as never;

/** An intake over a journal of messages 1 to `durable`, with a record of what it asked for. `upTo`: the last from before the start. */
function open(durable: number, take: (from: number, tries: number) => Promise<void>, upTo = 0) {
  const told: string[] = [];
  let read = 0;
  let tries = 0;
  const intake = startIntake({
    reader: {
      async read(upTo: number, most: number) {
        const count = Math.min(most, upTo - read);
        const messages = Array.from(
          { length: count },
          (_, n) => ({ sequence: read + n + 1 }) as JournalMessage,
        );
        read += count;
        return messages;
      },
      close: async () => void told.push("closed"),
    },
    pipeline: {
      understand(messages) {
        told.push(`understood ${messages[0]?.sequence}`);
        return { messages } as Batch;
      },
      async take({ messages: [first] }, meanwhile) {
        const from = first?.sequence ?? 0;
        told.push(`storing ${from}`);
        await new Promise((resolve) => setImmediate(resolve));
        meanwhile?.();
        tries += 1;
        await take(from, tries);
        told.push(`stored ${from}`);
      },
    },
    position: 0,
    lingerMs: 1,
    batch: { messages: 1_000, bytes: 1e6 },
    backlog: { messages: 1_500, bytes: 1e6, upTo },
    onPosition: (position) => void told.push(`at ${position}`),
    log: silent,
  });
  intake.wake(durable);
  return { intake, told };
}

test("the next batch is understood while the disk is at work on the one before, no more than one ahead, in order", async () => {
  const { intake, told } = open(3_000, async () => undefined);
  await until(
    async () => intake.status.position,
    (position) => position === 3_000,
  );
  await intake.stop();
  expect(told).toEqual([
    "understood 1",
    "storing 1",
    "understood 1001",
    "stored 1",
    "at 1000",
    "storing 1001",
    "understood 2001",
    "stored 1001",
    "at 2000",
    "storing 2001",
    "stored 2001",
    "at 3000",
    "closed",
  ]);
});

test("what waits from before the start is taken in larger batches", async () => {
  const { intake, told } = open(5_000, async () => undefined, 3_000);
  await until(
    async () => intake.status.position,
    (position) => position === 5_000,
  );
  await intake.stop();
  expect(told.filter((line) => line.startsWith("at"))).toEqual(["at 1500", "at 3000", "at 4000", "at 5000"]);
});

test("a batch that fails is told in the status and taken again, before the one that was understood meanwhile", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    const { intake, told } = open(2_000, async (from, tries) => {
      if (tries === 1) throw new ObiegError("history-commit", `no room for ${from}`, { retryable: true });
    });
    await vi.waitUntil(() => intake.status.fault !== undefined);
    expect(intake.status).toMatchObject({ position: 0, fault: { code: "history-commit" } });
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.waitUntil(() => intake.status.position === 2_000);
    await intake.stop();
    expect(intake.status.fault).toBeUndefined();
    expect(told.filter((line) => /^(understood|stored)/.test(line))).toEqual([
      "understood 1",
      "understood 1001",
      "understood 1",
      "stored 1",
      "stored 1001",
    ]);
  } finally {
    vi.useRealTimers();
  }
});
