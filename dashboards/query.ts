import { z } from "zod";
import { durationSchema } from "../devices/index.js";

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+\- ]\d{2}:\d{2})$/;
const zoneSpace = / (\d{2}:\d{2})$/;

/** RFC 3339 with offset to epoch milliseconds; a `+` that the address turned into a space is taken. */
export const timeSchema = z
  .string()
  .max(40)
  .regex(rfc3339, "write RFC 3339 with an offset: 2026-11-23T10:00:00Z")
  .transform((text, context) => {
    const ms = Date.parse(text.replace(zoneSpace, "+$1").replace(" ", "T").toUpperCase());
    if (Number.isNaN(ms)) {
      context.addIssue({ code: "custom", message: "there is no such time" });
      return z.NEVER;
    }
    return ms;
  });

/** A calendar day, `YYYY-MM-DD`. */
export const daySchema = z.iso.date("write a day as 2026-11-23");

/** An id of a device, a place or an alert as the path or the query gives it. */
export const idSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[ -~\u00a0-\uffff]+$/, "control characters are not allowed");

/** A device id that can stand in a topic: no `/`, `+`, `#`. */
export const deviceIdSchema = idSchema
  .max(128)
  .refine((id) => !/[/+#]/.test(id), "an id of a device has none of / + #");

/** One or several of a query parameter, always as an array. */
export const manyOf = <T extends z.ZodType>(item: T): z.ZodType<z.output<T>[], z.input<T> | z.input<T>[]> =>
  z.union([z.array(item).min(1).max(1_000), item.transform((one) => [one])]) as z.ZodType<
    z.output<T>[],
    z.input<T> | z.input<T>[]
  >;

/** `limit` and `cursor` of a list. */
export const listParts = {
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  cursor: z
    .string()
    .max(2_000)
    .optional()
    .transform((cursor) => (cursor === "" ? undefined : cursor))
    .describe("next of the page before"),
};

/** `from` (inclusive) and `to` (exclusive) of a list. */
export const rangeParts = {
  from: timeSchema.optional().describe("RFC 3339, inclusive"),
  to: timeSchema.optional().describe("RFC 3339, exclusive"),
};

/** An IANA time zone that this machine knows. */
export const zoneSchema = z
  .string()
  .max(64)
  .refine((zone) => {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
    } catch {
      return false;
    }
  }, "an IANA name of a time zone: Europe/Warsaw");

/** Steps of the calendar, in local time. */
export const calendarSteps = ["hour", "day", "week", "month", "year"] as const;

/** The shortest that each of them is, milliseconds. */
export const shortestMs = {
  hour: 3_600_000,
  day: 82_800_000,
  week: 601_200_000,
  month: 2_415_600_000,
  year: 31_532_400_000,
};

/** A step: a duration (`15m`) in milliseconds, or a step of the calendar. */
export const stepSchema = z
  .union([z.enum(calendarSteps), durationSchema])
  .refine((step) => typeof step === "string" || step >= 1_000, "at least 1s")
  .describe("a duration such as 15m, or hour, day, week, month, year of local time");

/** Leaves out what is undefined, so that optional properties stay absent. */
export function given<T extends object>(parts: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Epoch milliseconds as RFC 3339 in UTC. */
export const isoOf = (ms: number): string => new Date(ms).toISOString();

/** The same, or null. */
export const isoOrNull = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : isoOf(ms);

/** The local day of a moment, `YYYY-MM-DD`. */
export const localDay = (ms: number, timeZone: string): string =>
  new Intl.DateTimeFormat("sv-SE", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(
    ms,
  );
