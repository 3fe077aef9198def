import { counterSignal } from "../counter.js";
import type { Day } from "../calendar.js";
import { halfDayHours, sunProfile } from "../electricity.js";
import { keyOf, noise, smoothNoise } from "../random.js";
import { createRegister, type Dial, profileOf } from "../register.js";
import { round, type Signal, sizeOf, type World } from "../signal.js";

/** Five digits and four decimals, as a meter's optical port gives them with its PIN entered. */
const dial: Dial = { steps: 10_000, modulus: 100_000 };
const needed = profileOf([
  [4, 0.4],
  [7, 1.3],
  [12, 0.8],
  [18, 1.6],
  [22, 0.9],
]);
/** Share of the sun's profile that the house uses itself. */
const ownShare = 0.4;

/**
 * A two-way meter of a block of flats with photovoltaics on its roof, read over its optical port: on bright days what the roof
 * gives beyond the house's own need flows out, and nothing in; power is signed (import is positive).
 */
export function twoWaySignals(world: World): Signal[] {
  const { calendar, weather, key } = world;
  const size = sizeOf(world, "electricity");
  const chance = keyOf(key, "day");
  const dailyKwh = 34 * size;
  /** What the roof gives on a day beyond the house's need, kWh. */
  const surplus = (day: Day): number => {
    const bright = (weather.sunshine(day.index) * (halfDayHours(day) - 2.2)) / 5.2;
    return bright < 0.45 ? 0 : 24 * size * (bright - 0.35);
  };
  const outflow = (day: Day): Float64Array => sunProfile(day).map((level) => Math.max(0, level - ownShare));
  const bought = createRegister(calendar, {
    key: keyOf(key, "import"),
    spread: 0.15,
    total: (day) =>
      dailyKwh * (surplus(day) > 0 ? 0.6 : 1) * Math.max(0.4, 1 + 0.1 * noise(chance, day.index)),
    profile(day) {
      if (surplus(day) === 0) return needed;
      const out = outflow(day);
      return needed.map((level, quarter) => ((out[quarter] ?? 0) > 0 ? 0 : level));
    },
  });
  const given = createRegister(calendar, {
    key: keyOf(key, "export"),
    spread: 0.2,
    total: surplus,
    profile: outflow,
  });
  const radio = keyOf(key, "radio");
  return [
    counterSignal(world, "energy_import_kwh", dial, bought),
    counterSignal(world, "energy_export_kwh", dial, given),
    {
      quantity: "power_w",
      at: (timeMs) => round((bought.rate(timeMs) - given.rate(timeMs)) * 1_000, 0),
    },
    { quantity: "rssi_dbm", at: (timeMs) => round(-67 + 3 * smoothNoise(radio, timeMs / 1_800_000), 0) },
  ];
}
