import type { Calendar, Day } from "./calendar.js";
import { slotMs } from "./calendar.js";
import { noise, unit } from "./random.js";

/** What makes a register grow. */
export interface RegisterPlan {
  /** Amount of a day without `base`, in the register's unit, not negative. */
  total(day: Day): number;
  /** How the amount spreads over the 96 wall-clock quarters of an hour; any scale. */
  profile(day: Day): Float64Array;
  /** What flows all the time beside it (a leak, a stand-by), per hour. */
  base?(day: Day): number;
  /** Unevenness of quarters: standard deviation as a share of the profile. */
  spread: number;
  /** Share of quarters in which nothing of `total` happens. */
  idle?: number;
  key: number;
}

/** Something that only grows, asked at any moment. */
export interface Register {
  /** What flowed since 2020, without rollover. */
  total(timeMs: number): number;
  /** What flows at the moment, per hour. */
  rate(timeMs: number): number;
}

/** Makes a register of local days; its curve is the same whatever is asked in whatever order. */
export function createRegister(calendar: Calendar, plan: RegisterPlan): Register {
  const starts = [0];
  const startOf = (index: number): number => {
    while (starts.length <= index) {
      const day = calendar.day(starts.length - 1);
      starts.push((starts.at(-1) ?? 0) + plan.total(day) + (plan.base?.(day) ?? 0) * hoursOf(day));
    }
    return starts[index] ?? 0;
  };
  const sums = new Float64Array(102);
  let today: Day | undefined;
  const turnTo = (timeMs: number): Day => {
    if (today && timeMs >= today.startMs && timeMs < today.endMs) return today;
    const day = calendar.at(timeMs);
    fillDay(day, plan, startOf(day.index), sums);
    today = day;
    return day;
  };
  return {
    total(timeMs) {
      const part = (timeMs - turnTo(timeMs).startMs) / slotMs;
      const slot = Math.floor(part);
      const from = sums[slot] ?? 0;
      return from + ((sums[slot + 1] ?? from) - from) * (part - slot);
    },
    rate(timeMs) {
      const slot = Math.floor((timeMs - turnTo(timeMs).startMs) / slotMs);
      const from = sums[slot] ?? 0;
      return ((sums[slot + 1] ?? from) - from) * (3_600_000 / slotMs);
    },
  };
}

const hoursOf = (day: Day): number => (day.endMs - day.startMs) / 3_600_000;

/** Writes the register's level at each quarter of an hour of a day into `sums`. */
function fillDay(day: Day, plan: RegisterPlan, start: number, sums: Float64Array): void {
  const profile = plan.profile(day);
  const count = day.quarters.length;
  const idle = plan.idle ?? 0;
  let weight = 0;
  for (let slot = 0; slot < count; slot++) {
    const n = day.index * 128 + slot;
    const share =
      idle > 0 && unit(plan.key ^ 0x5bd1e995, n) < idle ? 0 : 1 + plan.spread * noise(plan.key, n);
    weight += Math.max(0, share) * (profile[day.quarters[slot] ?? 0] ?? 0);
    sums[slot + 1] = weight;
  }
  const scale = weight > 0 ? plan.total(day) / weight : 0;
  const base = (plan.base?.(day) ?? 0) * (slotMs / 3_600_000);
  const even = weight > 0 ? 0 : plan.total(day) / count;
  sums[0] = start;
  for (let slot = 1; slot <= count; slot++)
    sums[slot] = start + (sums[slot] ?? 0) * scale + (base + even) * slot;
}

/** Draws a daily profile from levels at hours: `[[0, 0.2], [7, 1], …]`, straight in between, wrapping at midnight. */
export function profileOf(points: readonly (readonly [hour: number, level: number])[]): Float64Array {
  const first = points[0] ?? ([0, 1] as const);
  const last = points.at(-1) ?? first;
  const ring = [[last[0] - 24, last[1]] as const, ...points, [first[0] + 24, first[1]] as const];
  return Float64Array.from({ length: 96 }, (_, quarter) => {
    const hour = (quarter + 0.5) / 4;
    const next = ring.findIndex(([at]) => at > hour);
    const to = ring[next] ?? first;
    const from = ring[next - 1] ?? first;
    return from[1] + ((to[1] - from[1]) * (hour - from[0])) / (to[0] - from[0]);
  });
}

/** The dial of a meter: how finely it counts and where it starts again. */
export interface Dial {
  /** Steps a unit: 1,000 shows three decimals. */
  steps: number;
  /** What the dial can't reach: 8 digits with three decimals turn over at 100,000. */
  modulus: number;
}

/** Shows a total on a dial: cut to its resolution, in [0, modulus). */
export function readDial(dial: Dial, total: number): number {
  const steps = Math.floor(total * dial.steps + 1e-6);
  return (steps % (dial.modulus * dial.steps)) / dial.steps;
}
