import type { DeviceEntry, RegisterEntry } from "../../devices/index.js";
import type { LifeEntry } from "./life.js";
import { modulusOf, type Register } from "./register.js";

/** What a name plate says, in the unit of its quantity. */
export type NamePlate = Omit<RegisterEntry, "installed" | "start">;

/**
 * Most that a meter nobody described is believed to count in an hour, by unit.
 * Source: a low-voltage connection of 160 A in three phases of 230 V is 110 kW; a G25 gas meter's Qmax is 40 m³/h (EN 1359),
 * more than Q4 of a water meter of a building (31.25 m³/h at Q3 25, OIML R 49).
 */
const assumedRates: Readonly<Record<string, number>> = { kWh: 110, kvarh: 110, m3: 40 };

/** A register as its name plate gives it. */
export function registerOf(plate: NamePlate, unit: string): Register {
  const { serial, digits, bits, resolution, multiplier, maxRate, backflow } = plate;
  const modulus =
    digits !== undefined
      ? modulusOf({ digits, resolution: 1 })
      : bits !== undefined
        ? modulusOf({ bits, resolution })
        : undefined;
  return {
    serial,
    unit,
    multiplier,
    resolution,
    maxRate,
    ...(modulus === undefined ? {} : { modulus }),
    ...(backflow === undefined ? {} : { backflow }),
  };
}

/**
 * How the life of a device's register begins, by what the registry says of it, or, where it says nothing, as a register of
 * usual size that always counted.
 * Shape: an `installed` entry named `{device}/{quantity}/{serial}`, written by `registry`; what follows it (exchanges,
 * corrections) isn't the registry's.
 */
export function beginningOf(device: DeviceEntry, quantity: string, unit: string): LifeEntry {
  const described = device.meter?.registers[quantity];
  const plate = described ?? {
    serial: "",
    resolution: 0.001,
    multiplier: 1,
    maxRate: assumedRates[unit] ?? Number.MAX_VALUE,
  };
  return {
    kind: "installed",
    id: `${device.id}/${quantity}/${plate.serial}`,
    recordedMs: device.sinceMs,
    who: "registry",
    why: described ? "described" : "assumed",
    timeMs: described?.installed ?? device.commissioned ?? 0,
    register: registerOf(plate, unit),
    ...(described?.start === undefined ? {} : { start: described.start }),
  };
}
