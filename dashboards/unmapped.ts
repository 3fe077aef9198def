import { z } from "zod";

const time = z.string().describe("RFC 3339, UTC");

/** A field that nobody gave a quantity, with what it most likely means. */
export const unmappedSchema = z.object({
  format: z.string(),
  source: z
    .number()
    .int()
    .nullable()
    .describe("which of the city's sources understands it, from 0; null: a format's own topics"),
  topic: z.string(),
  device: z.string(),
  class: z.string(),
  model: z.string().nullable(),
  field: z.string().describe("its own name, levels divided by dots"),
  count: z.number().int(),
  firstSeenAt: time,
  lastSeenAt: time,
  samples: z.object({ first: z.number(), newest: z.number(), min: z.number(), max: z.number() }),
  guess: z.object({
    confidence: z
      .enum(["sure", "likely", "unsure"])
      .describe("sure: its name says quantity and unit; unsure: a person decides"),
    quantity: z.string().nullable().describe("as a source's map writes it"),
    ignore: z.boolean().describe("most likely no measurement"),
    why: z.string(),
  }),
});

/** {@link unmappedSchema} */
export type UnmappedDocument = z.infer<typeof unmappedSchema>;
