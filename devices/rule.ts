import { z } from "zod";

/** How urgent an alert is, from least to most. */
export const severities = ["info", "warning", "critical"] as const;

/** One of {@link severities}. */
export type Severity = (typeof severities)[number];

/** True when `severity` is at least as urgent as `least`. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return severities.indexOf(severity) >= severities.indexOf(least);
}

/** A text in both languages of the page. */
export interface BilingualText {
  pl: string;
  en: string;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const longestMs = 366 * 86_400_000;

/** Reads `90s`, `15m`, `2h` or `1d`; a bare number is milliseconds. Gives milliseconds, from 0 to 366 days. */
export const durationSchema = z
  .union([
    z.number().nonnegative(),
    z
      .string()
      .regex(durationPattern, "write a number with ms, s, m, h or d, for instance 15m")
      .transform((text) => {
        const [, amount, unit] = durationPattern.exec(text) ?? [];
        return Number(amount) * (units[unit ?? ""] ?? Number.NaN);
      }),
  ])
  .refine((ms) => ms <= longestMs, "at most 366 days")
  .describe("a duration such as 90s, 15m, 2h, 1d; a bare number is milliseconds");

const idSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "lower-case letters, digits and dashes, at most 64 characters");

const quantitySchema = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,63}$/, "a name of the vocabulary, for instance fill_percent");

const text = z.string().min(1).max(200);

const common = {
  id: idSchema.describe("name of the rule; part of the MQTT topic of its alerts"),
  severity: z.enum(severities).describe("how urgent its alerts are"),
  title: z.strictObject({ pl: text, en: text }).describe("what the alert says first, in Polish and English"),
  place: z.string().min(1).optional().describe("only devices at this place or below it"),
  class: z.string().min(1).optional().describe("only devices of this class"),
  devices: z
    .array(z.string().min(1).max(128))
    .min(1)
    .optional()
    .describe("only devices whose id fits one of these; * stands for any characters"),
};

const thresholdSchema = z
  .strictObject({
    ...common,
    kind: z.literal("threshold"),
    quantity: quantitySchema,
    above: z.number().optional().describe("raises when a value is greater than this"),
    below: z.number().optional().describe("raises when a value is less than this"),
    clear: z
      .number()
      .optional()
      .describe(
        "resolves once a value is back at or beyond this; without it, once the limit is no longer broken",
      ),
    for: durationSchema
      .optional()
      .describe("raises only after the limit has been broken for this long without a break"),
  })
  .superRefine((rule, context) => {
    const fault = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    if ((rule.above === undefined) === (rule.below === undefined)) {
      fault("above", "give exactly one of above and below");
      return;
    }
    if (rule.clear === undefined) return;
    if (rule.above !== undefined && rule.clear > rule.above) fault("clear", "must not be greater than above");
    if (rule.below !== undefined && rule.clear < rule.below) fault("clear", "must not be less than below");
  });

const silentSchema = z.strictObject({
  ...common,
  kind: z.literal("silent"),
  quantity: quantitySchema.optional().describe("the quantity that must come; without it, any"),
  times: z
    .number()
    .min(1)
    .max(10_000)
    .describe("raises after this many reporting intervals (the device's every) without a value"),
  offlineFor: durationSchema
    .optional()
    .describe(
      "raises already when the device itself said that it is offline, this long ago, and nothing came since",
    ),
});

/** A rule as `city.yaml` writes it; `for` comes out in milliseconds. */
export const ruleSchema = z.discriminatedUnion("kind", [thresholdSchema, silentSchema]);

/** Judges values of one quantity against a limit, with hysteresis (`clear`) and a duration (`for`, milliseconds). */
export type ThresholdRule = z.output<typeof thresholdSchema>;

/** Judges how long a device has sent nothing, in multiples of its reporting interval. */
export type SilentRule = z.output<typeof silentSchema>;

/** What the operator wants to be told of. */
export type Rule = ThresholdRule | SilentRule;

/** True when `id` fits the glob, where `*` stands for any run of characters and everything else for itself. */
export function matchesGlob(glob: string, id: string): boolean {
  const parts = glob.split("*");
  const first = parts[0] ?? "";
  if (parts.length === 1) return glob === id;
  const last = parts.at(-1) ?? "";
  if (!id.startsWith(first) || !id.endsWith(last) || id.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = id.indexOf(part, at);
    if (found < 0 || found + part.length > id.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
