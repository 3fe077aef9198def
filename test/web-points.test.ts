import { join } from "node:path";
import { expect, test } from "vitest";
import { deviceClasses, quantities } from "../devices/index.js";

interface Step {
  from: string;
  to: string;
  count: number;
  expected?: number | null;
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
}

/** The page is compiled by its own settings, so its modules come in by address and are typed here. */
const source = join(import.meta.dirname, "../dashboards/web/src");
const { withGaps, daysRange, ticksOf, stepOf } = (await import(`${source}/points.ts`)) as {
  withGaps: (items: Step[], kind: string) => { fromMs: number; main: number | null; count: number }[];
  daysRange: (from: string, to: string, zone: string) => { fromMs: number; toMs: number } | undefined;
  ticksOf: (fromMs: number, toMs: number, zone: string) => number[];
  stepOf: (spanMs: number, everySeconds: number | undefined) => { step: string; seconds: number };
};
const { formOf } = (await import(`${source}/words/plural.ts`)) as {
  formOf: (language: string, count: number, forms: object) => string;
};
const { en } = (await import(`${source}/words/en.ts`)) as { en: object };
const { pl } = (await import(`${source}/words/pl.ts`)) as { pl: object };

const names = (await import(`${source}/words/vocabulary.ts`)) as {
  quantityName: (name: string, language: string) => string;
  className: (name: string, language: string) => string;
};

const hourMs = 3_600_000;
const start = Date.parse("2026-11-23T00:00:00Z");
const step = (hour: number, count: number, expected: number | null = 4): Step => ({
  from: new Date(start + hour * hourMs).toISOString(),
  to: new Date(start + (hour + 1) * hourMs).toISOString(),
  count,
  expected,
  min: count === 0 ? null : 1,
  mean: count === 0 ? null : 2,
  max: count === 0 ? null : 3,
  last: count === 0 ? null : 2.5,
});
const mains = (items: Step[], kind = "gauge"): (number | null)[] =>
  withGaps(items, kind).map(({ main }) => main);

test("an empty step and a step left out of the answer are both a gap", () => {
  expect(mains([step(0, 4), step(1, 0), step(2, 4)])).toEqual([2, null, 2]);
  expect(mains([step(0, 4), step(5, 4)])).toEqual([2, null, 2]);
});

test("a step in which nothing was expected, or whose reading slipped to its neighbour, is no gap", () => {
  expect(mains([step(0, 1, 1), step(1, 0, 1), step(2, 2, 1)])).toEqual([2, 2]);
  expect(mains([step(0, 1, 1), step(1, 0, 0), step(2, 1, 1)])).toEqual([2, 2]);
});

test("a counter shows its register, an amount its total, a state its highest", () => {
  expect(mains([step(0, 4)], "counter")).toEqual([2.5]);
  expect(mains([step(0, 4)], "amount")).toEqual([8]);
  expect(mains([step(0, 4)], "state")).toEqual([3]);
});

test("local days are 23 and 25 hours long when clocks change", () => {
  const hours = (day: string): number => {
    const range = daysRange(day, day, "Europe/Warsaw");
    return range === undefined ? Number.NaN : (range.toMs - range.fromMs) / hourMs;
  };
  expect(hours("2026-03-29")).toBe(23);
  expect(hours("2026-10-25")).toBe(25);
  expect(hours("2026-11-23")).toBe(24);
  expect(daysRange("2026-11-24", "2026-11-22", "Europe/Warsaw")).toBeUndefined();
  expect(daysRange("2026-13-40", "2026-11-22", "Europe/Warsaw")).toBeUndefined();
});

test("ticks stand at local midnights across the change of clocks", () => {
  const range = daysRange("2026-10-22", "2026-10-28", "Europe/Warsaw");
  if (range === undefined) throw new Error("no range");
  const ticks = ticksOf(range.fromMs, range.toMs, "Europe/Warsaw");
  const clock = new Intl.DateTimeFormat("pl", { timeZone: "Europe/Warsaw", timeStyle: "short" });
  expect(ticks.map((tick) => clock.format(tick))).toEqual(ticks.map(() => "00:00"));
  expect(ticks.length).toBe(8);
});

test("a step is never finer than the device reports", () => {
  expect(stepOf(24 * hourMs, 600).step).toBe("15m");
  expect(stepOf(24 * hourMs, 3600).step).toBe("hour");
  expect(stepOf(24 * hourMs, 86_400).step).toBe("day");
  expect(stepOf(30 * 24 * hourMs, 600).step).toBe("hour");
  expect(stepOf(365 * 24 * hourMs, undefined).step).toBe("day");
});

test("Polish nouns follow 1, 2-4, 5-21, 22 and fractions", () => {
  const forms = { one: "alarm", few: "alarmy", many: "alarmów", other: "alarmu" };
  const said = [0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 102, 112, 1.5].map((n) => formOf("pl", n, forms));
  expect(said.map((word) => Object.values(forms).indexOf(word))).toEqual([
    2, 0, 1, 1, 2, 2, 2, 2, 2, 1, 2, 2, 1, 2, 3,
  ]);
});

const leaves = (words: object, path = ""): [string, string][] =>
  Object.entries(words).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "object" && value !== null
      ? leaves(value, `${path}/${key}`)
      : [[`${path}/${key}`, String(value)] as [string, string]],
  );

const sentences = (words: object): string[] =>
  leaves(words)
    .filter(([path]) => !path.startsWith("/counted"))
    .map(([path, text]) => `${path} ${(text.match(/\{\w+\}/g) ?? []).sort().join(" ")}`);

test("both languages say the same sentences with the same holes", () => {
  expect(sentences(pl)).toEqual(sentences(en));
});

test("every counted noun has its Polish forms", () => {
  const { counted } = pl as { counted: Record<string, object> };
  const lacking = Object.entries(counted).filter(
    ([key, forms]) => key !== "ofDevices" && Object.keys(forms).join(" ") !== "one few many other",
  );
  expect(lacking).toEqual([]);
});

test("every quantity and class of the vocabulary has a name of its own in Polish", () => {
  const nameless = [
    ...[...quantities.keys()].filter((name) => names.quantityName(name, "pl") === name.replaceAll("_", " ")),
    ...deviceClasses.filter((name) => names.className(name, "pl") === name.replaceAll("-", " ")),
  ];
  expect(nameless).toEqual([]);
});
