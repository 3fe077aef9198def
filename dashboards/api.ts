import { z } from "zod";
import { codecMarkSchema, uplinksSchema } from "./lorawan.js";
import { meterAnswer } from "./meter-answer.js";

/** RFC 3339 in UTC. */
const time = z.string().describe("RFC 3339, UTC");
const place = z.string().describe("place id, a path: krakow/podgorze");
const text = z.strictObject({ pl: z.string(), en: z.string() });

/** A page of a list; `next` goes into `cursor`, null at the end. */
export const pageOf = <T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodNullable<z.ZodString> }> =>
  z.object({ items: z.array(item), next: z.string().nullable().describe("give as cursor; null at the end") });

const inFile = z
  .object({ line: z.int(), column: z.int(), field: z.string(), code: z.string() })
  .partial().shape;

/** A fault (RFC 9457); `code` is stable, `faults` says where a request is wrong. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  faults: z
    .array(z.object({ path: z.string(), message: z.string(), ...inFile }))
    .optional()
    .describe("JSON pointers into the request: /query/limit, /body/place"),
});

/** Who may do what, from least to most: `public` is what a city opens. */
export const roles = ["public", "viewer", "operator", "admin"] as const;

const role = z.enum(roles);

/** Who is logged in. */
export const sessionSchema = z.object({ user: z.string(), role });

/** A row of the vocabulary; the range is in `unit`. */
export const quantitySchema = z.object({
  name: z.string(),
  unit: z.string(),
  kind: z.enum(["gauge", "counter", "amount", "state"]),
  dimension: z.string(),
  min: z.number().nullable(),
  max: z.number().nullable(),
  classes: z.array(z.string()),
});

/** Latitude and longitude, degrees (WGS 84). */
export const pointSchema = z
  .tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)])
  .describe("latitude, longitude in degrees");

/** A node of the tree of places. */
export const placeSchema = z.object({
  id: place,
  kind: z.enum(["city", "district", "site", "building", "household"]),
  name: z.string(),
  at: pointSchema.nullable(),
});

/** The newest value of a quantity. */
export const latestSchema = z.object({ quantity: z.string(), unit: z.string(), value: z.number(), time });

/** Whether a device is there by its own word (last will, availability, birth and death), and since when. */
export const presenceSchema = z
  .object({ online: z.boolean(), since: time })
  .describe("whether it is there by its own word; null when it never said");

/** A registered device with its newest values. */
export const deviceSchema = z.object({
  id: z.string(),
  class: z.string(),
  place,
  name: z.string().nullable().describe("what people call it"),
  model: z.string().nullable().describe("maker and model, as a source's map names it"),
  identifiers: z
    .record(z.string(), z.string())
    .describe("what it is called elsewhere, by scheme: devEui, mac, serial, name, topic"),
  at: pointSchema.nullable(),
  everySeconds: z.number().nullable().describe("reporting interval"),
  fraction: z.string().nullable(),
  capacityLitres: z.number().nullable(),
  emptyMm: z.number().nullable(),
  fullMm: z.number().nullable(),
  meter: meterAnswer.nullable(),
  commissioned: time.nullable().describe("when its service began"),
  decommissioned: time.nullable().describe("when its service ended"),
  since: time.describe("when it entered the registry"),
  presence: presenceSchema.nullable(),
  uplinks: uplinksSchema.nullable(),
  latest: z.array(latestSchema),
});

const entriesSchema = z.array(z.object({ kind: z.string(), id: z.string() }));

/** What a city file changes. */
export const diffSchema = z.object({
  added: entriesSchema,
  changed: entriesSchema,
  removed: entriesSchema,
  applied: z.boolean().describe("false: only asked what would change"),
});

/** What a backup holds. */
export const backupSchema = z.object({ dir: z.string(), files: z.number().int(), bytes: z.number() });

/** A stored reading. */
export const readingSchema = z.object({
  device: z.string(),
  quantity: z.string(),
  unit: z.string(),
  time,
  value: z.number(),
  attributes: z.record(z.string(), z.string()),
  outside: z
    .enum(["before-commissioning", "after-decommissioning"])
    .nullable()
    .describe("its time lies outside the device's service, as the registry knows it now"),
  receivedAt: time,
  sequence: z.number().int().nullable().describe("order of storing; null once its day is sealed"),
  codec: codecMarkSchema.optional().describe("whose decoder made it, where one did"),
});

/** Aggregates of one step, `from` inclusive, `to` exclusive. */
export const seriesPointSchema = z.object({
  from: time,
  to: time,
  count: z.number().int(),
  expected: z.number().nullable().describe("values that should have come; null when nothing says how many"),
  min: z.number().nullable(),
  mean: z.number().nullable(),
  max: z.number().nullable(),
  last: z.number().nullable(),
});

/** A local day's account of one device. */
export const ledgerSchema = z.object({
  day: z.string(),
  device: z.string(),
  messages: z.object({
    received: z.number(),
    decoded: z.number(),
    ignored: z.number(),
    quarantined: z.number(),
  }),
  values: z.object({
    decoded: z.number(),
    stored: z.number(),
    duplicate: z.number(),
    conflict: z.number(),
    quarantined: z.number(),
    late: z.number().describe("a share of stored"),
  }),
  slots: z.object({ expected: z.number(), covered: z.number(), missing: z.number() }),
  balanced: z.boolean(),
});

/** Something that couldn't be taken, with its raw bytes; lists hold at most the first 4,096 of them. */
export const quarantinedSchema = z.object({
  id: z.string(),
  message: z.number().int().describe("journal sequence"),
  device: z.string(),
  user: z.string(),
  topic: z.string(),
  whole: z.boolean().describe("true: nothing of the message was taken"),
  reason: z.string(),
  paths: z.array(z.string()).describe("JSON pointers of the fields at fault"),
  count: z.number().int(),
  detail: z.string(),
  receivedAt: time,
  status: z.enum(["open", "replayed", "dismissed"]),
  changedAt: time.nullable(),
  changedBy: z.string().nullable(),
  payload: z.object({
    base64: z.string(),
    text: z.string().nullable().describe("the same as text, when it is UTF-8"),
    bytes: z.number().int(),
    truncated: z.boolean(),
  }),
});

/** What a replay did, in entries. */
export const replayedSchema = z.object({ replayed: z.number().int(), refused: z.number().int() });

/** How many entries were dismissed. */
export const dismissedSchema = z.object({ dismissed: z.number().int() });

/** States of an alert; `withdrawn` means that late data showed it was never so. */
export const alertStates = ["raised", "acknowledged", "resolved", "withdrawn"] as const;

/** How a delivery to one channel stands. */
const deliverySchema = z.object({
  status: z.enum(["pending", "delivered", "dead", "shed"]),
  state: z.enum(alertStates),
  attempts: z.number().int(),
  at: time,
  fault: z.string().nullable(),
  nextAt: time.nullable().describe("not tried again before this; null when nothing waits for its time"),
});

/** A deviation that a rule found. */
export const alertSchema = z.object({
  id: z.string(),
  rule: z.string(),
  kind: z.string(),
  severity: z.enum(["info", "warning", "critical"]),
  state: z.enum(alertStates),
  place,
  device: z.string(),
  quantity: z.string().nullable(),
  value: z.number().nullable(),
  limit: z.number(),
  unit: z.string(),
  since: time.describe("when the deviation began"),
  raisedAt: time,
  resolvedAt: time.nullable(),
  at: time.describe("when the state last changed"),
  title: text,
  message: text,
  acknowledged: z.object({ who: z.string(), at: time, note: z.string().nullable() }).nullable(),
  delivery: z
    .record(z.string(), deliverySchema)
    .describe("the newest by channel; dead after a day without success"),
});

const reason = z.object({ code: z.string(), message: z.string() });

/** How things stand now. */
export const overviewSchema = z.object({
  demo: z.boolean(),
  city: z.object({ name: z.string(), timeZone: z.string(), language: z.enum(["pl", "en"]) }),
  at: time,
  devices: z.object({ total: z.number(), alive: z.number() }),
  messagesPerSecond: z.number(),
  today: z.object({ stored: z.number(), quarantined: z.number(), missing: z.number() }),
  openAlerts: z.number(),
  journal: z.object({ bytes: z.number(), maxBytes: z.number() }),
  pipelineLag: z.number().describe("messages acknowledged and not yet processed"),
  damagedDays: z
    .array(z.object({ file: z.string(), message: z.string() }))
    .describe("sealed days whose file is damaged or missing, with what to do; who needs them is refused"),
  upkeep: reason
    .nullable()
    .describe("why upkeep of the history failed last; nothing is lost, it is tried again each minute"),
  ready: z.boolean(),
  reasons: z.array(reason),
});

/** The answer of `/readyz`. */
export const readySchema = overviewSchema.pick({ ready: true, reasons: true });

/** Who changed, or looked at, what. */
export const auditSchema = z.object({
  sequence: z.number().int(),
  at: time,
  who: z.string(),
  role: role.nullable(),
  address: z.string(),
  action: z.string().describe("device.put, quarantine.replay, session.refused ..."),
  target: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** A token without its secret. */
export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  role,
  publishesFor: z
    .array(z.string())
    .describe("device ids it may send readings for; * stands for any characters"),
  createdAt: time,
  createdBy: z.string(),
  expiresAt: time.nullable(),
  usedAt: time.nullable().describe("within a minute"),
});

/** A token with its secret, which is shown this once. */
export const newTokenSchema = tokenSchema.extend({ token: z.string() });

/** Somebody who may log in. */
export const userSchema = z.object({ name: z.string(), role, createdAt: time });

/** A page of a list. */
export interface Page<T> {
  items: T[];
  next: string | null;
}
/** {@link roles} */
export type Role = z.infer<typeof role>;
/** {@link problemSchema} */
export type ProblemDocument = z.infer<typeof problemSchema>;
/** {@link sessionSchema} */
export type Session = z.infer<typeof sessionSchema>;
/** {@link quantitySchema} */
export type Quantity = z.infer<typeof quantitySchema>;
/** {@link placeSchema} */
export type Place = z.infer<typeof placeSchema>;
/** {@link latestSchema} */
export type Latest = z.infer<typeof latestSchema>;
/** {@link deviceSchema} */
export type Device = z.infer<typeof deviceSchema>;
/** {@link readingSchema} */
export type Reading = z.infer<typeof readingSchema>;
/** {@link seriesPointSchema} */
export type SeriesPoint = z.infer<typeof seriesPointSchema>;
/** {@link ledgerSchema} */
export type LedgerAccount = z.infer<typeof ledgerSchema>;
/** {@link quarantinedSchema} */
export type Quarantined = z.infer<typeof quarantinedSchema>;
/** {@link replayedSchema} */
export type Replayed = z.infer<typeof replayedSchema>;
/** {@link alertSchema} */
export type Alert = z.infer<typeof alertSchema>;
/** {@link overviewSchema} */
export type Overview = z.infer<typeof overviewSchema>;
/** {@link auditSchema} */
export type AuditEntry = z.infer<typeof auditSchema>;
/** {@link tokenSchema} */
export type Token = z.infer<typeof tokenSchema>;
/** {@link newTokenSchema} */
export type NewToken = z.infer<typeof newTokenSchema>;
/** {@link userSchema} */
export type User = z.infer<typeof userSchema>;
