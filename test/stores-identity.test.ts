import * as fc from "fast-check";
import { expect, test } from "vitest";
import { noonMs, openTestHistory, take, valueAt, gathered } from "./support/stores-history.js";

const reading = fc.record({
  device: fc.constantFrom("d0", "d1", "d2"),
  slot: fc.integer({ min: 0, max: 6 }),
  value: fc.constantFrom(1, 2),
  attributes: fc.constantFrom("", '{"fraction":"paper"}'),
});

test("identity judges any order of values as a plain map would, across batches, seals and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          batch: fc.array(reading, { maxLength: 12 }),
          next: fc.constantFrom("go on", "forget first", "restart", "seal"),
        }),
        { maxLength: 6 },
      ),
      async (rounds) => {
        const opened = await openTestHistory();
        let { history } = opened;
        const model = new Map<string, number>();
        let sequence = 0;
        for (const { batch, next } of rounds) {
          const values = batch.map(({ slot, ...own }) =>
            valueAt(noonMs - 5 * 86_400_000 + slot * 28_800_000, own.value, own),
          );
          if (next === "forget first") {
            await history.identify(gathered(history, values));
            await history.forget();
          }
          const identified = await take(history, values);
          for (const value of identified) {
            const key = `${value.device} ${value.timeMs} ${value.attributes}`;
            const known = model.get(key);
            const verdict = known === undefined ? "stored" : known === value.value ? "duplicate" : "conflict";
            if (known === undefined) model.set(key, value.value);
            expect(value.verdict).toBe(verdict);
            expect(value.sequence).toBe(verdict === "stored" ? (sequence += 1) : 0);
          }
          if (next === "seal") await history.maintain(opened.clock.nowMs);
          if (next === "restart") {
            await history.close();
            ({ history } = await openTestHistory({ dir: opened.dir }));
          }
          expect(history.lastSequence).toBe(sequence);
        }
        const stored = await history.readings({ limit: 1_000 });
        const read = new Map(
          stored.items.map((item) => [
            `${item.device} ${item.timeMs} ${item.attributes["fraction"] ? '{"fraction":"paper"}' : ""}`,
            item.value,
          ]),
        );
        expect(read).toEqual(model);
        expect(stored.items.length).toBe(model.size);
        await history.close();
      },
    ),
    { numRuns: 15 },
  );
});

test("a value is late when it is older than its series' newest or came long after its time", async () => {
  const { history } = await openTestHistory();
  const [newer, older, slow] = await take(history, [
    valueAt(noonMs, 1),
    valueAt(noonMs - 1_000, 1),
    valueAt(noonMs + 1_000, 1, { receivedMs: noonMs + 7_200_000 }),
  ]);
  expect([newer?.late, older?.late, slow?.late]).toEqual([false, true, true]);
  await history.close();
});

test("stored values are read forward by sequence in whole messages", async () => {
  const { history } = await openTestHistory();
  const values = Array.from({ length: 10 }, (_, i) =>
    valueAt(noonMs + i, i, { message: 1 + Math.floor(i / 4) }),
  );
  await take(history, values);
  const first = [...(await history.after(0, 2))];
  expect(first.map((value) => value.sequence)).toEqual([1, 2, 3, 4]);
  const rest = [...(await history.after(4, 100))];
  expect(rest.map((value) => value.value)).toEqual([4, 5, 6, 7, 8, 9]);
  expect([...(await history.after(10, 100))]).toEqual([]);
  await history.close();
});

test("the newest value of each quantity is known after a restart too", async () => {
  const { history, dir } = await openTestHistory();
  await take(history, [valueAt(noonMs, 7), valueAt(noonMs - 5, 6), valueAt(noonMs, 3, { device: "d1" })]);
  const before = await history.latest();
  await history.close();
  const { history: again } = await openTestHistory({ dir });
  expect(await again.latest()).toEqual(before);
  expect((await again.latest(["d1"])).map((item) => item.value)).toEqual([3]);
  await again.close();
});
