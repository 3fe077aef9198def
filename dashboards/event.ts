import { z } from "zod";
import { latestSchema, presenceSchema, quarantinedSchema } from "./api.js";

const skipped = z.number().int();

/** Stored values a moment ago, newest of each series; `skipped` values were too many to show. */
export const readingsEventSchema = z.object({
  items: z.array(latestSchema.extend({ device: z.string() })),
  skipped,
});

/** Something was quarantined a moment ago. */
export const quarantineEventSchema = z.object({
  items: z.array(quarantinedSchema.pick({ id: true, device: true, reason: true, receivedAt: true })),
  skipped,
});

/** Devices came or went by their own word a moment ago; `skipped` were too many to show. */
export const presenceEventSchema = z.object({
  items: z.array(presenceSchema.extend({ device: z.string() })),
  skipped,
});

/** {@link readingsEventSchema} */
export type ReadingsEvent = z.infer<typeof readingsEventSchema>;
/** {@link quarantineEventSchema} */
export type QuarantineEvent = z.infer<typeof quarantineEventSchema>;
/** {@link presenceEventSchema} */
export type PresenceEvent = z.infer<typeof presenceEventSchema>;
