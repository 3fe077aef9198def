import { counterSignal } from "./counter.js";
import { keyOf, noise, unit } from "./random.js";
import { createRegister, type Dial, profileOf } from "./register.js";
import { batterySignals, depthOf, isDaily, round, type Signal, sizeOf, type World } from "./signal.js";

/** 8 digits, three of them decimals. */
const dial: Dial = { steps: 1_000, modulus: 100_000 };

/**
 * A water meter: a household's bursts or a building's daily curve, and in one week of eighty a leak that runs day and night
 * (`leak` is sent once a day, at seven). Ranges: OIML R 49, Q3 2.5 m³/h for a household.
 */
export function waterSignals(world: World): Signal[] {
  const { calendar, key, device } = world;
  const household = depthOf(device.place) >= 3;
  const size = sizeOf(world, "water");
  const dailyM3 = (household ? 0.21 : 7.5) * size;
  const absences = keyOf(key, "away");
  const leaks = keyOf(key, "leak");
  const leakM3h = (index: number): number => {
    const week = Math.floor(index / 7);
    return unit(leaks, week) < 1 / 80 ? (household ? 0.02 : 0.25) * (0.5 + unit(leaks, -week)) : 0;
  };
  const working = profileOf([
    [3, 0.04],
    [7, 1.8],
    [10, 0.8],
    [15, 0.7],
    [20, 1.9],
    [23, 0.5],
  ]);
  const free = profileOf([
    [4, 0.05],
    [9, 1.5],
    [13, 1.2],
    [20, 1.6],
    [23, 0.6],
  ]);
  const days = keyOf(key, "day");
  const register = createRegister(calendar, {
    key: keyOf(key, "water"),
    spread: household ? 1 : 0.15,
    idle: household ? 0.6 : 0,
    total(day) {
      const season = 1 + 0.08 * Math.cos(2 * Math.PI * (day.yearShare - 0.54));
      const away = household && unit(absences, day.index) < 0.03 ? 0.05 : 1;
      return dailyM3 * season * away * Math.max(0.3, 1 + 0.15 * noise(days, day.index));
    },
    profile: (day) => (day.free || day.weekday >= 5 ? free : working),
    base: (day) => leakM3h(day.index) + (household ? 0 : 0.006 * size),
  });
  return [
    counterSignal(world, "water_m3", dial, register),
    { quantity: "flow_m3_h", at: (timeMs) => round(register.rate(timeMs), 3) },
    {
      quantity: "leak",
      at: (timeMs, previousMs) =>
        isDaily(calendar, 7, timeMs, previousMs)
          ? leakM3h(Math.max(0, calendar.at(timeMs).index - 1)) > 0
            ? 1
            : 0
          : Number.NaN,
    },
    ...batterySignals(world),
  ];
}
