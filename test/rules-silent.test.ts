import { afterEach, expect, test } from "vitest";
import type { Rule, SilentRule } from "../devices/index.js";
import { fillRule, minute, RulesBench, startMs, TestRegistry } from "./rules-fixture.js";

const open: RulesBench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.end();
});
function bench(...parts: ConstructorParameters<typeof RulesBench>): RulesBench {
  const made = new RulesBench(...parts);
  open.push(made);
  return made;
}
function silent(parts: Partial<SilentRule> = {}): Rule {
  return {
    id: "silent",
    kind: "silent",
    times: 3,
    severity: "critical",
    title: { pl: "Milczy", en: "Silent" },
    ...parts,
  };
}

test("a device is silent after its intervals without a value, and back with the next", async () => {
  const b = bench([silent()]);
  await b.judge();
  expect(await b.pass(44 * minute)).toEqual([]);
  expect(await b.pass(minute)).toEqual(["silent bin-1 raised"]);
  expect(await b.pass(90 * minute)).toEqual([]);
  expect(await b.sends(10)).toEqual(["silent bin-1 resolved"]);
  expect(await b.pass(45 * minute)).toEqual(["silent bin-1 raised"]);
  expect(b.recorded[0]).toMatchObject({
    quantity: null,
    limit: 2_700,
    value: 2_700,
    unit: "s",
    sinceMs: startMs,
  });
});

test("every value puts the deadline off", async () => {
  const b = bench([silent()]);
  for (let round = 0; round < 20; round += 1) {
    b.nowMs += 40 * minute;
    expect(await b.sends(10)).toEqual([]);
  }
});

test("with a quantity only that one counts", async () => {
  const b = bench([silent({ quantity: "battery_v" })]);
  await b.judge();
  await b.pass(44 * minute);
  await b.sends(10);
  expect(await b.pass(minute)).toEqual(["silent bin-1 raised"]);
  expect(await b.sends(3.6, { quantity: "battery_v" })).toEqual(["silent bin-1 resolved"]);
});

test("a device without a reporting interval is never silent", async () => {
  const registry = new TestRegistry([]);
  registry.entries.set("bin-1", {
    id: "bin-1",
    class: "bin",
    place: "krakow",
    sinceMs: startMs,
  });
  const b = bench([silent()], registry);
  await b.judge();
  expect(await b.pass(100_000 * minute)).toEqual([]);
});

test("values delivered late are a sign of life, replayed ones are not", async () => {
  const b = bench([silent()]);
  await b.sends(10);
  await b.pass(40 * minute);
  await b.sends(10, { timeMs: startMs - minute, late: true });
  expect(await b.pass(44 * minute)).toEqual([]);
  expect(
    await b.sends(11, { timeMs: startMs - 2 * minute, receivedMs: startMs - minute, message: 0 }),
  ).toEqual([]);
  expect(await b.pass(minute)).toEqual(["silent bin-1 raised"]);
});

test("time during which the service was down is not silence of the devices", async () => {
  const b = bench([silent()]);
  await b.sends(10);
  await b.pass(30 * minute);
  await b.restart();
  b.nowMs += 600 * minute;
  expect(await b.judge()).toEqual([]);
  expect(await b.pass(14 * minute)).toEqual([]);
  expect(await b.pass(31 * minute)).toEqual(["silent bin-1 raised"]);
});

test("a backlog judged after a restart makes nobody silent", async () => {
  const b = bench([silent()]);
  await b.sends(10);
  const missed = b.value(11, { timeMs: b.nowMs + 40 * minute, receivedMs: b.nowMs + 40 * minute });
  await b.restart();
  b.nowMs += 6_000 * minute;
  expect(await b.judge([missed])).toEqual([]);
  expect(await b.pass(44 * minute)).toEqual([]);
});

test("a clock set back an hour neither raises nor loses a deadline", async () => {
  const b = bench([silent()]);
  await b.sends(10);
  expect(await b.pass(-60 * minute)).toEqual([]);
  expect(await b.pass(20 * minute)).toEqual([]);
  expect(await b.sends(10)).toEqual([]);
  expect(await b.pass(44 * minute)).toEqual([]);
  expect(await b.pass(minute)).toEqual(["silent bin-1 raised"]);
});

test("a clock set ahead a day raises nothing when a steady clock says so", async () => {
  let steady = 0;
  const b = bench([silent(), fillRule({ for: 60 * minute })], new TestRegistry(), {
    monotonic: () => steady,
  });
  await b.sends(90);
  b.nowMs += 86_400_000;
  steady += 1_000;
  expect(await b.judge()).toEqual([]);
  b.nowMs += 45 * minute;
  steady += 45 * minute;
  expect(await b.judge()).toEqual(["silent bin-1 raised"]);
});

test("after a clock that was a day ahead was mended, thresholds see values again", async () => {
  const b = bench([fillRule()]);
  b.nowMs += 86_400_000;
  await b.sends(10);
  b.nowMs -= 86_400_000;
  expect(await b.sends(90)).toEqual(["full bin-1 raised"]);
});

test("after a start with a clock that was ahead when the service stopped, silence is raised, and told from then, and a value ends it", async () => {
  const dayMs = 86_400_000;
  const b = bench([silent()]);
  b.nowMs += dayMs;
  await b.sends(10);
  await b.pass(minute);
  await b.restart();
  b.nowMs -= dayMs;
  const backMs = b.nowMs - minute;
  expect(await b.judge()).toEqual([]);
  expect(await b.pass(43 * minute)).toEqual([]);
  expect(await b.pass(minute)).toEqual(["silent bin-1 raised"]);
  expect(b.recorded.at(-1)).toMatchObject({ sinceMs: backMs, atMs: backMs + 45 * minute, value: 2_700 });
  expect(await b.pass(15 * minute)).toEqual([]);
  expect(await b.sends(10)).toEqual(["silent bin-1 resolved"]);
  expect(b.recorded.at(-1)).toMatchObject({ sinceMs: backMs, value: 3_600 });
});

test("an alert that was raised while the clock was ahead ends with a value after a start with the clock mended", async () => {
  const b = bench([silent(), fillRule()]);
  b.nowMs += 86_400_000;
  await b.sends(90);
  expect(await b.pass(45 * minute)).toEqual(["silent bin-1 raised"]);
  await b.restart();
  b.nowMs -= 86_400_000;
  expect((await b.sends(10)).toSorted()).toEqual(["full bin-1 resolved", "silent bin-1 resolved"]);
});

test("a device is silent only while it is in service, and judged by its values of that time alone", async () => {
  const commissioned = startMs + 100 * minute;
  const decommissioned = startMs + 400 * minute;
  const registry = new TestRegistry([{ commissioned, decommissioned }]);
  const b = bench([silent(), fillRule()], registry);
  await b.judge();
  // On the workbench: neither silent nor full.
  expect(await b.pass(50 * minute)).toEqual([]);
  expect(await b.sends(99)).toEqual([]);
  expect(await b.pass(49 * minute)).toEqual([]);
  // In service it has three intervals to say something.
  expect(await b.pass(45 * minute)).toEqual([]);
  expect(await b.pass(46 * minute)).toEqual(["silent bin-1 raised"]);
  expect((await b.sends(99)).toSorted()).toEqual(["full bin-1 raised", "silent bin-1 resolved"]);
  // What was measured before its service, and comes late, says nothing of it.
  expect(await b.sends(10, { timeMs: startMs })).toEqual([]);
  expect(await b.pass(100 * minute)).toEqual(["silent bin-1 raised"]);
  // Taken out of service, nothing is expected of it; what still comes is judged by no rule.
  b.nowMs = decommissioned;
  b.engine.refresh();
  expect((await b.judge()).toSorted()).toEqual(["full bin-1 resolved", "silent bin-1 resolved"]);
  expect(await b.sends(99)).toEqual([]);
  expect(await b.pass(1_000 * minute)).toEqual([]);
});

test("alerts end when the planned end of a device's service comes, without a word of the registry, and a clock that only leapt there and back leaves it watched", async () => {
  const decommissioned = startMs + 200 * minute;
  const registry = new TestRegistry([
    { decommissioned },
    { id: "bin-2", decommissioned: decommissioned + 10 * minute },
    { id: "bin-3" },
  ]);
  const b = bench([silent({ devices: ["bin-1"] }), fillRule()], registry);
  const fill = (): Promise<string[]> =>
    b.judge(["bin-1", "bin-2", "bin-3"].map((device) => b.value(99, { device })));
  await fill();
  b.nowMs += 86_400_000;
  expect(await b.judge()).toEqual(["full bin-1 resolved", "full bin-2 resolved"]);
  b.nowMs -= 86_400_000 - minute;
  expect(await fill()).toEqual(["full bin-1 raised", "full bin-2 raised"]);
  expect(await b.pass(198 * minute)).toEqual(["silent bin-1 raised"]);
  expect((await b.pass(minute)).toSorted()).toEqual(["full bin-1 resolved", "silent bin-1 resolved"]);
  expect(b.recorded.at(-1)).toMatchObject({ value: null, atMs: decommissioned });
  expect(await b.pass(10 * minute)).toEqual(["full bin-2 resolved"]);
  expect(await b.pass(48 * 60 * minute)).toEqual([]);
});

test("what was received while a device was in service, and is judged after, raises nothing that nobody would end", async () => {
  const b = bench([fillRule()], new TestRegistry([{ decommissioned: startMs + 10 * minute }]));
  const waiting = b.value(99);
  b.nowMs += 20 * minute;
  expect(await b.judge([waiting])).toEqual([]);
});

test("a clock that was years behind at a start, and is mended, leaves a device that is in service watched", async () => {
  const yearsMs = 56 * 365 * 86_400_000;
  let steadyMs = 0;
  const registry = new TestRegistry([{ commissioned: startMs - minute }]);
  const b = bench([silent()], registry, { monotonic: () => steadyMs });
  b.nowMs -= yearsMs;
  await b.judge();
  const pass = (minutes: number): Promise<string[]> => {
    steadyMs += minutes * minute;
    return b.pass(minutes * minute);
  };
  expect(await pass(200)).toEqual([]);
  b.nowMs += yearsMs;
  expect(await b.judge()).toEqual([]);
  expect(await pass(44)).toEqual([]);
  expect(await pass(46)).toEqual(["silent bin-1 raised"]);
});
