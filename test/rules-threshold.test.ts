import { afterEach, expect, test } from "vitest";
import type { Rule } from "../devices/index.js";
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

test("a threshold without duration raises at the first value over it and resolves at the first that isn't", async () => {
  const b = bench([fillRule()]);
  expect(await b.sends(80)).toEqual([]);
  expect(await b.sends(80.5)).toEqual(["full bin-1 raised"]);
  expect(await b.sends(99)).toEqual([]);
  expect(await b.sends(80)).toEqual(["full bin-1 resolved"]);
});

test("between limit and clear level an alert stays as it is", async () => {
  const b = bench([fillRule({ clear: 60 })]);
  await b.sends(81);
  expect(await b.sends(61)).toEqual([]);
  expect(await b.sends(60)).toEqual(["full bin-1 resolved"]);
  expect(await b.sends(79)).toEqual([]);
});

test("a limit below raises under it and clears above it", async () => {
  const battery: Rule = {
    id: "battery",
    kind: "threshold",
    quantity: "battery_v",
    below: 3.3,
    clear: 3.4,
    severity: "info",
    title: { pl: "Bateria", en: "Battery" },
  };
  const b = bench([battery]);
  const volts = (value: number) => b.sends(value, { quantity: "battery_v" });
  expect(await volts(3.3)).toEqual([]);
  expect(await volts(3.2)).toEqual(["battery bin-1 raised"]);
  expect(await volts(3.35)).toEqual([]);
  expect(await volts(3.4)).toEqual(["battery bin-1 resolved"]);
});

test("with a duration the clock raises once the limit was broken for so long", async () => {
  const b = bench([fillRule({ for: 10 * minute })]);
  expect(await b.sends(90)).toEqual([]);
  expect(await b.pass(10 * minute - 1)).toEqual([]);
  expect(await b.pass(1)).toEqual(["full bin-1 raised"]);
  expect(b.recorded[0]).toMatchObject({
    sinceMs: startMs,
    atMs: startMs + 10 * minute,
    value: 90,
    limit: 80,
  });
});

test("one value under the limit starts the duration anew", async () => {
  const b = bench([fillRule({ for: 10 * minute })]);
  await b.sends(90);
  await b.pass(9 * minute);
  await b.sends(80);
  await b.sends(90);
  expect(await b.pass(9 * minute)).toEqual([]);
  expect(await b.pass(minute)).toEqual(["full bin-1 raised"]);
});

test("a backlog that spans the duration raises and resolves by the time of its values", async () => {
  const b = bench([fillRule({ for: 10 * minute })]);
  const at = (value: number, after: number) =>
    b.value(value, { timeMs: startMs + after * minute, receivedMs: startMs + after * minute });
  const values = [at(90, 0), at(91, 9), at(92, 11), at(50, 12)];
  b.nowMs += 60 * minute;
  expect(await b.judge(values)).toEqual(["full bin-1 raised", "full bin-1 resolved"]);
  expect(b.recorded.map((t) => t.atMs - startMs)).toEqual([10 * minute, 12 * minute]);
});

test("a value older than the newest one changes nothing", async () => {
  const b = bench([fillRule()]);
  await b.sends(50);
  expect(await b.sends(95, { timeMs: startMs - minute, late: true })).toEqual([]);
  await b.pass(minute);
  await b.sends(95);
  expect(await b.sends(50, { timeMs: startMs, late: true })).toEqual([]);
});

test("a late value that is still the newest counts", async () => {
  const b = bench([fillRule()]);
  expect(await b.sends(95, { timeMs: startMs - 86_400_000, late: true })).toEqual(["full bin-1 raised"]);
});

test("a rule judges only its quantity, class, place and devices", async () => {
  const registry = new TestRegistry([
    { id: "bin-1" },
    { id: "bin-2", place: "krakow/nowa-huta" },
    { id: "box-3", place: "krakow/podgorze/szkola-25" },
    { id: "air-4", class: "air-station" },
  ]);
  const b = bench(
    [
      fillRule({ id: "by-class", class: "bin" }),
      fillRule({ id: "by-place", place: "krakow/podgorze" }),
      fillRule({ id: "by-id", devices: ["bin-*"] }),
    ],
    registry,
  );
  expect(await b.sends(99, { device: "bin-1" })).toHaveLength(3);
  expect(await b.sends(99, { device: "bin-2" })).toEqual(["by-class bin-2 raised", "by-id bin-2 raised"]);
  expect(await b.sends(99, { device: "box-3" })).toEqual(["by-class box-3 raised", "by-place box-3 raised"]);
  expect(await b.sends(99, { device: "air-4" })).toEqual(["by-place air-4 raised"]);
  expect(await b.sends(99, { device: "bin-1", quantity: "battery_percent" })).toEqual([]);
});

test("a device that came after the start is judged", async () => {
  const b = bench([fillRule({ place: "krakow" })]);
  await b.sends(10);
  b.registry.add({ id: "bin-new" });
  expect(await b.sends(99, { device: "bin-new" })).toEqual(["full bin-new raised"]);
});

test("a changed limit keeps an open alert until a value clears the new one", async () => {
  const b = bench([fillRule()]);
  await b.sends(85);
  b.engine.setRules([fillRule({ above: 90 })]);
  expect(await b.judge()).toEqual([]);
  expect(await b.sends(85)).toEqual(["full bin-1 resolved"]);
});

test("a transition says in both languages what, where and how much", async () => {
  const b = bench([fillRule({ for: 10 * minute })], new TestRegistry(), { unitOf: () => "%" });
  await b.sends(90.5);
  await b.pass(10 * minute);
  expect(b.recorded[0]).toEqual({
    rule: "full",
    kind: "threshold",
    severity: "warning",
    state: "raised",
    device: "bin-1",
    place: "krakow/podgorze",
    quantity: "fill_percent",
    value: 90.5,
    limit: 80,
    unit: "%",
    sinceMs: startMs,
    atMs: startMs + 10 * minute,
    title: { pl: "Pełny kosz", en: "Bin full" },
    message: {
      pl: "bin-1 (XIII Podgórze): fill_percent = 90,5 %, powyżej 80 % od co najmniej 10 min",
      en: "bin-1 (XIII Podgórze): fill_percent is 90.5 %, above 80 % for at least 10 min",
    },
  });
});
