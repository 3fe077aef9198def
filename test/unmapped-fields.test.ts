import { afterEach, beforeEach, expect, test } from "vitest";
import type { JournalMessage } from "../devices/index.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { type Unmapped, UnmappedBook, type UnmappedSighting } from "../ingest/unmapped.js";
import { collect } from "./support/heap.js";
import { makeFolder, removeFolder } from "./support/obieg.js";

let dir: string;
let state: StateStore;
beforeEach(() => {
  dir = makeFolder();
  state = openState(dir);
});
afterEach(async () => {
  await state.close();
  removeFolder(dir);
});

const found = (field: string, topic = "plug/data"): Unmapped => {
  const from = { user: "plug", clientId: "plug", qos: 1 as const, receivedMs: 1_000 };
  const message: JournalMessage = { sequence: 1, topic, payload: Buffer.alloc(0), ...from };
  return { message, device: "plug", fields: [{ field, value: 1, path: "/x" }] };
};
const keptOf = (): UnmappedSighting[] =>
  [...state.table<UnmappedSighting, string>("unmapped").getRange()].map(({ value }) => value);

test("a field's long name is kept short, in memory and on disk; two that differ only behind the cut are one, with one entry", async () => {
  const book = new UnmappedBook(state);
  const long = `${"a".repeat(199)}😀${"b".repeat(250_000)}`;
  const both = [found(`${long} 1`, "t".repeat(60_000)), found(`${long} 2`)];
  expect(book.entriesOf(both)).toMatchObject([
    { detail: expect.stringMatching(/^a{100} \(1\) has no/) as string },
  ]);
  book.count(both);
  await book.save();
  const sighting = { field: `${"a".repeat(199)}\ufffd`, topic: "t".repeat(1_000), count: 2 };
  expect(book.list()).toMatchObject([sighting]);
  expect(keptOf()).toMatchObject([sighting]);

  const again = new UnmappedBook(state);
  expect(again.entriesOf(both)).toEqual([]);
  again.count(both);
  expect(again.list()).toMatchObject([{ ...sighting, count: 4 }]);
});

test("what an older version kept whole is cut when it is read, and on disk with the next save", async () => {
  const field = "x".repeat(250_000);
  const older = { device: "plug", field, topic: "plug/data", count: 7, firstMs: 1, lastMs: 2, value: 3 };
  const table = state.table<UnmappedSighting, string>("unmapped");
  await state.transaction(() => void table.put(`plug\n${field.slice(0, 200)}`, older));
  const book = new UnmappedBook(state);
  const short = [{ ...older, field: "x".repeat(200) }];
  expect(book.list()).toEqual(short);
  expect(book.entriesOf([found(field)])).toEqual([]);
  await book.save();
  expect(keptOf()).toEqual(short);
});

test("of long names that formats have cut already no more than the cut stays in memory", async () => {
  const book = new UnmappedBook(state);
  const count = (): void => {
    for (let n = 0; n < 200; n += 1) {
      const whole = Buffer.alloc(250_000, `${n} `).toString();
      book.count([found(whole.slice(0, 200))]);
    }
  };
  collect();
  const before = process.memoryUsage().heapUsed;
  count();
  await book.save();
  count();
  collect();
  expect(book.list()).toHaveLength(200);
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(5);
});
