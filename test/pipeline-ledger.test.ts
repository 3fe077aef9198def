import fc from "fast-check";
import { expect, test } from "vitest";
import { openTestPipeline } from "./support/pipeline.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow, every: 15m }
  - { id: bin-2, class: bin, place: krakow }
`;

const field = fc.oneof(
  fc.record({
    name: fc.constantFrom("fill_percent", "battery_v", "temperature_celsius"),
    value: fc.constantFrom(1, 2, 3.5, 400, null, true),
  }),
  fc.record({
    name: fc.constantFrom("no_such", "weight_kg", "constructor"),
    value: fc.constantFrom(1, "text", null),
  }),
);
const reading = fc
  .tuple(
    fc.option(fc.constantFrom(nowMs, nowMs - 60_000, nowMs - 86_400_000, nowMs + 3_600_000, "nonsense", -1)),
    fc.array(field, { maxLength: 4 }),
  )
  .map(([time, fields]) => ({
    ...(time === null ? {} : { time }),
    ...Object.fromEntries(fields.map(({ name, value }) => [name, value])),
  }));
const message = fc.record({
  topic: fc.constantFrom("readings/bin-1", "readings/bin-2", "readings/bin-9", "tools/x", "readings/"),
  payload: fc.oneof(
    reading.map((one) => JSON.stringify(one)),
    fc.array(reading, { maxLength: 3 }).map((list) => JSON.stringify(list)),
    fc.constantFrom("", "{", "null", "[[]]", "12", '{"fill_percent": NaN}'),
    fc.uint8Array({ maxLength: 40 }),
  ),
  receivedMs: fc.constantFrom(nowMs, nowMs - 5_000, nowMs - 86_400_000),
});

test("the ledger adds up under any mixture of messages, in any batches, and after a replay", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(message, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
      async (batches) => {
        const works = await openTestPipeline(city, nowMs);
        try {
          for (const batch of batches) await works.take(batch);
          const sent = batches.flat().length;
          const check = async (): Promise<void> => {
            const accounts = await works.history.ledger({ fromDay: "2026-11-20", toDay: "2026-11-24" });
            expect(accounts.filter(({ balanced }) => !balanced)).toEqual([]);
            expect(accounts.reduce((sum, { messages }) => sum + messages.received, 0)).toBe(sent);
            const stored = accounts.reduce((sum, { values }) => sum + values.stored, 0);
            expect((await works.history.readings({ limit: 10_000 })).items).toHaveLength(stored);
            const { items } = await works.history.quarantine({ status: "open", limit: 10_000 });
            const whole = items.filter((entry) => entry.whole).length;
            const fields = items.reduce((sum, entry) => sum + entry.count, 0);
            expect(accounts.reduce((sum, { messages }) => sum + messages.quarantined, 0)).toBe(whole);
            expect(accounts.reduce((sum, { values }) => sum + values.quarantined, 0)).toBe(fields);
          };
          await check();
          await works.registry.putDevice({ id: "bin-9", class: "bin", place: "krakow" }, "test");
          const { items } = await works.history.quarantine({ status: "open", limit: 10_000 });
          await works.pipeline.replay(items, "test");
          await check();
        } finally {
          await works.close();
        }
      },
    ),
    { numRuns: 40 },
  );
}, 120_000);
