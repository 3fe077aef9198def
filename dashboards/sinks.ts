import { z } from "zod";

const time = z.string().describe("RFC 3339, UTC");

/** A store that is fed from history, and how it stands. */
export const sinkSchema = z.object({
  name: z.string(),
  position: z.number().int().describe("sequence up to which it has everything"),
  lag: z.number().int().describe("values stored and not yet written to it"),
  written: z.number().int(),
  offended: z.number().int().describe("values that its server refused"),
  fault: z.string().nullable().describe("why it waits, in the server's words where it said any"),
});

/** A value that a sink's server refused, with the server's words. */
export const offenderSchema = z.object({
  sequence: z.number().int(),
  device: z.string(),
  quantity: z.string(),
  unit: z.string(),
  time,
  value: z.number(),
  words: z.string().describe("status and answer of the server"),
  at: time.describe("when it was refused"),
});

/** {@link sinkSchema} */
export type SinkStanding = z.infer<typeof sinkSchema>;
/** {@link offenderSchema} */
export type Offender = z.infer<typeof offenderSchema>;
