import { z } from "zod";
import { formats } from "./formats/table.js";
import { isFilter } from "./topic.js";
import { createResolver } from "./unit.js";

/** An MQTT topic filter as a city file writes it. */
export const topicFilter = z
  .string()
  .min(1)
  .max(256)
  .refine(isFilter, "a topic filter: + alone between slashes, # alone at the end")
  .describe("MQTT topic filter");

/** True for the name of an IANA time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const resolve = createResolver();
const isKnown = ({ quantity, unit }: { quantity?: string | undefined; unit?: string | undefined }): boolean =>
  quantity === undefined || resolve(quantity, unit, "") !== undefined;

const mapping = z
  .strictObject({
    from: z
      .string()
      .min(1)
      .max(200)
      .describe("the field's own name, levels divided by dots; * stands for any characters"),
    quantity: z
      .string()
      .max(64)
      .optional()
      .describe("quantity of the vocabulary; its unit last in the name, or a bare stem with unit"),
    states: z
      .record(z.string().min(1).max(100), z.number())
      .optional()
      .describe("what the field's texts mean, as numbers: { tilt: 1, normal: 0 }"),
    unit: z.string().min(1).max(32).optional().describe("UCUM unit of the number, when the name has none"),
    scale: z
      .number()
      .refine((factor) => factor !== 0)
      .optional()
      .describe("the number is multiplied by it first"),
    offset: z.number().optional().describe("added after scale"),
    model: z.string().min(1).max(100).optional().describe("holds only for devices of this model"),
    ignore: z.literal(true).optional().describe("the field is no measurement"),
  })
  .refine(({ quantity, ignore }) => (quantity === undefined) === (ignore === true), {
    message: "give exactly one of quantity and ignore: true",
  })
  .refine(isKnown, {
    path: ["quantity"],
    message: "isn't in the vocabulary in that unit: see GET /api/v1/quantities",
  });

const decoder = z
  .strictObject({
    model: z.string().min(1).max(100).describe("model of the devices whose frames it decodes"),
    file: z.string().min(1).optional().describe("a maker's decoder in JavaScript; relative to this file"),
    script: z.string().min(1).max(524_288).optional().describe("the same as text"),
    format: z.literal("cayenne-lpp").optional().describe("or a format of ours"),
    version: z
      .string()
      .min(1)
      .max(40)
      .optional()
      .describe("what the decoder is called in refusals; its hash unless given"),
  })
  .refine(
    ({ file, script, format }) => [file, script, format].filter((one) => one !== undefined).length === 1,
    {
      message: "give exactly one of file, script and format",
    },
  );

const deviceRule = z
  .strictObject({
    level: z.int().min(1).max(50).optional().describe("the topic's level that names the device, from 1"),
    field: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe("the payload's field that names it, levels divided by dots"),
    identifier: z
      .string()
      .regex(/^[a-z][A-Za-z0-9]{0,31}$/)
      .optional()
      .describe("scheme of the devices' identifiers that this name is looked up in"),
  })
  .refine(({ level, field }) => level === undefined || field === undefined, {
    message: "give level or field, not both",
  });

/** A source as `city.yaml` writes it: which topics speak which format, and what the vocabulary can't guess of its fields. */
export const sourceSchema = z.strictObject({
  topics: z
    .array(
      topicFilter.refine(
        (filter) => !/^(?:readings|\+|#)(?:\/|$)/.test(filter),
        "begins with what the native readings/{device} begin with: give the first level another name",
      ),
    )
    .min(1)
    .max(100)
    .optional()
    .describe("topic filters; without them the format's usual ones"),
  format: z.enum([...formats.keys()] as [string, ...string[]]).describe("wire format"),
  device: deviceRule.optional().describe("how a message names its device; without it as the format does"),
  timeZone: z
    .string()
    .refine(isTimeZone, "an IANA time zone, such as Europe/Warsaw")
    .optional()
    .describe("zone of times without an offset; the city's unless given"),
  decoders: z
    .array(decoder)
    .max(200)
    .optional()
    .describe("who decodes LoRaWAN frames, by model, before what the network server made of them"),
  map: z.array(mapping).max(1_000).default([]).describe("what fields mean, before the format's own table"),
});
