import { expect, test } from "vitest";
import { Trimming } from "../ingest/trimming.js";

test("what is processed during a backup is told at once, and let go when the last backup ends, whether a batch comes or not", async () => {
  const told: string[] = [];
  let position = 5;
  const trimming = new Trimming({
    position: () => position,
    processed: (sequence) => told.push(`processed ${sequence}`),
    trim: (sequence) => told.push(`trim ${sequence}`),
  });
  trimming.tell();
  expect(told.splice(0)).toEqual(["processed 5", "trim 5"]);
  const ends: (() => void)[] = [];
  const backup = (): Promise<void> => trimming.hold(() => new Promise<void>((resolve) => ends.push(resolve)));
  const backups = [backup(), backup()];
  position = 9;
  trimming.tell();
  ends[0]?.();
  await backups[0];
  expect(told.splice(0)).toEqual(["processed 9", "processed 9"]);
  ends[1]?.();
  await backups[1];
  expect(told.splice(0)).toEqual(["processed 9", "trim 9"]);
  await expect(trimming.hold(() => Promise.reject(new Error("no room")))).rejects.toThrow("no room");
  expect(told).toEqual(["processed 9", "trim 9"]);
});
