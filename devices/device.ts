import { z } from "zod";
import { fractions } from "./attributes.js";
import { ObiegError } from "./error.js";
import { identifiersSchema } from "./identifier.js";
import { meterSchema } from "./meter.js";
import { deviceClasses } from "./quantity.js";
import type { DeviceEntry } from "./registry.js";
import { durationSchema } from "./rule.js";
import { moment } from "./service-time.js";

/** Id of a device or a user: safe in a topic, in a line of InfluxDB, in a file's name. */
export const deviceId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "letters, digits, dot, dash and underscore, at most 64 characters",
  )
  .describe("id of the device; part of its topics");

/** Id of a place: a path of its parents. */
export const placeId = z
  .string()
  .max(200)
  .regex(
    /^[a-z0-9][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)*$/,
    "lower-case letters, digits and dashes, levels divided by /",
  )
  .describe("id of the place: its parent's id, a slash, its own name");

/** Latitude and longitude, degrees (WGS 84). */
export const at = z
  .tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)])
  .describe("latitude and longitude, degrees (WGS 84)");

const interval = durationSchema.refine((ms) => ms >= 1_000, "at least 1s");

const parts = {
  id: deviceId,
  class: z.enum(deviceClasses as [string, ...string[]]).describe("device class"),
  place: placeId.describe("where it stands"),
  name: z
    .string()
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u, "1 to 100 printable characters")
    .optional()
    .describe("what people call it"),
  model: z.string().min(1).max(100).optional().describe("maker and model, as a source's map names it"),
  identifiers: identifiersSchema.optional(),
  at: at.optional(),
  fraction: z.enum(fractions).optional().describe("what a bin collects"),
  capacityLitres: z.number().positive().max(100_000).optional().describe("volume of a bin, litres"),
  emptyMm: z
    .number()
    .positive()
    .max(20_000)
    .optional()
    .describe("distance to the floor of the empty bin, mm"),
  fullMm: z
    .number()
    .nonnegative()
    .max(20_000)
    .optional()
    .describe("distance to the surface of the full bin, mm"),
  meter: meterSchema.optional(),
  commissioned: moment.optional().describe("when its service began; readings before it are kept and marked"),
  decommissioned: moment.optional().describe("when its service ended; readings from then on too"),
};

type Service = { commissioned?: number | undefined; decommissioned?: number | undefined };
const isService = ({ commissioned, decommissioned }: Service): boolean =>
  commissioned === undefined || decommissioned === undefined || commissioned < decommissioned;
const serviceFault = { path: ["decommissioned"], message: "must be after commissioned" };

type Container = { emptyMm?: number | undefined; fullMm?: number | undefined };
const isContainer = ({ emptyMm, fullMm }: Container): boolean =>
  emptyMm === undefined || fullMm === undefined || emptyMm > fullMm;
const containerFault = { path: ["emptyMm"], message: "must be greater than fullMm" };

/** A device as `city.yaml` writes it. */
export const deviceSchema = z
  .strictObject({ ...parts, every: interval.optional().describe("how often it reports") })
  .refine(isContainer, containerFault)
  .refine(isService, serviceFault);

const entrySchema = z
  .strictObject({ ...parts, everyMs: interval.optional() })
  .refine(isContainer, containerFault)
  .refine(isService, serviceFault);

/** Holds a device that comes in by another way than a city file to the same bounds. Throws `device-invalid`, saying what to write. */
export function checkDevice(device: Omit<DeviceEntry, "sinceMs">): void {
  const parsed = entrySchema.safeParse(device);
  if (parsed.success) return;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ObiegError("device-invalid", faults.join("; "));
}
