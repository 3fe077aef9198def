import fc from "fast-check";
import { expect, test } from "vitest";
import type { Rule } from "../devices/index.js";
import type { IdentifiedValue } from "../ingest/stores/port.js";
import { fillRule, minute, RulesBench, startMs, TestRegistry } from "./rules-fixture.js";

const rules: Rule[] = [
  fillRule({ clear: 60 }),
  fillRule({ id: "long", for: 5 * minute }),
  fillRule({ id: "low", above: undefined, below: 20 }),
];

/** A value, by device, number, minutes since the one before, and how late it is (minutes). */
const step = fc.record({
  device: fc.constantFrom("bin-1", "bin-2"),
  value: fc.integer({ min: 0, max: 100 }),
  after: fc.integer({ min: 0, max: 4 }),
  late: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) },
  ),
});

/** What to do after a value: go on in the same batch, commit, commit and fail, or crash. */
const fates = fc.constantFrom("batch", "commit", "fail", "crash");

function valuesOf(
  b: RulesBench,
  steps: readonly { device: string; value: number; after: number; late: number }[],
) {
  let now = startMs;
  return steps.map(({ device, value, after, late }) => {
    now += after * minute;
    return b.value(value, { device, timeMs: now - late * minute, receivedMs: now, late: late > 0 });
  });
}

const registry = (): TestRegistry => new TestRegistry([{ id: "bin-1" }, { id: "bin-2" }]);
const told = (b: RulesBench): string[] =>
  b.recorded.map((one) => `${one.rule} ${one.device} ${one.state} ${one.value} ${one.atMs}`);

test("the same values give the same alerts, however they are batched and wherever it crashes or fails to commit", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fates), { minLength: 1, maxLength: 40 }), async (story) => {
      const steps = story.map(([one]) => one);
      const plain = new RulesBench(rules, registry());
      const rough = new RulesBench(rules, registry());
      try {
        const values = valuesOf(plain, steps);
        for (const value of values) {
          plain.nowMs = value.receivedMs;
          await plain.judge([value]);
        }
        await runRoughly(
          rough,
          values,
          story.map(([, fate]) => fate),
        );
        expect(told(rough)).toEqual(told(plain));
      } finally {
        await plain.end();
        await rough.end();
      }
    }),
    { numRuns: 60, seed: 20261123 },
  );
}, 60_000);

async function runRoughly(
  b: RulesBench,
  values: readonly IdentifiedValue[],
  what: readonly string[],
): Promise<void> {
  let batch: IdentifiedValue[] = [];
  for (const [at, value] of values.entries()) {
    batch.push(value);
    b.nowMs = value.receivedMs;
    if (what[at] === "batch" && at < values.length - 1) continue;
    if (what[at] === "commit" || at === values.length - 1) {
      await b.judge(batch);
    } else {
      b.engine.fold(batch, b.nowMs);
      const failing = b.state.transaction(() => {
        b.engine.save();
        throw new Error("no room");
      });
      await expect(failing).rejects.toThrow("no room");
      if (what[at] === "crash") {
        await b.restart();
        await b.judge(values.slice(b.engine.position, at + 1));
      }
    }
    batch = [];
  }
}
