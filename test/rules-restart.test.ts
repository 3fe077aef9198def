import { afterEach, expect, test } from "vitest";
import { fillRule, minute, RulesBench } from "./rules-fixture.js";

const open: RulesBench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.end();
});
function bench(...parts: ConstructorParameters<typeof RulesBench>): RulesBench {
  const made = new RulesBench(...parts);
  open.push(made);
  return made;
}

test("an open alert survives a restart and resolves after it", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  await b.restart();
  expect(b.engine.position).toBe(1);
  expect(await b.sends(95)).toEqual([]);
  expect(await b.sends(70)).toEqual(["full bin-1 resolved"]);
});

test("a duration that began before a restart goes on after it", async () => {
  const b = bench([fillRule({ for: 10 * minute })]);
  await b.sends(90);
  await b.pass(6 * minute);
  await b.restart();
  expect(await b.judge()).toEqual([]);
  expect(await b.sends(90, { timeMs: b.nowMs + 5 * minute })).toEqual(["full bin-1 raised"]);
});

test("values judged but not saved are judged again to the same end", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  const saved = b.engine.position;
  const calm = [b.value(91), b.value(92)];
  b.engine.fold(calm, b.nowMs);
  const clearing = b.value(10);
  expect(b.engine.fold([clearing], b.nowMs)).toHaveLength(1);
  await b.restart();
  expect(b.engine.position).toBe(saved);
  expect(await b.judge([...calm, clearing])).toEqual(["full bin-1 resolved"]);
});

test("a value that was judged is not judged twice", async () => {
  const b = bench([fillRule()]);
  const over = b.value(90);
  const under = b.value(10);
  await b.judge([over, under]);
  expect(await b.judge([over])).toEqual([]);
});

test("a transition whose transaction failed comes again until it is saved", async () => {
  const b = bench([fillRule()]);
  const transitions = b.engine.fold([b.value(90)], b.nowMs);
  expect(transitions).toHaveLength(1);
  expect(b.engine.dirty).toBe(true);
  expect(await b.judge()).toEqual(["full bin-1 raised"]);
  expect(b.engine.dirty).toBe(false);
  expect(await b.judge()).toEqual([]);
});

test("a transition whose transaction failed after saving comes again too", async () => {
  const b = bench([fillRule()]);
  b.engine.fold([b.value(90)], b.nowMs);
  const failing = b.state.transaction(() => {
    b.engine.save();
    throw new Error("no room");
  });
  await expect(failing).rejects.toThrow("no room");
  expect(b.engine.dirty).toBe(true);
  expect(await b.judge()).toEqual(["full bin-1 raised"]);
  await b.restart();
  expect(await b.sends(70)).toEqual(["full bin-1 resolved"]);
});

test("calm values don't ask for a transaction each", async () => {
  const b = bench([fillRule()]);
  await b.sends(10);
  b.engine.fold([b.value(11)], b.nowMs);
  expect(b.engine.dirty).toBe(false);
  b.nowMs += 10_000;
  b.engine.tick(b.nowMs);
  expect(b.engine.dirty).toBe(true);
});

test("a removed rule resolves its alerts, in words of its own", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  b.engine.setRules([]);
  expect(await b.judge()).toEqual(["full bin-1 resolved"]);
  expect(b.recorded.at(-1)).toMatchObject({
    value: null,
    title: { en: "Bin full" },
    place: "krakow/podgorze",
  });
  b.engine.setRules([fillRule()]);
  expect(await b.sends(95)).toEqual(["full bin-1 raised"]);
});

test("a rule removed while the service was down resolves its alerts at the next start", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  await b.restart([]);
  expect(await b.judge()).toEqual(["full bin-1 resolved"]);
  await b.restart([]);
  expect(await b.judge()).toEqual([]);
});

test("a removed device resolves its alerts", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  b.registry.entries.delete("bin-1");
  b.engine.refresh();
  expect(await b.judge()).toEqual(["full bin-1 resolved"]);
});

test("a device that a rule no longer covers resolves that rule's alert at its old place", async () => {
  const b = bench([fillRule({ place: "krakow/podgorze" })]);
  await b.sends(90);
  b.registry.add({ place: "krakow/nowa-huta" });
  b.engine.refresh();
  expect(await b.judge()).toEqual(["full bin-1 resolved"]);
  expect(b.recorded.at(-1)?.place).toBe("krakow/podgorze");
});

test("a rule given another quantity starts afresh", async () => {
  const b = bench([fillRule()]);
  await b.sends(90);
  b.engine.setRules([fillRule({ quantity: "battery_percent" })]);
  expect(await b.judge()).toEqual(["full bin-1 resolved"]);
  expect(await b.sends(99, { quantity: "battery_percent" })).toEqual(["full bin-1 raised"]);
});

test("rules that a value doesn't concern aren't looked at", () => {
  let looks = 0;
  const others = Array.from({ length: 200 }, (_, n) =>
    Object.defineProperty(fillRule({ id: `other-${n}` }), "quantity", {
      get: () => {
        looks += 1;
        return `other_${n}`;
      },
    }),
  );
  const b = bench([fillRule(), ...others]);
  b.engine.fold([b.value(10)], b.nowMs);
  looks = 0;
  b.engine.fold(
    Array.from({ length: 1_000 }, () => b.value(10)),
    b.nowMs,
  );
  expect(looks).toBe(0);
});
