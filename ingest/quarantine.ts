import type { DeviceFields, Fault, JournalMessage, UnmappedField } from "../devices/index.js";
import type { QuarantineEntry } from "./stores/port.js";

/** Reason of a message whose device isn't registered; it counts under `(unknown)` whatever else is wrong with it. */
export const unknownDeviceCode = "unknown-device";

/** Reason of a number that has no quantity; it isn't a value, so the account of values doesn't know it. */
export const unmappedCode = "unmapped-field";

/** Reason of a message that was taken, and that its decoder warned of; once a device and warning. */
export const warningCode = "codec-warning";

function entry(message: JournalMessage, device: string, n: number, fault: Fault): QuarantineEntry {
  return {
    id: `${message.sequence}-${n}`,
    message: message.sequence,
    receivedMs: message.receivedMs,
    device,
    user: message.user,
    topic: message.topic,
    payload: message.payload,
    whole: false,
    reason: fault.code,
    paths: [fault.path],
    count: 1,
    detail: fault.detail,
    status: "open",
  };
}

/** Quarantines a message of which nothing could be taken. */
export function quarantineWhole(message: JournalMessage, device: string, fault: Fault): QuarantineEntry {
  return { ...entry(message, device, 0, fault), whole: true, count: 0 };
}

/** Quarantines a number that has no quantity: one that came for the first time. */
export function unmappedEntry(
  message: JournalMessage,
  device: string,
  { field, value, path }: UnmappedField,
  n: number,
): QuarantineEntry {
  const detail = `${field.slice(0, 100)} (${value}) has no quantity: name one in the map of a source (obieg source suggest), then replay`;
  return {
    ...entry(message, device, n, { code: unmappedCode, path, detail }),
    id: `${message.sequence}-u${n}`,
  };
}

/** Keeps a message with what a decoder warned of in it: a warning that came for the first time. Nothing of it is refused. */
export function warningEntry(
  message: JournalMessage,
  device: string,
  { field, path }: UnmappedField,
  n: number,
): QuarantineEntry {
  const detail = field.slice(0, 300);
  return {
    ...entry(message, device, n, { code: warningCode, path, detail }),
    id: `${message.sequence}-w${n}`,
    count: 0,
  };
}

/** The fields of a device that isn't registered, in a message of another one. */
export function faultsOfUnknown({ fields, faults }: DeviceFields): Fault[] {
  const detail = "not in the registry: add the device, then replay";
  return [...fields, ...faults].map(({ path }) => ({ code: unknownDeviceCode, path, detail }));
}

/**
 * Quarantines the fields at fault of one device in a message: one entry a reason. `mark` ends the ids of a replay, so that they stay
 * unique; `after` is how many entries the message has already.
 */
export function quarantineFields(
  message: JournalMessage,
  device: string,
  faults: readonly Fault[],
  mark = "",
  after = 0,
): QuarantineEntry[] {
  const byReason = new Map<string, QuarantineEntry>();
  for (const fault of faults) {
    const known = byReason.get(fault.code);
    if (!known) {
      const made = entry(message, device, after + byReason.size + 1, fault);
      byReason.set(fault.code, { ...made, id: `${made.id}${mark}` });
    } else {
      known.count += 1;
      known.paths.push(fault.path);
    }
  }
  return [...byReason.values()];
}
