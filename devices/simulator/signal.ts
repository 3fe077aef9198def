import type { DeviceEntry } from "../registry.js";
import type { Calendar } from "./calendar.js";
import { keyOf, noise, unit } from "./random.js";
import type { Weather } from "./weather.js";

/** One quantity of a device, asked at any moment. */
export interface Signal {
  quantity: string;
  /**
   * The number that the device would send at `timeMs` when it last sent at `previousMs`; NaN when it sends none of this
   * quantity then (what is sent once a day, or once an event).
   * Guarantee: depends on its arguments alone, so that history and live readings join without a seam.
   */
  at(timeMs: number, previousMs: number): number;
}

/** What a device's model is built from. */
export interface World {
  device: DeviceEntry;
  calendar: Calendar;
  weather: Weather;
  /** Key of the device's own chance, by seed and id. */
  key: number;
  /** Key of what the device is (size, habits), by id alone: another seed is another year of the same city. */
  kind: number;
  /** When its registers turn over for the first time; undefined: when they come to it. */
  rolloverAtMs: number | undefined;
}

/** Rounds to a number of decimals, without -0. */
export function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale + 0;
}

/** Levels of places below the city: 1 a district, 2 a site or building, 3 a household. */
export function depthOf(place: string): number {
  return place.split("/").length - 1;
}

/** A size around 1 (0.6 to 1.6) that belongs to a device for good. */
export function sizeOf(world: World, what: string): number {
  return 0.6 + unit(keyOf(world.kind, what), 1);
}

/** True when a daily report (local time `hour`) falls into (previousMs, timeMs]. */
export function isDaily(calendar: Calendar, hour: number, timeMs: number, previousMs: number): boolean {
  const dueMs = calendar.at(timeMs).startMs + hour * 3_600_000;
  return previousMs < dueMs && dueMs <= timeMs;
}

const sixYearsMs = 6 * 365.25 * 86_400_000;

/**
 * A lithium battery that lasts six years and is then changed; sent once a day, at six: `battery_v` (3.65 down to 3.05, less in the cold)
 * and `battery_percent`.
 */
export function batterySignals(world: World): Signal[] {
  const { calendar, weather, key } = world;
  const phase = unit(keyOf(world.kind, "battery"), 1);
  const used = (timeMs: number): number => (timeMs / sixYearsMs + phase) % 1;
  return [
    {
      quantity: "battery_percent",
      at: (timeMs, previousMs) =>
        isDaily(calendar, 6, timeMs, previousMs) ? Math.round(100 - 97 * used(timeMs)) : Number.NaN,
    },
    {
      quantity: "battery_v",
      at(timeMs, previousMs) {
        if (!isDaily(calendar, 6, timeMs, previousMs)) return Number.NaN;
        const age = used(timeMs);
        const cold = Math.min(0, weather.mean(calendar.at(timeMs).index)) * 0.004;
        return round(3.65 - 0.2 * age - 0.4 * age ** 8 + cold + 0.003 * noise(key, timeMs / 60_000), 2);
      },
    },
  ];
}
