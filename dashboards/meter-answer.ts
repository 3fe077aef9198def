import { z } from "zod";

const time = z.string().describe("RFC 3339, UTC");

/** A register as it is described: in the unit of its quantity; `maxRate` is the most in an hour. */
const registerAnswer = z.object({
  serial: z.string(),
  ...z.object({ digits: z.number(), bits: z.number(), backflow: z.number(), start: z.number() }).partial()
    .shape,
  ...z.object({ resolution: z.number(), multiplier: z.number(), maxRate: z.number(), installed: time }).shape,
});
/** What the registry says of a device's meter. */
export const meterAnswer = z.object({
  parent: z.string().nullable().describe("the device whose meter is upstream of this one"),
  registers: z.record(z.string(), registerAnswer).describe("by the quantity that they count"),
});
