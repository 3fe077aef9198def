import { keyOf, noise, smoothNoise, unit } from "./random.js";
import { profileOf } from "./register.js";
import { round, type Signal, type World } from "./signal.js";

const chimneys = profileOf([
  [0, 1.4],
  [4, 0.9],
  [7, 1],
  [13, 0.5],
  [17, 0.9],
  [21, 1.7],
]);
const traffic = profileOf([
  [3, 0.15],
  [6, 0.7],
  [8, 1.8],
  [11, 1],
  [15, 1.3],
  [17, 1.9],
  [20, 0.9],
  [23, 0.4],
]);
const holidayTraffic = profileOf([
  [4, 0.15],
  [11, 0.7],
  [18, 0.9],
  [23, 0.3],
]);

/** An air sensor: dust of heating and still weather in the evenings, nitrogen dioxide of the rush hours, weather. */
export function airSignals(world: World): Signal[] {
  const { calendar, weather, key, kind } = world;
  const streetShare = 0.6 + 0.9 * unit(keyOf(kind, "street"), 1);
  const chimneyShare = 0.7 + 0.6 * unit(keyOf(kind, "chimneys"), 1);
  const drift = keyOf(key, "drift");
  const jitter = (stream: number, timeMs: number): number => noise(key ^ stream, Math.floor(timeMs / 1_000));
  /** Levels of the day at a time, in µg/m³ before the sensor's own noise. */
  const burden = (timeMs: number): { fine: number; nitrogen: number } => {
    const day = calendar.at(timeMs);
    const part = (timeMs - day.startMs) / 900_000;
    const slot = Math.floor(part);
    const quarter = day.quarters[slot] ?? 0;
    const next = (quarter + 1) % 96;
    const along = (curve: Float64Array): number => {
      const from = curve[quarter] ?? 0;
      return from + ((curve[next] ?? 0) - from) * (part - slot);
    };
    const share = (timeMs - day.startMs) / (day.endMs - day.startMs);
    const blend = (of: (index: number) => number): number =>
      share < 0.5
        ? of(day.index) + (of(Math.max(0, day.index - 1)) - of(day.index)) * (0.5 - share)
        : of(day.index) + (of(day.index + 1) - of(day.index)) * (share - 0.5);
    const still = blend((index) => weather.stagnation(index));
    const heating = blend((index) => weather.heating(index));
    const rush = along(day.free || day.weekday >= 5 ? holidayTraffic : traffic);
    const wave = Math.exp(0.22 * smoothNoise(drift, timeMs / 5_400_000));
    return {
      fine: (4 + 1.05 * heating * chimneyShare * along(chimneys) + 3 * streetShare * rush) * still * wave,
      nitrogen: (7 + 17 * streetShare * rush + 0.5 * heating) * Math.sqrt(still) * wave,
    };
  };
  const fine = (timeMs: number): number =>
    Math.min(700, Math.max(0.5, burden(timeMs).fine * (1 + 0.03 * jitter(1, timeMs))));
  return [
    { quantity: "pm1_ug_m3", at: (timeMs) => round(fine(timeMs) * 0.68, 1) },
    { quantity: "pm2_5_ug_m3", at: (timeMs) => round(fine(timeMs), 1) },
    {
      quantity: "pm10_ug_m3",
      at: (timeMs) => round(fine(timeMs) * (1.38 + 0.1 * jitter(2, timeMs) * 0.4) + 2.5, 1),
    },
    {
      quantity: "no2_ug_m3",
      at: (timeMs) => round(Math.max(1, burden(timeMs).nitrogen * (1 + 0.04 * jitter(3, timeMs))), 1),
    },
    {
      quantity: "temperature_celsius",
      at: (timeMs) => round(weather.temperature(calendar.at(timeMs), timeMs) + 0.15 * jitter(4, timeMs), 1),
    },
    {
      quantity: "humidity_percent",
      at(timeMs) {
        const day = calendar.at(timeMs);
        const warmer = weather.temperature(day, timeMs) - weather.mean(day.index);
        const wet = 76 - 3.2 * warmer + 14 * (0.5 - weather.sunshine(day.index)) + 1.2 * jitter(5, timeMs);
        return round(Math.min(100, Math.max(18, wet)), 0);
      },
    },
    {
      quantity: "pressure_hpa",
      at: (timeMs) => round(weather.pressure(calendar.at(timeMs), timeMs) + 0.1 * jitter(6, timeMs), 1),
    },
  ];
}
