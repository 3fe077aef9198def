import type { LifeEntry, MeterAccount, MeterOptions, Reading, Register } from "../../ingest/meters/index.js";
import { readMeter } from "../../ingest/meters/index.js";

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

/** Noon in Kraków on a day without surprises. */
export const noonMs = Date.parse("2026-11-23T12:00:00+01:00");

/**
 * An electricity meter in kWh with five digits and three decimals, behind a connection of 40 kW.
 * Most in 15 min: 40 × 0.25 × 1.1 + 2 × 0.001 = 11.002 kWh.
 */
export const electricity: Register = {
  serial: "E-1",
  unit: "kWh",
  multiplier: 1,
  resolution: 0.001,
  modulus: 100_000,
  maxRate: 40,
};

/** A water meter Q3 2.5 (Q4 3.125 m³/h), which may turn back by up to 50 litres. Most in 15 min: 3.125 × 0.25 × 1.1 + 0.002 = 0.861375 m³. */
export const water: Register = {
  serial: "W-1",
  unit: "m3",
  multiplier: 1,
  resolution: 0.001,
  modulus: 10_000,
  maxRate: 3.125,
  backflow: 0.05,
};

const said = { recordedMs: noonMs, who: "jan", why: "protocol 17/2026" };

export const entry = {
  installed: (timeMs: number, register: Register, start?: number): LifeEntry => ({
    ...said,
    id: `in-${timeMs}`,
    kind: "installed",
    timeMs,
    register,
    ...(start === undefined ? {} : { start }),
  }),
  exchanged: (timeMs: number, register: Register, final?: number, start?: number): LifeEntry => ({
    ...said,
    id: `ex-${timeMs}`,
    kind: "exchanged",
    timeMs,
    register,
    ...(final === undefined ? {} : { final }),
    ...(start === undefined ? {} : { start }),
  }),
  removed: (timeMs: number, final?: number): LifeEntry => ({
    ...said,
    id: `out-${timeMs}`,
    kind: "removed",
    timeMs,
    ...(final === undefined ? {} : { final }),
  }),
  corrected: (fromMs: number, toMs: number, amount: number): LifeEntry => ({
    ...said,
    id: `co-${fromMs}-${amount}`,
    kind: "corrected",
    fromMs,
    toMs,
    amount,
  }),
};

/** Readings a quarter of an hour apart from noon on; undefined: none came. */
export function quarters(...values: (number | undefined)[]): Reading[] {
  return values.flatMap((value, index) =>
    value === undefined ? [] : [{ timeMs: noonMs + index * 15 * minuteMs, value, sequence: index + 1 }],
  );
}

export const options: MeterOptions = { waitMs: 2 * hourMs, expectedMs: 15 * minuteMs };

/** The account of one register that was installed long before, as of the last reading unless told. */
export function meterOf(register: Register, readings: readonly Reading[], asOfMs?: number) {
  const asOf = asOfMs ?? Math.max(...readings.map(({ timeMs }) => timeMs));
  return readMeter([entry.installed(0, register)], readings, asOf, options);
}

/** Amounts as a person writes them down: from quarter to quarter, amount, mark, why. */
export const rows = ({ intervals }: MeterAccount) =>
  intervals.map(({ fromMs, toMs, amount, mark, why }) => [
    `${(fromMs - noonMs) / minuteMs}-${(toMs - noonMs) / minuteMs}`,
    Number(amount.toFixed(6)),
    mark,
    why,
  ]);
/** What was left out, and why. */
export const left = ({ skipped }: MeterAccount) => skipped.map(({ reading, why }) => [reading.value, why]);
/** A quarter of an hour, counted from noon. */
export const at = (quarter: number) => noonMs + quarter * 15 * minuteMs;
