import type { Register } from "./register.js";

/** What a register showed at a moment. */
export interface Reading {
  timeMs: number;
  /** In units of the register. */
  value: number;
  /** Journal sequence: of two that name the same moment the lower one stays. -1: from a protocol. */
  sequence: number;
  /** The device's own name for what it counts with (`TotalStartTime`, a serial number): another name is another register. */
  epoch?: string;
  /** The entry of the life whose protocol says it. */
  entry?: string;
}

/** How a register gets from one reading to the next without anything that needs an explanation. */
export interface Step {
  kind: "normal" | "rollover" | "backflow" | "jitter";
  /** What was counted, in units of the register. */
  counted: number;
  /** True when it may have been a whole turn of the register more. */
  turns: boolean;
}

const hourMs = 3_600_000;
/** How much faster than its ceiling a register may seem to run: clocks and load allow for it. */
const allowance = 1.1;

/** Most that a register can have counted in a time, in its own units: ceiling × time × 1.1 + two steps of the last digit. */
export function ceiling({ maxRate, multiplier, resolution }: Register, durationMs: number): number {
  return (maxRate / multiplier) * (durationMs / hourMs) * allowance + 2 * resolution;
}

/** What binary fractions may add to a difference of two values. */
const noise = (a: number, b: number): number => 1e-12 * Math.max(Math.abs(a), Math.abs(b), 1);

/** The plain step between two readings; undefined when a jump, a fall or a fault must have come between. */
export function stepBetween(register: Register, from: Reading, to: Reading): Step | undefined {
  const { modulus, backflow, resolution, multiplier } = register;
  const d = to.value - from.value;
  const most = ceiling(register, to.timeMs - from.timeMs) + noise(from.value, to.value);
  const turns = modulus !== undefined && most >= modulus;
  if (d >= 0 && d <= most)
    return { kind: "normal", counted: d, turns: modulus !== undefined && d + modulus <= most };
  const back = Math.max(2 * resolution, (backflow ?? 0) / multiplier) + noise(from.value, to.value);
  if (d < 0 && -d <= back)
    return backflow === undefined
      ? { kind: "jitter", counted: 0, turns: false }
      : { kind: "backflow", counted: d, turns: false };
  if (modulus === undefined) return undefined;
  if (d < 0 && d + modulus <= most) return { kind: "rollover", counted: d + modulus, turns };
  if (d > 0 && backflow !== undefined && modulus - d <= back)
    return { kind: "backflow", counted: d - modulus, turns: false };
  return undefined;
}

/** True when a register of that modulus can show the value. */
export function canShow({ modulus }: Register, value: number): boolean {
  return modulus === undefined || (value >= 0 && value < modulus);
}

/** Readings in the order of their times, each once: of equal ones the lowest sequence. */
export function inOrder(readings: readonly Reading[]): Reading[] {
  const sorted = [...readings].sort(
    (a, b) =>
      a.timeMs - b.timeMs || a.value - b.value || compareText(a.epoch, b.epoch) || a.sequence - b.sequence,
  );
  return sorted
    .filter((reading, index) => index === 0 || !isSame(reading, sorted[index - 1] as Reading))
    .sort((a, b) => a.timeMs - b.timeMs || a.sequence - b.sequence || a.value - b.value);
}

const compareText = (a = "", b = ""): number => (a === b ? 0 : a < b ? -1 : 1);

/** True when two readings say the same of the same moment. */
function isSame(a: Reading, b: Reading): boolean {
  return a.timeMs === b.timeMs && a.value === b.value && a.epoch === b.epoch;
}

/** Readings in order, with others put where they belong. Shape: `ordered` as {@link inOrder} gives it; `fresh` not empty. */
export function merged(ordered: readonly Reading[], fresh: readonly Reading[]): Reading[] {
  const times = fresh.map(({ timeMs }) => timeMs);
  const start = firstAt(ordered, Math.min(...times));
  const end = firstAt(ordered, Math.max(...times) + 1);
  return [
    ...ordered.slice(0, start),
    ...inOrder([...ordered.slice(start, end), ...fresh]),
    ...ordered.slice(end),
  ];
}

/** Index of the first reading at or after a time. */
export function firstAt(ordered: readonly Reading[], timeMs: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ordered[middle] as Reading).timeMs < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
