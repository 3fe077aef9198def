import type { QuarantineEntry } from "./stores/port.js";

const maxPaths = 20;

/**
 * What is told on `rejections/{device}`, for who builds the device: JSON
 * `{id, message, reason, paths, count, detail, receivedAt}`, one for each quarantine entry of a device that can be named.
 */
export function rejectionsOf(entries: readonly QuarantineEntry[]): { topic: string; payload: string }[] {
  return entries
    .filter(({ device }) => /^[A-Za-z0-9._-]{1,64}$/.test(device))
    .map(({ id, message, device, reason, paths, count, detail, receivedMs }) => ({
      topic: `rejections/${device}`,
      payload: JSON.stringify({
        id,
        message,
        reason,
        paths: paths.slice(0, maxPaths),
        count,
        detail,
        receivedAt: new Date(receivedMs).toISOString(),
      }),
    }));
}
