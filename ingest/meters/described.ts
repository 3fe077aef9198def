import type { DeviceEntry } from "../../devices/index.js";
import type { LifeEntry } from "./life.js";
import { modulusOf } from "./register.js";

/**
 * How the life of a device's register begins, by what the registry says of it; undefined where it says nothing.
 * Shape: an `installed` entry named `{device}/{quantity}/{serial}`, written by `registry`; what follows it (exchanges, corrections) isn't the registry's.
 */
export function describedLife(device: DeviceEntry, quantity: string, unit: string): LifeEntry | undefined {
  const described = device.meter?.registers[quantity];
  if (!described) return undefined;
  const { serial, digits, bits, resolution, multiplier, maxRate, backflow, installed, start } = described;
  const modulus =
    digits !== undefined
      ? modulusOf({ digits, resolution: 1 })
      : bits !== undefined
        ? modulusOf({ bits, resolution })
        : undefined;
  return {
    kind: "installed",
    id: `${device.id}/${quantity}/${serial}`,
    recordedMs: device.sinceMs,
    who: "registry",
    why: "described",
    timeMs: installed,
    register: {
      serial,
      unit,
      multiplier,
      resolution,
      maxRate,
      ...(modulus === undefined ? {} : { modulus }),
      ...(backflow === undefined ? {} : { backflow }),
    },
    ...(start === undefined ? {} : { start }),
  };
}
