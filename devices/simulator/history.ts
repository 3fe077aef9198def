import type { DeviceEntry } from "../registry.js";
import { createModelIn, createScene, defaultEveryMs, type ModelOptions, nextReportMs } from "./model.js";
import type { Signal } from "./signal.js";

/** One quantity of one device over time, in order of time; no attributes. */
export interface HistoryColumn {
  device: string;
  quantity: string;
  /** Epoch milliseconds, whole numbers. Columns of a device may share the array: don't write into it. */
  times: Float64Array;
  values: Float64Array;
}

/** What {@link simulateHistory} makes. */
export interface HistoryPlan {
  /** First moment, inclusive. */
  fromMs: number;
  /** Last moment, exclusive. */
  toMs: number;
  seed: number;
  /** IANA name. */
  timeZone: string;
  /** What may be told of a device beside its entry. */
  optionsFor?: (device: DeviceEntry) => ModelOptions;
}

/**
 * Makes what the devices would have sent on their regular times in a span, since they are there, column by column, one device
 * in memory at a time.
 * Guarantee: the numbers that {@link createModel} gives at the same moments, so live models go on where it ends.
 * Throws `simulator-class`, `simulator-time-zone`, `simulator-time`.
 */
export function* simulateHistory(
  devices: Iterable<DeviceEntry>,
  plan: HistoryPlan,
): Generator<HistoryColumn, void, undefined> {
  const scene = createScene(plan.seed, plan.timeZone);
  for (const device of devices) {
    const everyMs = device.everyMs ?? defaultEveryMs;
    const model = createModelIn(scene, device, plan.optionsFor?.(device));
    const firstMs = nextReportMs(device, Math.max(plan.fromMs, device.sinceMs));
    const count = Math.max(0, Math.ceil((plan.toMs - firstMs) / everyMs));
    const times = Float64Array.from({ length: count }, (_, n) => firstMs + n * everyMs);
    for (const signal of model.signals) {
      const column = sample(times, everyMs, signal);
      if (column.times.length > 0) yield { device: device.id, quantity: signal.quantity, ...column };
    }
  }
}

function sample(
  times: Float64Array,
  everyMs: number,
  signal: Signal,
): { times: Float64Array; values: Float64Array } {
  const values = new Float64Array(times.length);
  const kept = new Float64Array(times.length);
  let count = 0;
  for (let n = 0; n < times.length; n++) {
    const timeMs = times[n] ?? 0;
    const value = signal.at(timeMs, timeMs - everyMs);
    if (Number.isNaN(value)) continue;
    values[count] = value;
    kept[count++] = timeMs;
  }
  return count === times.length
    ? { times, values }
    : { times: kept.slice(0, count), values: values.slice(0, count) };
}
