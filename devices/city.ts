import { z } from "zod";
import { channelSchema } from "./channel.js";
import { deviceId, deviceSchema, placeId } from "./device.js";
import { identifierKey } from "./identifier.js";
import { checkParents } from "./meter.js";
import { parentOf, placeSchema } from "./place.js";
import { deviceClasses, quantities } from "./quantity.js";
import { ruleSchema } from "./rule.js";
import type { SourceEntry } from "./registry.js";
import { isTimeZone, sourceSchema, topicFilter } from "./source.js";
import { type FaultReport, parseYamlFile } from "./yaml-file.js";

const name = z.string().min(1).max(200);
const credential = z
  .strictObject({
    user: deviceId.describe("MQTT user name: a device's id, a gateway's or an application's name"),
    secret: z
      .string()
      .min(8)
      .max(256)
      .optional()
      .describe("secret; write ${NAME} to take it from the environment"),
    secretFile: z.string().min(1).optional().describe("file that holds the secret; relative to this file"),
    publishesFor: z
      .array(z.string().min(1).max(64))
      .max(10_000)
      .optional()
      .describe("a gateway's devices; * stands for any characters"),
    publish: z.array(topicFilter).max(100).optional().describe("topics that an application may publish"),
    subscribe: z.array(topicFilter).max(100).optional().describe("topics that an application may subscribe"),
  })
  .refine((one) => (one.secret === undefined) !== (one.secretFile === undefined), {
    message: "give exactly one of secret and secretFile",
  });

const shape = z.strictObject({
  city: z.strictObject({
    name,
    timeZone: z.string().refine(isTimeZone, "an IANA time zone, such as Europe/Warsaw"),
    language: z.enum(["pl", "en"]).default("pl"),
  }),
  places: z.array(placeSchema).max(100_000).default([]),
  devices: z.array(deviceSchema).max(1_000_000).default([]),
  credentials: z.array(credential).max(1_000_000).default([]),
  sources: z
    .array(sourceSchema)
    .max(100)
    .default([])
    .describe("which topics speak which format; the first that fits, then the formats' own topics"),
  rules: z.array(ruleSchema).max(1_000).default([]),
  channels: z.array(channelSchema).max(100).default([]),
  retention: z
    .partialRecord(z.enum(deviceClasses as [string, ...string[]]), z.union([z.int().min(1), durationDays()]))
    .default({})
    .describe("how long readings of a class are kept, in days or as 400d; for ever unless given"),
});

function durationDays() {
  return z
    .string()
    .regex(/^\d+d$/, "write days, such as 400d")
    .transform((text) => Number.parseInt(text, 10))
    .pipe(z.int().min(1));
}

interface Named {
  index: number;
  entry: Readonly<Record<string, unknown>>;
}

/** The entries of a section that are objects, whatever else may be wrong with them. */
function entriesOf(raw: unknown, section: string): Named[] {
  const list = (raw as Record<string, unknown> | null | undefined)?.[section];
  return (Array.isArray(list) ? (list as unknown[]) : []).flatMap((entry, index) =>
    typeof entry === "object" && entry !== null ? [{ index, entry: entry as Named["entry"] }] : [],
  );
}

/** Finds what doesn't fit together: names that stand twice, and names of what isn't there. */
function checkTogether(raw: unknown, report: FaultReport): void {
  const unique = (section: string, key: string): Set<unknown> => {
    const seen = new Set<unknown>();
    for (const { index, entry } of entriesOf(raw, section)) {
      const id = entry[key];
      if (typeof id !== "string") continue;
      if (seen.has(id)) report([section, index, key], `"${id}" stands here a second time`);
      seen.add(id);
    }
    return seen;
  };
  const places = unique("places", "id");
  unique("devices", "id");
  const identified = new Set<string>();
  for (const { index, entry } of entriesOf(raw, "devices")) {
    const { identifiers } = entry;
    if (typeof identifiers !== "object" || identifiers === null) continue;
    for (const [scheme, text] of Object.entries(identifiers as Record<string, unknown>)) {
      if (typeof text !== "string") continue;
      const key = identifierKey(scheme, text);
      if (identified.has(key))
        report(["devices", index, "identifiers", scheme], `"${text}" is another device's ${scheme} already`);
      identified.add(key);
    }
  }
  checkParents(entriesOf(raw, "devices"), report);
  unique("credentials", "user");
  unique("rules", "id");
  unique("channels", "id");
  const isMissing = (id: unknown): boolean => placeId.safeParse(id).success && !places.has(id);
  for (const { index, entry } of entriesOf(raw, "places")) {
    const { id } = entry;
    const parent = typeof id === "string" ? parentOf(id) : undefined;
    if (parent !== undefined && isMissing(parent))
      report(["places", index, "id"], `its parent ${parent} isn't among the places`);
  }
  for (const section of ["devices", "rules"]) {
    for (const { index, entry } of entriesOf(raw, section)) {
      const { place } = entry;
      if (isMissing(place)) report([section, index, "place"], `${String(place)} isn't among the places`);
    }
  }
  for (const { index, entry } of entriesOf(raw, "rules")) {
    const { quantity } = entry;
    if (typeof quantity !== "string" || quantities.has(quantity)) continue;
    report(["rules", index, "quantity"], `${quantity} isn't in the vocabulary: see GET /api/v1/quantities`);
  }
}

/** Shape of `city.yaml`. */
export const citySchema = shape.superRefine((city, context) =>
  checkTogether(city, (path, message) => context.addIssue({ code: "custom", path: [...path], message })),
);

/** A city as it is written, with its secrets resolved. Spans of time in milliseconds. */
export type CityFile = Omit<z.output<typeof citySchema>, "credentials" | "sources"> & {
  sources: SourceEntry[];
  credentials: (Omit<z.output<typeof credential>, "secret" | "secretFile"> & { secret: string })[];
};

/** Where a city file's outside comes from. */
export interface CityOutside {
  file: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Gives the text of a file named in the city file; its path is relative to that file. Throws when it can't. */
  readBeside(path: string): string;
}

/** Reads a `city.yaml`. Throws `city-invalid` with every fault at once: file, line, column, path, message. */
export function parseCity(text: string, outside: CityOutside): CityFile {
  const { file, env } = outside;
  const read = new Map<number, string>();
  const readSecrets = (raw: unknown, report: FaultReport): void => {
    for (const { index, entry } of entriesOf(raw, "credentials")) {
      const { secret, secretFile } = entry;
      if (secret !== undefined || typeof secretFile !== "string") continue;
      try {
        const found = outside.readBeside(secretFile).trim();
        if (found.length >= 8 && found.length <= 256) read.set(index, found);
        else report(["credentials", index, "secretFile"], "the file must hold 8 to 256 characters");
      } catch (error) {
        report(["credentials", index, "secretFile"], `can't be read: ${(error as Error).message}`);
      }
    }
  };
  const scripts = new Map<string, string>();
  const readScripts = (raw: unknown, report: FaultReport): void => {
    for (const { index, entry } of entriesOf(raw, "sources")) {
      for (const { index: at, entry: decoder } of entriesOf(entry, "decoders")) {
        if (typeof decoder["file"] !== "string") continue;
        try {
          scripts.set(decoder["file"], outside.readBeside(decoder["file"]));
        } catch (error) {
          report(["sources", index, "decoders", at, "file"], `can't be read: ${(error as Error).message}`);
        }
      }
    }
  };
  const city = parseYamlFile(text, {
    file,
    env,
    schema: shape,
    code: "city-invalid",
    unknownKey: "see obieg schema city",
    // JavaScript has `${}` of its own.
    isLiteral: (path) => path[0] === "sources" && path.at(-1) === "script",
    also: (raw, report) => {
      checkTogether(raw, report);
      readSecrets(raw, report);
      readScripts(raw, report);
    },
  });
  const credentials = city.credentials.map(({ secret, secretFile: _file, ...rest }, index) => ({
    ...rest,
    secret: secret ?? read.get(index) ?? "",
  }));
  const sources = city.sources.map(({ decoders, ...rest }) => ({
    ...rest,
    ...(decoders === undefined
      ? {}
      : {
          decoders: decoders.map(({ file: from, ...one }) =>
            from === undefined ? one : { ...one, script: scripts.get(from) ?? "" },
          ),
        }),
  }));
  return { ...city, credentials, sources };
}
