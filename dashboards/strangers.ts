import { z } from "zod";
import { deviceSchema, quarantinedSchema, replayedSchema } from "./api.js";

const time = z.string().describe("RFC 3339, UTC");

/** A device that sends with a gateway's valid credential and isn't registered. */
export const strangerSchema = z.object({
  identifier: z.string().describe("what its messages call it"),
  scheme: z
    .string()
    .nullable()
    .describe("scheme of the identifier that adopting gives it; null: its id has to be the identifier"),
  text: z.string().nullable().describe("that identifier, where it differs from what the messages call it"),
  format: z.string().nullable().describe("wire format of its newest message"),
  user: z.string().describe("who published it"),
  topic: z.string(),
  firstSeenAt: time,
  lastSeenAt: time,
  messages: z.number().int().describe("messages of it that wait in quarantine"),
  payload: quarantinedSchema.shape.payload.describe("the newest message, at most its first 1,024 bytes"),
  suggestion: z
    .object({
      id: z.string().nullable().describe("an id that is free"),
      class: z.string().nullable().describe("null where the quantities don't tell"),
      quantities: z.array(z.string()),
      unmapped: z.array(z.string()).describe("fields that a source's map has to name"),
    })
    .describe("from its newest three messages"),
});

/** A device that was adopted, and what became of the messages that it sent before. */
export const adoptedSchema = replayedSchema.extend({
  device: deviceSchema,
});

/** {@link strangerSchema} */
export type StrangerDocument = z.infer<typeof strangerSchema>;
