import type { Calendar, Day } from "./calendar.js";
import { keyOf, noise, smoothNoise, unit } from "./random.js";

/** The weather that all devices of a simulated city share. */
export interface Weather {
  /** Mean outdoor temperature of a day, °C. */
  mean(index: number): number;
  /** Outdoor temperature, °C. */
  temperature(day: Day, timeMs: number): number;
  /** How much a building must be heated: kelvins under 18 °C on days of at most 15 °C, smoothed over two days. */
  heating(index: number): number;
  /** How badly air is exchanged: about 1, up to 3 in a winter's smog episode. */
  stagnation(index: number): number;
  /** Share of the clear sky's radiation that reaches the ground, 0.1 to 1. */
  sunshine(index: number): number;
  /** Station pressure, hPa. */
  pressure(day: Day, timeMs: number): number;
}

/**
 * Makes a climate like Kraków's: January near -1 °C, July near 19.5 °C, spells of several days, smog when it is cold and still.
 * Source of the degree-day threshold: Eurostat `nrg_chdd`.
 */
export function createWeather(seed: number, calendar: Calendar): Weather {
  const key = keyOf(seed, "weather");
  const spell = keyOf(seed, "spell");
  const air = keyOf(seed, "stagnation");
  const sun = keyOf(seed, "sunshine");
  const barometer = keyOf(seed, "pressure");
  const means: number[] = [];
  const mean = (index: number): number =>
    (means[index] ??=
      9.3 -
      10.3 * Math.cos(2 * Math.PI * (calendar.day(index).yearShare - 0.05)) +
      2.4 * smoothNoise(key, index / 3.3) +
      1.9 * smoothNoise(spell, index / 11) +
      0.7 * noise(key, -index));
  const degrees = (index: number): number => (mean(index) <= 15 ? 18 - mean(index) : 0);
  return {
    mean,
    temperature(day, timeMs) {
      const part = (timeMs - day.startMs) / (day.endMs - day.startMs);
      const here = mean(day.index);
      const level =
        part < 0.5
          ? here + (mean(day.index - 1) - here) * (0.5 - part)
          : here + (mean(day.index + 1) - here) * (part - 0.5);
      const swing = 2.2 + 3 * Math.sin(Math.PI * Math.min(1, Math.max(0, day.yearShare)));
      return level + swing * Math.cos(2 * Math.PI * (part - 0.62));
    },
    heating: (index) => 0.65 * degrees(index) + 0.35 * degrees(Math.max(0, index - 1)),
    stagnation(index) {
      const still = Math.exp(0.45 * smoothNoise(air, index / 2.6));
      const cold = mean(index) < 4 ? 1 + (4 - mean(index)) * 0.03 : 1;
      return Math.min(3, still * cold);
    },
    sunshine: (index) => 0.1 + 0.9 * Math.sqrt(unit(sun, index)),
    pressure: (_day, timeMs) => 989 + 7 * smoothNoise(barometer, timeMs / 220_000_000),
  };
}
