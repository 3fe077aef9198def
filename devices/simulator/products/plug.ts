import { newCounterSignal } from "../counter.js";
import { voltageOf } from "../electricity.js";
import { keyOf, noise } from "../random.js";
import { createRegister, type Dial, profileOf } from "../register.js";
import { round, type Signal, sizeOf, type World } from "../signal.js";

/** Counts hundredths of a kilowatt-hour. */
const dial: Dial = { steps: 100, modulus: 1_000_000 };
const officeHours = profileOf([
  [5, 0.02],
  [7, 1.4],
  [10, 2],
  [14, 1.6],
  [17, 0.4],
  [20, 0.02],
]);
const closed = profileOf([[12, 1]]);

/** A metering plug before an office's coffee machine: it heats on working days, and only stands by on the others. */
export function plugSignals(world: World): Signal[] {
  const { calendar, key } = world;
  const size = sizeOf(world, "electricity");
  const days = keyOf(key, "day");
  const isClosed = (day: { free: boolean; weekday: number }): boolean => day.free || day.weekday >= 5;
  const register = createRegister(calendar, {
    key: keyOf(key, "electricity"),
    spread: 0.5,
    idle: 0.35,
    total: (day) => (isClosed(day) ? 0 : 2.4 * size * Math.max(0.4, 1 + 0.2 * noise(days, day.index))),
    profile: (day) => (isClosed(day) ? closed : officeHours),
    base: () => 0.004,
  });
  const voltage = voltageOf(keyOf(key, "voltage"), 0.4);
  const watts = (timeMs: number): number => Math.round(register.rate(timeMs) * 1_000);
  const volts = (timeMs: number): number => Math.round(voltage(timeMs, register.rate(timeMs)));
  return [
    newCounterSignal(world, "energy_import_kwh", dial, register),
    { quantity: "power_w", at: watts },
    { quantity: "voltage_v", at: volts },
    { quantity: "current_a", at: (timeMs) => round(watts(timeMs) / volts(timeMs), 2) },
  ];
}
