import { z } from "zod";
import type { DeviceEntry, RegistryView } from "./registry.js";
import { parseTime } from "./time.js";

/** A date and time as a file writes it. */
export const moment = z
  .union([
    z.int().nonnegative(),
    z
      .string()
      .transform(parseTime)
      .refine(
        (ms) => Number.isFinite(ms),
        "a date and time with its offset, such as 2024-05-01T10:00:00+02:00",
      ),
  ])
  .describe("a date and time with its offset; a bare number is epoch milliseconds");

/** Why a reading doesn't belong to a device's time of service. */
export type OutsideService = "before-commissioning" | "after-decommissioning";

/** The time of service, as far as it is known: half-open, epoch milliseconds. */
export type ServiceTime = Pick<DeviceEntry, "commissioned" | "decommissioned">;

/** Where a time lies outside a device's service; undefined when it lies within. */
export function outsideService(
  { commissioned, decommissioned }: ServiceTime,
  timeMs: number,
): OutsideService | undefined {
  if (commissioned !== undefined && timeMs < commissioned) return "before-commissioning";
  if (decommissioned !== undefined && timeMs >= decommissioned) return "after-decommissioning";
  return undefined;
}

/** When devices are expected to report: how often (milliseconds), since when (registered and in service), until when. */
export function expectedReports(registry: Pick<RegistryView, "device">): {
  everyMsOf: (device: string) => number | undefined;
  sinceMsOf: (device: string) => number | undefined;
  untilMsOf: (device: string) => number | undefined;
} {
  return {
    everyMsOf: (id) => registry.device(id)?.everyMs,
    sinceMsOf(id) {
      const device = registry.device(id);
      return device && Math.max(device.sinceMs, device.commissioned ?? device.sinceMs);
    },
    untilMsOf: (id) => registry.device(id)?.decommissioned,
  };
}
