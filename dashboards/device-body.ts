import { z } from "zod";
import { meterSchema } from "../devices/index.js";
import type { DeviceInput } from "../ingest/index.js";
import { pointSchema } from "./api.js";
import { given, idSchema, timeSchema } from "./query.js";

/** What is said of a device when it is registered; `null` is the same as leaving it out. */
export const deviceBody = z.strictObject({
  class: z.string().min(1).max(64),
  place: idSchema,
  name: z.string().min(1).max(100).nullish().describe("what people call it"),
  model: z.string().min(1).max(100).nullish(),
  identifiers: z
    .record(z.string(), z.string())
    .nullish()
    .describe("what it is called elsewhere, by scheme: devEui, mac, serial, name, topic"),
  at: pointSchema.nullish(),
  everySeconds: z.number().positive().max(31_622_400).nullish().describe("reporting interval"),
  fraction: z.string().min(1).max(64).nullish(),
  capacityLitres: z.number().positive().nullish(),
  emptyMm: z.number().nonnegative().nullish().describe("sensor to the floor of the empty container"),
  fullMm: z.number().nonnegative().nullish().describe("sensor to the surface of the full one"),
  meter: meterSchema.nullish(),
  commissioned: timeSchema
    .nullish()
    .describe("when its service began; readings before it are kept and marked"),
  decommissioned: timeSchema.nullish().describe("when its service ended; readings from then on too"),
});

/** The same as the registry takes it. */
export function deviceInput(id: string, body: z.output<typeof deviceBody>): DeviceInput {
  const { class: kind, place, everySeconds, ...rest } = body;
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  return {
    id,
    class: kind,
    place,
    ...given({ ...(said as Partial<DeviceInput>), everyMs: everySeconds ? everySeconds * 1_000 : undefined }),
  };
}
