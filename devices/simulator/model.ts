import { ObiegError } from "../error.js";
import type { DeviceEntry } from "../registry.js";
import { airSignals } from "./air.js";
import { binSignals } from "./bin.js";
import { type Calendar, createCalendar } from "./calendar.js";
import { electricitySignals } from "./electricity.js";
import { heatSignals } from "./heat.js";
import { productOf } from "./products/table.js";
import { keyOf } from "./random.js";
import type { Signal, World } from "./signal.js";
import { waterSignals } from "./water.js";
import { createWeather, type Weather } from "./weather.js";

/** Reporting interval of a device whose entry names none, milliseconds. */
export const defaultEveryMs = 900_000;

/** A year of a city that its devices share. */
export interface Scene {
  seed: number;
  calendar: Calendar;
  weather: Weather;
}

/** What may be told of a device beside its entry. */
export interface ModelOptions {
  /** When its registers turn over for the first time (epoch ms); undefined: when they come to it. */
  rolloverAtMs?: number;
}

/** A device that can be asked what it would send. */
export interface DeviceModel {
  readonly device: DeviceEntry;
  readonly signals: readonly Signal[];
  /**
   * What it sends at a moment (epoch ms from 2020 on) when it last sent at `previousMs` (one interval ago unless told):
   * quantities of the vocabulary in their canonical units.
   * Guarantee: depends on device, seed, time zone and arguments alone; counters never step back apart from a turn-over of the dial.
   */
  at(timeMs: number, previousMs?: number): Record<string, number>;
}

const kinds: Readonly<Record<string, (world: World) => Signal[]>> = {
  bin: binSignals,
  "electricity-meter": electricitySignals,
  "heat-meter": heatSignals,
  "water-meter": waterSignals,
  "air-sensor": airSignals,
};

/** Device classes that have a model. */
export const simulatedClasses: readonly string[] = Object.keys(kinds);

/** Makes what all devices of a city share. `timeZone` is an IANA name. Throws `simulator-time-zone`. */
export function createScene(seed: number, timeZone: string): Scene {
  const calendar = createCalendar(timeZone);
  return { seed, calendar, weather: createWeather(seed, calendar) };
}

/** Makes the model of a device within a scene. Throws `simulator-class` for a class without a model. */
export function createModelIn(scene: Scene, device: DeviceEntry, options: ModelOptions = {}): DeviceModel {
  const usual = Object.hasOwn(kinds, device.class) ? kinds[device.class] : undefined;
  const make = productOf(device)?.signals ?? usual;
  if (!make)
    throw new ObiegError(
      "simulator-class",
      `no model of class ${device.class} (device ${device.id}); there are ${simulatedClasses.join(", ")}`,
    );
  const signals = make({
    device,
    calendar: scene.calendar,
    weather: scene.weather,
    key: keyOf(scene.seed, device.id),
    kind: keyOf(0, device.id),
    rolloverAtMs: options.rolloverAtMs,
  });
  const everyMs = device.everyMs ?? defaultEveryMs;
  return {
    device,
    signals,
    at(timeMs, previousMs = timeMs - everyMs) {
      const reading: Record<string, number> = {};
      for (const signal of signals) {
        const value = signal.at(timeMs, previousMs);
        if (!Number.isNaN(value)) reading[signal.quantity] = value;
      }
      return reading;
    },
  };
}

/** Makes the model of one device. Throws `simulator-class`, `simulator-time-zone`. */
export function createModel(
  device: DeviceEntry,
  seed: number,
  timeZone: string,
  options: ModelOptions = {},
): DeviceModel {
  return createModelIn(createScene(seed, timeZone), device, options);
}

/** Where in its interval a device reports, milliseconds from 0 to `everyMs`, in whole seconds: they don't all speak at once. */
export function phaseOf(device: DeviceEntry): number {
  const seconds = Math.max(1, Math.floor((device.everyMs ?? defaultEveryMs) / 1_000));
  return (keyOf(0, device.id, "phase") % seconds) * 1_000;
}

/** The first regular reporting time of a device at or after `timeMs`. */
export function nextReportMs(device: DeviceEntry, timeMs: number): number {
  const everyMs = device.everyMs ?? defaultEveryMs;
  const phase = phaseOf(device);
  return Math.ceil((timeMs - phase) / everyMs) * everyMs + phase;
}
