import { newCounterSignal } from "../counter.js";
import { voltageOf } from "../electricity.js";
import { keyOf, noise, smoothNoise } from "../random.js";
import { createRegister, type Dial, profileOf } from "../register.js";
import { round, type Signal, sizeOf, type World } from "../signal.js";

/** Counts hundredths of a watt-hour. */
const dial: Dial = { steps: 100_000, modulus: 10_000_000 };
const opening = profileOf([
  [4, 0.35],
  [6, 0.8],
  [9, 1.2],
  [16, 1.3],
  [20, 1.5],
  [22, 0.6],
]);

/** What a three-phase meter of a swimming pool's pumps and ventilation sees: each conductor, their sum, the register from its installation on. */
export function threePhaseSignals(world: World): Signal[] {
  const { calendar, key } = world;
  const size = sizeOf(world, "electricity");
  const days = keyOf(key, "day");
  const register = createRegister(calendar, {
    key: keyOf(key, "electricity"),
    spread: 0.06,
    total: (day) => 330 * size * (day.free ? 0.8 : 1) * Math.max(0.5, 1 + 0.06 * noise(days, day.index)),
    profile: () => opening,
    base: () => 4.5 * size,
  });
  const shares = [0.36, 0.33, 0.31] as const;
  const phases = shares.map((share, index) => {
    const own = keyOf(key, `phase ${index}`);
    const voltage = voltageOf(keyOf(own, "voltage"), 0.06);
    const watts = (timeMs: number): number =>
      register.rate(timeMs) * 1_000 * share * (1 + 0.02 * smoothNoise(own, timeMs / 600_000));
    const volts = (timeMs: number): number => round(voltage(timeMs, watts(timeMs) / 1_000), 1);
    const factor = (timeMs: number): number =>
      0.93 + 0.02 * smoothNoise(keyOf(own, "factor"), timeMs / 900_000);
    const amperes = (timeMs: number): number => round(watts(timeMs) / factor(timeMs) / volts(timeMs), 3);
    return { watts: (timeMs: number) => round(watts(timeMs), 1), volts, amperes };
  });
  const sum = (of: (phase: (typeof phases)[number]) => number): number =>
    round(
      phases.reduce((all, phase) => all + of(phase), 0),
      1,
    );
  return [
    ...phases.flatMap(({ watts, volts, amperes }, index): Signal[] => [
      { quantity: `power_l${index + 1}_w`, at: watts },
      { quantity: `voltage_l${index + 1}_v`, at: volts },
      { quantity: `current_l${index + 1}_a`, at: amperes },
    ]),
    { quantity: "power_w", at: (timeMs) => sum(({ watts }) => watts(timeMs)) },
    {
      quantity: "apparent_power_va",
      at: (timeMs) => sum(({ volts, amperes }) => volts(timeMs) * amperes(timeMs)),
    },
    {
      quantity: "frequency_hz",
      at: (timeMs) => round(50 + 0.02 * smoothNoise(keyOf(0, "grid"), timeMs / 60_000), 1),
    },
    newCounterSignal(world, "energy_import_kwh", dial, register),
    { quantity: "energy_export_kwh", at: () => 0 },
  ];
}
