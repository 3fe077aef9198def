import { keyOf, unit } from "./random.js";
import { type Dial, readDial, type Register } from "./register.js";
import type { Signal, World } from "./signal.js";

/**
 * Shows a register on a dial, from a start value of the device's own.
 * Guarantee: grows without a step back apart from the dial's turn-over, at `rolloverAtMs` when the world names it.
 */
export function counterSignal(world: World, quantity: string, dial: Dial, register: Register): Signal {
  const start =
    world.rolloverAtMs === undefined
      ? 0.6 * dial.modulus * unit(keyOf(world.kind, quantity, "start"), 1) ** 3
      : untilRollover(dial, register.total(world.rolloverAtMs));
  return { quantity, at: (timeMs) => readDial(dial, start + register.total(timeMs)) };
}

function untilRollover(dial: Dial, totalThen: number): number {
  return (Math.ceil(totalThen / dial.modulus) || 1) * dial.modulus - totalThen;
}

const earliestMs = Date.UTC(2020, 0, 2);

/** {@link counterSignal} of a device that was new when it entered the registry: it counted from 0 then. */
export function newCounterSignal(world: World, quantity: string, dial: Dial, register: Register): Signal {
  const installedMs = Math.max(earliestMs, world.device.sinceMs);
  return {
    quantity,
    at: (timeMs) => readDial(dial, Math.max(0, register.total(timeMs) - register.total(installedMs))),
  };
}
