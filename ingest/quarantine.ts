import type { Fault, JournalMessage } from "../devices/index.js";
import type { QuarantineEntry } from "./stores/port.js";

/** Reason of a message whose device isn't registered; it counts under `(unknown)` whatever else is wrong with it. */
export const unknownDeviceCode = "unknown-device";

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

/** Quarantines the fields at fault of one message: one entry a reason. `mark` ends the ids of a replay, so that they stay unique. */
export function quarantineFields(
  message: JournalMessage,
  device: string,
  faults: readonly Fault[],
  mark = "",
): QuarantineEntry[] {
  const byReason = new Map<string, QuarantineEntry>();
  for (const fault of faults) {
    const known = byReason.get(fault.code);
    if (!known) {
      const made = entry(message, device, byReason.size + 1, fault);
      byReason.set(fault.code, { ...made, id: `${made.id}${mark}` });
    } else {
      known.count += 1;
      known.paths.push(fault.path);
    }
  }
  return [...byReason.values()];
}
