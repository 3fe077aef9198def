import { Temporal } from "temporal-polyfill";
import type { Quantity, SeriesPoint } from "./api.ts";

/** A point of the chart; all nulls make a gap. Times epoch milliseconds. */
export interface Point {
  fromMs: number;
  toMs: number;
  count: number;
  expected: number | undefined;
  min: number | null;
  max: number | null;
  /** What the line (or bar) shows: mean of a gauge, last of a counter, sum of an amount, highest of a state. */
  main: number | null;
}

/** What the line of a quantity shows. */
export const mainOf = (kind: Quantity["kind"]): "mean" | "last" | "total" | "max" =>
  ({ gauge: "mean", counter: "last", amount: "total", state: "max" })[kind] as ReturnType<typeof mainOf>;

const mainValue = (point: SeriesPoint, kind: Quantity["kind"]): number | null => {
  if (point.mean === null) return null;
  switch (kind) {
    case "gauge":
      return point.mean;
    case "counter":
      return point.last;
    case "amount":
      return point.mean * point.count;
    case "state":
      return point.max;
  }
};

const extra = (point: SeriesPoint | undefined): boolean =>
  point !== undefined && typeof point.expected === "number" && point.count > point.expected;

const gap = (fromMs: number, toMs: number, expected: number | undefined): Point => ({
  fromMs,
  toMs,
  count: 0,
  expected,
  min: null,
  max: null,
  main: null,
});

/**
 * The series with its gaps made visible: a null point wherever steps are empty or missing from the answer.
 * A step that nothing was expected in, or whose reading slipped into a neighbour (which has more than expected), is no gap.
 */
export function withGaps(items: readonly SeriesPoint[], kind: Quantity["kind"]): Point[] {
  const points: Point[] = [];
  items.forEach((item, index) => {
    const fromMs = Date.parse(item.from);
    const toMs = Date.parse(item.to);
    const expected = item.expected ?? undefined;
    const before = items[index - 1];
    const endMs = before === undefined ? fromMs : Date.parse(before.to);
    if (fromMs > endMs) points.push(gap(endMs, fromMs, undefined));
    if (item.count > 0) {
      const { min, max, count } = item;
      points.push({ fromMs, toMs, count, expected, min, max, main: mainValue(item, kind) });
    } else if (expected !== 0 && !extra(items[index - 1]) && !extra(items[index + 1])) {
      points.push(gap(fromMs, toMs, expected));
    }
  });
  return points;
}

/** The named periods of the device's chart. */
export const periods = ["day", "week", "month", "year", "custom"] as const;

/** One of {@link periods}. */
export type Period = (typeof periods)[number];

const dayMs = 86_400_000;
const periodDays: Record<Exclude<Period, "custom">, number> = { day: 1, week: 7, month: 30, year: 365 };

/** Where a named period begins and ends, ending now. Epoch milliseconds. */
export const rangeOf = (
  period: Exclude<Period, "custom">,
  nowMs: number,
): { fromMs: number; toMs: number } => ({ fromMs: nowMs - periodDays[period] * dayMs, toMs: nowMs });

/** From the start of one local day to the end of another; undefined when the days are no days or the wrong way round. */
export function daysRange(
  fromDay: string,
  toDay: string,
  timeZone: string,
): { fromMs: number; toMs: number } | undefined {
  try {
    const fromMs = Temporal.PlainDate.from(fromDay).toZonedDateTime(timeZone).epochMilliseconds;
    const toMs = Temporal.PlainDate.from(toDay).add({ days: 1 }).toZonedDateTime(timeZone).epochMilliseconds;
    return toMs > fromMs ? { fromMs, toMs } : undefined;
  } catch {
    return undefined;
  }
}

/** The step that suits a span and a device's interval: near two hundred points, never finer than the device reports. */
export function stepOf(spanMs: number, everySeconds: number | undefined): { step: string; seconds: number } {
  const fit = spanMs <= 2 * dayMs ? 900 : spanMs <= 45 * dayMs ? 3600 : 86_400;
  const seconds = Math.max(fit, everySeconds ?? 0);
  if (seconds <= 900) return { step: "15m", seconds: 900 };
  return seconds <= 3600 ? { step: "hour", seconds: 3600 } : { step: "day", seconds: 86_400 };
}

/** Ticks of the time axis at round local times. */
export function ticksOf(fromMs: number, toMs: number, timeZone: string): number[] {
  const days = (toMs - fromMs) / dayMs;
  const first = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
  const step: Temporal.DurationLike =
    days <= 2
      ? { hours: days <= 1.1 ? 4 : 8 }
      : days <= 10
        ? { days: 1 }
        : days <= 45
          ? { days: 5 }
          : { months: Math.max(1, Math.ceil(days / 31 / 8)) };
  let at = first.startOfDay();
  if (step.months) at = at.with({ day: 1 });
  const ticks: number[] = [];
  for (; at.epochMilliseconds <= toMs; at = at.add(step))
    if (at.epochMilliseconds >= fromMs) ticks.push(at.epochMilliseconds);
  return ticks;
}

/** Today's date in a zone, `YYYY-MM-DD`. */
export const today = (timeZone: string): string => Temporal.Now.plainDateISO(timeZone).toString();

/** A day some days away. */
export const dayAfter = (day: string, days: number): string =>
  Temporal.PlainDate.from(day).add({ days }).toString();

/** Whether a text is a calendar day. */
export const isDay = (text: unknown): text is string =>
  typeof text === "string" && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
