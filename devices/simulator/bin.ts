import type { Day } from "./calendar.js";
import { keyOf, noise, unit } from "./random.js";
import { createRegister, profileOf } from "./register.js";
import { batterySignals, round, type Signal, type World } from "./signal.js";

/** Days between planned collections of a fraction, from dense to rare. */
const planned: Readonly<Record<string, readonly number[]>> = {
  mixed: [0, 2, 4],
  bio: [1, 4],
  plastics_metals: [1],
  paper: [2],
  glass: [3],
};
/** How much each day of the week (Monday first) brings, with mean 1: people clear up on weekends. */
const weekdays = [0.88, 0.86, 0.9, 0.94, 1.08, 1.24, 1.1] as const;

/** A bin that fills by weekday and hour and is emptied on the fraction's days; now and then a collection is missed. */
export function binSignals(world: World): Signal[] {
  const { calendar, weather, key, kind, device } = world;
  const fraction = device.fraction ?? "mixed";
  const days = planned[fraction] ?? [0, 3];
  const cycle = 7 / days.length;
  const daily = (52 + 38 * unit(keyOf(kind, "fill"), 1)) / cycle;
  const noon = profileOf([
    [3, 0.05],
    [7, 0.5],
    [9, 1],
    [13, 1.3],
    [18, 1.5],
    [22, 0.5],
  ]);
  const chance = keyOf(key, "day");
  const missed = keyOf(key, "missed");
  const route = keyOf(key, "round");
  const residues = keyOf(kind, "residue");
  const inflow = createRegister(calendar, {
    key: keyOf(key, "fill"),
    spread: 0.8,
    total(day) {
      const season = fraction === "bio" ? 0.45 + 1.1 * Math.sin(Math.PI * day.yearShare) : 1;
      const luck = 1 + 0.25 * noise(chance, day.index);
      return daily * (weekdays[day.weekday] ?? 1) * season * Math.max(0.2, luck);
    },
    profile: () => noon,
  });
  const emptiedOn = (day: Day): number | undefined => {
    if (!days.includes(day.weekday)) return undefined;
    if (unit(missed, day.index) < 0.03) return undefined;
    return day.startMs + (6 + 6.5 * unit(route, day.index)) * 3_600_000;
  };
  let known = { fromMs: 0, untilMs: 0, level: 0 };
  /** The last collection at or before a moment, kept until the next day begins or another is made. */
  const lastEmptied = (timeMs: number): { fromMs: number; level: number } => {
    if (timeMs >= known.fromMs && timeMs < known.untilMs) return known;
    const today = calendar.at(timeMs);
    for (let index = today.index; index > Math.max(1, today.index - 40); index--) {
      const emptiedMs = emptiedOn(calendar.day(index));
      if (emptiedMs === undefined || emptiedMs > timeMs) continue;
      const next = emptiedOn(today);
      known = {
        fromMs: emptiedMs,
        untilMs: next !== undefined && next > timeMs ? next : today.endMs,
        level: inflow.total(emptiedMs),
      };
      return known;
    }
    return { fromMs: 0, level: inflow.total(timeMs) };
  };
  return [
    {
      quantity: "fill_percent",
      at(timeMs) {
        const { fromMs, level } = lastEmptied(timeMs);
        const residue = 4 * unit(residues, Math.floor(fromMs / 3_600_000));
        const shown = residue + inflow.total(timeMs) - level + 0.6 * noise(key, Math.floor(timeMs / 60_000));
        return Math.round(Math.min(100, Math.max(0, shown)));
      },
    },
    {
      quantity: "temperature_celsius",
      at(timeMs) {
        const day = calendar.at(timeMs);
        return round(weather.temperature(day, timeMs) + 1.5 + 0.3 * noise(key, -timeMs / 60_000), 1);
      },
    },
    {
      quantity: "emptied",
      at(timeMs, previousMs) {
        const { fromMs } = lastEmptied(timeMs);
        return fromMs > previousMs && fromMs <= timeMs ? 1 : Number.NaN;
      },
    },
    ...batterySignals(world),
  ];
}
