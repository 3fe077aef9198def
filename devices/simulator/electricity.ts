import type { Day } from "./calendar.js";
import { keyOf, noise, smoothNoise, unit } from "./random.js";
import { createRegister, type Dial, profileOf } from "./register.js";
import { depthOf, round, type Signal, sizeOf, type World } from "./signal.js";
import { counterSignal } from "./counter.js";

/** 8 digits, three of them decimals. */
const dial: Dial = { steps: 1_000, modulus: 100_000 };

interface Consumer {
  yearKwh: number;
  working: Float64Array;
  free: Float64Array;
  freeShare: number;
  idleKw: number;
  /** How much more in January than in July, as a share of the mean. */
  winter: number;
}

const evening = [0.25, 1.1, 1.6] as const;

/** A household's, a building's (office, school) or a street lighting cabinet's curves, by how deep its place lies. */
function consumerOf(place: string): Consumer {
  const depth = depthOf(place);
  if (depth >= 3) {
    const free = profileOf([
      [4, evening[0]],
      [9, 0.9],
      [13, 1.2],
      [16, 0.9],
      [20, evening[2]],
      [23, 0.7],
    ]);
    const working = profileOf([
      [4, evening[0]],
      [7, evening[1]],
      [10, 0.5],
      [15, 0.6],
      [20, evening[2] + 0.2],
      [23, 0.7],
    ]);
    return { yearKwh: 1_900, working, free, freeShare: 1.15, idleKw: 0.05, winter: 0.22 };
  }
  if (depth === 2) {
    const working = profileOf([
      [5, 0.1],
      [7, 0.7],
      [9, 1.5],
      [13, 1.6],
      [16, 0.8],
      [18, 0.2],
    ]);
    const free = profileOf([[12, 1]]);
    return { yearKwh: 48_000, working, free, freeShare: 0.25, idleKw: 1.4, winter: 0.25 };
  }
  const flat = profileOf([[12, 1]]);
  return { yearKwh: 36_000, working: flat, free: flat, freeShare: 1, idleKw: 0.02, winter: 0.45 };
}

/** Source: sunrise equation at Kraków's latitude, 50.06° N; half of the day's length in hours. */
export function halfDayHours(day: Day): number {
  const declination = 0.4093 * Math.sin(2 * Math.PI * (day.yearShare - 0.2219));
  return (Math.acos(-Math.tan(0.8737) * Math.tan(declination)) * 12) / Math.PI;
}

/** Local solar noon in hours, near enough: half past eleven in winter time, half past twelve in summer time. */
const noonHour = (day: Day): number => (day.yearShare > 0.24 && day.yearShare < 0.82 ? 12.6 : 11.6);

/** How the sun shines over the quarters of a day, at most 1. */
export const sunProfile = (day: Day): Float64Array => {
  const half = halfDayHours(day);
  return Float64Array.from({ length: 96 }, (_, quarter) => {
    const angle = ((quarter + 0.5) / 4 - noonHour(day)) / half;
    return Math.abs(angle) >= 1 ? 0 : Math.cos((angle * Math.PI) / 2) ** 1.4;
  });
};

const lampProfile = (day: Day): Float64Array => {
  const half = halfDayHours(day);
  return Float64Array.from({ length: 96 }, (_, quarter) =>
    Math.abs((quarter + 0.5) / 4 - noonHour(day)) < half ? 0 : 1,
  );
};

/** Voltage of a conductor at the end of its line, by the load that pulls it down (V a kW) and chance. Source: EN 50160. */
export function voltageOf(key: number, dropPerKw: number): (timeMs: number, loadKw: number) => number {
  return (timeMs, loadKw) => {
    const wave = 2.2 * smoothNoise(key, timeMs / 2_400_000);
    return 232 + wave + 0.4 * noise(key, timeMs / 1_000) - dropPerKw * loadKw;
  };
}

/**
 * An electricity meter: import register, power, voltage; some buildings have photovoltaics of their own, used on the spot (`energy_generated_kwh`).
 * Sources: EN 50160 for the voltage's band; 950-1,050 kWh a year and kWp for the yield in Kraków.
 */
export function electricitySignals(world: World): Signal[] {
  const { calendar, weather, key, kind, device } = world;
  const consumer = consumerOf(device.place);
  const lamps = depthOf(device.place) < 2;
  const size = sizeOf(world, "electricity");
  const days = keyOf(key, "day");
  const dailyKwh = (consumer.yearKwh / 365.25) * size - consumer.idleKw * size * 24;
  const register = createRegister(calendar, {
    key: keyOf(key, "electricity"),
    spread: depthOf(device.place) >= 3 ? 0.9 : lamps ? 0.01 : 0.12,
    total(day) {
      const season = 1 + consumer.winter * Math.cos(2 * Math.PI * (day.yearShare - 0.03));
      const off = day.free || day.weekday >= 5;
      const chance = lamps ? 1 : Math.max(0.3, 1 + 0.12 * noise(days, day.index));
      return dailyKwh * season * (off ? consumer.freeShare : 1) * chance;
    },
    profile: (day) =>
      lamps ? lampProfile(day) : day.free || day.weekday >= 5 ? consumer.free : consumer.working,
    base: () => consumer.idleKw * size,
  });
  const drop = depthOf(device.place) >= 3 ? 1.6 : 0.12;
  const voltage = voltageOf(keyOf(key, "voltage"), drop);
  const signals: Signal[] = [
    counterSignal(world, "energy_import_kwh", dial, register),
    {
      quantity: "power_w",
      at: (timeMs) =>
        Math.round(register.rate(timeMs) * 1_000 * (1 + 0.02 * noise(key, Math.floor(timeMs / 1_000)))),
    },
    { quantity: "voltage_v", at: (timeMs) => round(voltage(timeMs, register.rate(timeMs)), 1) },
  ];
  if (depthOf(device.place) !== 2 || unit(keyOf(kind, "photovoltaics"), 1) > 0.4) return signals;
  const peakKw = 8 + 12 * unit(keyOf(kind, "photovoltaics"), 2);
  const generated = createRegister(calendar, {
    key: keyOf(key, "sun"),
    spread: 0.25,
    total: (day) => (peakKw * 4.55 * weather.sunshine(day.index) * (halfDayHours(day) - 2.2)) / 5.2,
    profile: sunProfile,
  });
  return [...signals, counterSignal(world, "energy_generated_kwh", dial, generated)];
}
