import { z } from "zod";
import type { CodecMark } from "../devices/index.js";
import type { UplinkFigures } from "../ingest/index.js";

/** Which version of a model's decoder made something. */
export const codecMarkSchema = z.object({
  model: z.string(),
  version: z.string(),
  hash: z.string().describe("SHA-256 of its script; empty for a format of ours"),
});

/** How the uplinks of a LoRaWAN device fare since it was first heard. */
export const uplinksSchema = z
  .object({
    heard: z.number().int(),
    lost: z.number().int().describe("gaps of its frame counter"),
    resets: z.number().int().describe("how often its frame counter began anew"),
  })
  .describe("frames of a LoRaWAN device; null when it never sent one with a counter");

/** A decoder as it is answered where it made a reading; left out where none did. */
export const codecOf = (mark: CodecMark | undefined): { codec?: z.output<typeof codecMarkSchema> } =>
  mark ? { codec: mark } : {};

/** Frames of a device as they are answered. */
export const uplinksOf = (figures: UplinkFigures | undefined): z.output<typeof uplinksSchema> | null =>
  figures ? { heard: figures.heard, lost: figures.lost, resets: figures.resets } : null;
