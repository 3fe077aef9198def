import { z } from "zod";
import type { CodecEntry } from "../devices/index.js";
import type { Waiting } from "../ingest/index.js";
import { codecMarkSchema } from "./lorawan.js";
import { isoOf } from "./query.js";

/** A decoder that was given to the running service. */
export const codecSchema = z.object({
  ...codecMarkSchema.shape,
  convention: z.string().describe("the function that is called: decodeUplink, Decode or Decoder"),
  changedAt: z.string().describe("RFC 3339, UTC"),
  changedBy: z.string(),
});

/** {@link codecSchema} with its script, and the replay that its change is worth. */
export const shownCodecSchema = codecSchema.extend({
  script: z.string(),
  quarantined: z
    .object({
      entries: z.number().int().describe("open ones of the model's devices"),
      isMore: z.boolean().describe("true: counted no further"),
      replay: z
        .object({ method: z.literal("POST"), path: z.string(), body: z.object({ model: z.string() }) })
        .describe("sends them through the pipeline once more"),
    })
    .describe("what waits of the model's devices"),
});

/** {@link shownCodecSchema} */
export type CodecDocument = z.output<typeof shownCodecSchema>;

/** A decoder as it is answered. */
export const codecShown = (
  entry: CodecEntry,
  waiting: Waiting = { entries: 0, isMore: false },
): CodecDocument => ({
  model: entry.model,
  version: entry.version,
  hash: entry.hash,
  convention: entry.convention,
  changedAt: isoOf(entry.changedMs),
  changedBy: entry.changedBy,
  script: entry.script,
  quarantined: {
    ...waiting,
    replay: { method: "POST", path: "/api/v1/quarantine/replay", body: { model: entry.model } },
  },
});
