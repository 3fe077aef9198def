import { z } from "zod";
import { newRegisterSchema, unitOf } from "../devices/index.js";
import type { LifeEntry, MeterAmount, MeterEntry, MeterNote, MeterSpan, MeterStep } from "../ingest/index.js";
import { isoOf, isoOrNull, timeSchema } from "./query.js";

const time = z.string().describe("RFC 3339, UTC");

/** How far an amount can be relied on. */
export const marks = ["measured", "estimated", "corrected", "suspect"] as const;

/** What happened between two readings. */
export const whys = [
  "normal",
  "gap",
  "rollover",
  "backflow",
  "reset",
  "jump",
  "fall",
  "new-epoch",
  "exchange",
  "turns-unknown",
  "correction",
] as const;

const register = z.object({
  serial: z.string(),
  multiplier: z.number().describe("amount of one unit of the register"),
  resolution: z.number(),
  modulus: z.number().nullable().describe("where it begins at zero again; null where nobody knows"),
  maxRate: z.number().describe("most in an hour"),
  backflow: z.number().nullable(),
});

/** A register of a device, now or in the past. */
export const meterSpanSchema = register.extend({
  quantity: z.string(),
  unit: z.string(),
  assumed: z.boolean().describe("true: nobody described it, its figures are those of a usual size"),
  from: time.nullable().describe("null: it always counted"),
  to: time.nullable().describe("null: it counts now"),
  start: z.number().nullable().describe("what it showed first, by the protocol"),
  final: z.number().nullable().describe("what it showed last, by the protocol"),
});

/** A device's meter. */
export const meterSchema = z.object({
  parent: z.string().nullable().describe("the device whose meter is upstream"),
  registers: z.array(meterSpanSchema).describe("by quantity, oldest first"),
});

/** An entry of a meter's life: what it doesn't say is null. */
export const meterEntrySchema = z.object({
  sequence: z.number().int(),
  id: z.string(),
  device: z.string(),
  quantity: z.string(),
  kind: z.enum(["installed", "exchanged", "removed", "corrected", "withdrawn"]),
  time: time.nullable(),
  register: register.nullable(),
  final: z.number().nullable(),
  start: z.number().nullable(),
  from: time.nullable(),
  to: time.nullable(),
  amount: z.number().nullable(),
  entry: z.string().nullable().describe("the entry that it withdraws"),
  who: z.string(),
  why: z.string(),
  recordedAt: time,
});

const said = {
  quantity: z.string().min(1).max(64).describe("the counter that shows it: energy_import_kwh"),
  why: z.string().min(1).max(1_000).describe("the reason, the number of the protocol"),
  id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, "letters, digits, dot, dash, underscore")
    .optional()
    .describe("names the entry, so that sending it twice adds it once; made up unless given"),
};
const shown = (what: string): z.ZodOptional<z.ZodNumber> =>
  z.number().nonnegative().max(1e15).optional().describe(`what the ${what} showed, in its own units`);
const moment = timeSchema.describe("RFC 3339");

/** An entry as it is given. */
export const meterNoteBody = z.discriminatedUnion("kind", [
  z.strictObject({
    ...said,
    kind: z.literal("installed"),
    time: moment,
    register: newRegisterSchema,
    start: shown("new register"),
  }),
  z.strictObject({
    ...said,
    kind: z.literal("exchanged"),
    time: moment,
    register: newRegisterSchema,
    final: shown("old register"),
    start: shown("new register"),
  }),
  z.strictObject({ ...said, kind: z.literal("removed"), time: moment, final: shown("register") }),
  z.strictObject({
    ...said,
    kind: z.literal("corrected"),
    from: moment,
    to: moment,
    amount: z
      .number()
      .min(-1e15)
      .max(1e15)
      .describe("added to the amounts of this time; below zero: taken away"),
  }),
  z.strictObject({
    ...said,
    kind: z.literal("withdrawn"),
    entry: z.string().min(1).max(100).describe("id of the entry that never was"),
  }),
]);

const source = z
  .object({
    time,
    value: z.number(),
    receivedAt: time.nullable().describe("null: from a protocol"),
    entry: z.string().nullable().describe("the entry whose protocol says it"),
  })
  .nullable();

/** What flowed between two readings of a counter; `from` inclusive, `to` exclusive. */
export const intervalSchema = z.object({
  from: time,
  to: time,
  amount: z.number(),
  unit: z.string(),
  mark: z.enum(marks),
  why: z.enum(whys),
  lowerBound: z.boolean().describe("true: more may have flowed"),
  apart: z
    .number()
    .describe("what the register is off by after a jump or a fall that stayed; no part of the amount"),
  serial: z.string().nullable(),
  first: source.describe("the reading that it begins with; null for a correction"),
  last: source.describe("the reading that it ends with"),
  entry: z.string().nullable().describe("the entry that a correction is"),
});

/** What flowed in a step of time, by how far it can be relied on. */
export const amountSchema = z.object({
  from: time,
  to: time,
  amount: z.number().describe("measured + estimated + corrected + suspect"),
  unit: z.string(),
  measured: z.number(),
  estimated: z.number(),
  corrected: z.number(),
  suspect: z.number(),
  apart: z.number(),
  known: z.number().describe("share of its time that lies between two readings, 0 to 1"),
  coverage: z
    .number()
    .describe("share of its time that lies between readings that came as often as expected"),
});

/** {@link meterSchema} */
export type MeterDocument = z.infer<typeof meterSchema>;
/** {@link meterEntrySchema} */
export type MeterEntryDocument = z.infer<typeof meterEntrySchema>;
/** {@link intervalSchema} */
export type IntervalDocument = z.infer<typeof intervalSchema>;
/** {@link amountSchema} */
export type AmountDocument = z.infer<typeof amountSchema>;

type RegisterFigures = MeterSpan["register"];
const registerOf = ({
  unit: _unit,
  modulus,
  backflow,
  ...rest
}: RegisterFigures): z.infer<typeof register> => ({
  ...rest,
  modulus: modulus ?? null,
  backflow: backflow ?? null,
});

/** A register as it is answered. */
export const spanOf = ({ quantity, register: figures, assumed, fromMs, toMs, start, final }: MeterSpan) => ({
  quantity,
  unit: figures.unit,
  ...registerOf(figures),
  assumed,
  from: fromMs === 0 ? null : isoOf(fromMs),
  to: Number.isFinite(toMs) ? isoOf(toMs) : null,
  start: start?.value ?? null,
  final: final?.value ?? null,
});

/** An entry as it is answered. */
export const entryOf = ({ sequence, device, quantity, entry }: MeterEntry): MeterEntryDocument => {
  const { id, kind, who, why, recordedMs, ...rest } = entry;
  const parts = rest as Partial<Omit<Extract<LifeEntry, { kind: "exchanged" }>, "kind">> & {
    fromMs?: number;
    toMs?: number;
    amount?: number;
    entry?: string;
  };
  return {
    sequence,
    id,
    device,
    quantity,
    kind,
    time: isoOrNull(parts.timeMs),
    register: parts.register ? registerOf(parts.register) : null,
    final: parts.final ?? null,
    start: parts.start ?? null,
    from: isoOrNull(parts.fromMs),
    to: isoOrNull(parts.toMs),
    amount: parts.amount ?? null,
    entry: parts.entry ?? null,
    who,
    why,
    recordedAt: isoOf(recordedMs),
  };
};

/** An entry that is given, as a meter's life takes it. */
export function noteOf(body: z.output<typeof meterNoteBody>): MeterNote {
  const { quantity: _quantity, ...rest } = body;
  if (rest.kind === "corrected") {
    const { from, to, ...more } = rest;
    return { ...more, fromMs: from, toMs: to };
  }
  if (rest.kind === "withdrawn") return rest;
  const { time: timeMs, ...more } = rest;
  return { ...more, timeMs };
}

type Source = Extract<MeterAmount, { from: unknown }>["from"];
const sourceOf = ({ timeMs, value, sequence, entry }: Source): IntervalDocument["first"] => ({
  time: isoOf(timeMs),
  value,
  receivedAt: entry === undefined ? isoOf(sequence) : null,
  entry: entry ?? null,
});

/** An amount of a counter as it is answered. */
export function intervalOf(one: MeterAmount, quantity: string): IntervalDocument {
  const range = { from: isoOf(one.fromMs), to: isoOf(one.toMs), amount: one.amount, unit: unitOf(quantity) };
  if (one.entry) {
    const none = { lowerBound: false, apart: 0, serial: null, first: null, last: null };
    return { ...range, mark: "corrected", why: "correction", ...none, entry: one.entry.id };
  }
  const { mark, why, lowerBound, apart, serial, from, to } = one;
  return {
    ...range,
    mark,
    why,
    lowerBound,
    apart,
    serial,
    first: sourceOf(from),
    last: sourceOf(to),
    entry: null,
  };
}

/** An amount of a step as it is answered. */
export const amountOf = ({ fromMs, toMs, amount, ...rest }: MeterStep, quantity: string): AmountDocument => ({
  from: isoOf(fromMs),
  to: isoOf(toMs),
  amount,
  unit: unitOf(quantity),
  ...rest,
});
