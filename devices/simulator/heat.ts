import { counterSignal } from "./counter.js";
import { keyOf, noise } from "./random.js";
import { createRegister, type Dial, profileOf } from "./register.js";
import { round, type Signal, sizeOf, type World } from "./signal.js";

/** 8 digits of whole kilowatt hours. */
const energyDial: Dial = { steps: 1, modulus: 100_000_000 };
/** 8 digits, two of them decimals. */
const volumeDial: Dial = { steps: 100, modulus: 1_000_000 };
/** Energy that a cubic metre of hot water gives up for each kelvin, kWh. Source: density and heat capacity of water near 80 °C. */
const kwhPerM3K = 1.13;

/** A district-heating substation: hot water all year, heating by degree days with a morning peak and a lowered night. */
export function heatSignals(world: World): Signal[] {
  const { calendar, weather, key } = world;
  const size = sizeOf(world, "heat");
  const perDegreeKwh = 62 * size;
  const hotWaterKwh = 105 * size;
  const poorReturn = 6 * sizeOf(world, "return") - 6;
  const days = keyOf(key, "day");
  const energyOf = (index: number): number =>
    hotWaterKwh * (1 + 0.1 * noise(days, index)) +
    perDegreeKwh * weather.heating(index) * (1 + 0.04 * noise(days, -index));
  const supplyOf = (index: number): number => 70 + 2.1 * weather.heating(index);
  const returnOf = (index: number): number => 38 + 0.45 * weather.heating(index) + poorReturn;
  const heating = profileOf([
    [2, 0.75],
    [5, 1.1],
    [7, 1.5],
    [10, 1],
    [15, 0.9],
    [19, 1.15],
    [23, 0.75],
  ]);
  const hotWater = profileOf([
    [3, 0.15],
    [7, 1.6],
    [11, 0.8],
    [20, 1.9],
    [23, 0.7],
  ]);
  const plan = {
    key: keyOf(key, "heat"),
    spread: 0.06,
    profile: (day: { index: number }) => (weather.heating(day.index) > 0 ? heating : hotWater),
  };
  const energy = createRegister(calendar, { ...plan, total: (day) => energyOf(day.index) });
  const volume = createRegister(calendar, {
    ...plan,
    total: (day) => energyOf(day.index) / (kwhPerM3K * (supplyOf(day.index) - returnOf(day.index))),
  });
  const dayOf = (timeMs: number): number => calendar.at(timeMs).index;
  const jitter = (stream: number, timeMs: number): number => noise(key ^ stream, Math.floor(timeMs / 1_000));
  return [
    counterSignal(world, "heat_kwh", energyDial, energy),
    counterSignal(world, "heat_volume_m3", volumeDial, volume),
    { quantity: "power_w", at: (timeMs) => Math.round(energy.rate(timeMs) * 10) * 100 },
    { quantity: "flow_m3_h", at: (timeMs) => round(volume.rate(timeMs), 3) },
    {
      quantity: "supply_temperature_celsius",
      at: (timeMs) => round(supplyOf(dayOf(timeMs)) + 0.5 * jitter(1, timeMs), 1),
    },
    {
      quantity: "return_temperature_celsius",
      at: (timeMs) => round(returnOf(dayOf(timeMs)) + 0.4 * jitter(2, timeMs), 1),
    },
  ];
}
