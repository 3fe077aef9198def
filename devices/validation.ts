import type { DecodedField, DeviceFields, Fault } from "./codec.js";
import type { DeviceEntry } from "./registry.js";
import { type Conversion, createResolver } from "./unit.js";
import type { Value } from "./value.js";

/** Bounds that validation keeps. */
export interface ValidationLimits {
  /** How far ahead of the receive time an event may be, milliseconds. */
  futureSkewMs: number;
}

/** 2000-01-01T00:00:00Z: no sensor of ours is older. */
const earliestMs = 946_684_800_000;

/** What a message's fields came to: values in canonical units, and the fields at fault. */
export interface Validated {
  values: Value[];
  faults: Fault[];
}

function judge(
  field: DecodedField,
  conversion: Conversion | undefined,
  receivedMs: number,
  limits: ValidationLimits,
): Fault | number {
  const fault = (code: string, detail: string): Fault => ({ code, path: field.path, detail });
  if (!conversion) {
    const unit = field.unit === undefined ? "" : ` in ${field.unit.slice(0, 40)}`;
    return fault(
      "unknown-quantity",
      `${field.name.slice(0, 80)}${unit} isn't in the vocabulary: see GET /api/v1/quantities`,
    );
  }
  const { quantity, convert } = conversion;
  const value = convert ? convert(field.value) : field.value;
  if (!Number.isFinite(value)) return fault("not-finite", `${quantity.name} must be a finite number`);
  const [min, max] = quantity.plausible;
  if (value < min || value > max) {
    return fault(
      "implausible-value",
      `${quantity.name} is ${value} ${quantity.unit}; plausible is ${min} to ${max} (${quantity.source})`,
    );
  }
  if (quantity.kind === "state" && value !== 0 && value !== 1) {
    return fault("implausible-value", `${quantity.name} is ${value}; a state is 0 or 1`);
  }
  if (!Number.isInteger(field.timeMs) || field.timeMs < earliestMs) {
    return fault("time-too-old", "the time lies before 2000-01-01: is the device's clock set?");
  }
  if (field.timeMs > receivedMs + limits.futureSkewMs) {
    return fault(
      "time-in-future",
      `the time lies ${Math.round((field.timeMs - receivedMs) / 1_000)} s after its receipt`,
    );
  }
  return value;
}

/** Judges the decoded fields of a message of a registered device. Guarantee: pure. */
export type Validate = (
  decoded: Pick<DeviceFields, "fields" | "faults">,
  device: DeviceEntry,
  receivedMs: number,
  limits: ValidationLimits,
) => Validated;

/** Opens the judge of decoded fields. It remembers names, so that a known one costs a look-up. */
export function createValidator(): Validate {
  const resolve = createResolver();
  return (decoded, device, receivedMs, limits) => {
    const values: Value[] = [];
    const faults = decoded.faults.slice();
    const distances: Value[] = [];
    let hasFill = false;
    for (const field of decoded.fields) {
      const conversion = resolve(field.name, field.unit, device.class);
      const judged = judge(field, conversion, receivedMs, limits);
      if (typeof judged !== "number") {
        faults.push(judged);
        continue;
      }
      const quantity = conversion?.quantity.name ?? "";
      const { timeMs, attributes, path } = field;
      const value = { device: device.id, quantity, attributes, timeMs, value: judged, path };
      values.push(value);
      if (quantity === "distance_mm") distances.push(value);
      else if (quantity === "fill_percent") hasFill = true;
    }
    if (distances.length > 0 && !hasFill)
      values.push(...distances.flatMap((distance) => fillOf(distance, device)));
    return { values, faults };
  };
}

/**
 * Fill level that a distance means in a container whose empty and full distances are known, clamped to 0 to 100 %.
 * The path says that it was derived.
 */
function fillOf(distance: Value, device: DeviceEntry): Value[] {
  const { emptyMm, fullMm } = device;
  if (emptyMm === undefined || fullMm === undefined) return [];
  const fill = ((emptyMm - distance.value) / (emptyMm - fullMm)) * 100;
  const value = Math.round(Math.min(100, Math.max(0, fill)) * 10) / 10;
  return [{ ...distance, quantity: "fill_percent", value }];
}
