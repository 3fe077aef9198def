import { z } from "zod";
import { channelSchema } from "./channel.js";
import { at, deviceId, deviceSchema, placeId } from "./device.js";
import { ObiegError } from "./error.js";
import { deviceClasses, quantities } from "./quantity.js";
import { ruleSchema } from "./rule.js";
import { parseYamlFile } from "./yaml-file.js";

const name = z.string().min(1).max(200);
const topicFilter = z
  .string()
  .min(1)
  .max(256)
  .refine(isTopicFilter, "a topic filter: + alone between slashes, # alone at the end")
  .describe("MQTT topic filter");

function isTopicFilter(filter: string): boolean {
  const levels = filter.split("/");
  return levels.every((level, index) =>
    level.includes("#")
      ? level === "#" && index === levels.length - 1
      : !level.includes("+") || level === "+",
  );
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const place = z.strictObject({
  id: placeId,
  kind: z.enum(["city", "district", "site", "building", "household"]),
  name,
  at: at.optional(),
});

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
  places: z.array(place).max(100_000).default([]),
  devices: z.array(deviceSchema).max(1_000_000).default([]),
  credentials: z.array(credential).max(1_000_000).default([]),
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

/** Shape of `city.yaml`. */
export const citySchema = shape.superRefine((city, context) => {
  const fault = (path: PropertyKey[], message: string): void => {
    context.addIssue({ code: "custom", path, message });
  };
  const unique = (list: readonly object[], section: string, key: string): Set<unknown> => {
    const seen = new Set<unknown>();
    for (const [index, item] of list.entries()) {
      const id = (item as Record<string, unknown>)[key];
      if (seen.has(id)) fault([section, index, key], `"${String(id)}" stands here a second time`);
      seen.add(id);
    }
    return seen;
  };
  const places = unique(city.places, "places", "id");
  unique(city.devices, "devices", "id");
  unique(city.credentials, "credentials", "user");
  unique(city.rules, "rules", "id");
  unique(city.channels, "channels", "id");
  for (const [index, { id }] of city.places.entries()) {
    const slash = id.lastIndexOf("/");
    if (slash >= 0 && !places.has(id.slice(0, slash))) {
      fault(["places", index, "id"], `its parent ${id.slice(0, slash)} isn't among the places`);
    }
  }
  for (const [index, one] of city.devices.entries()) {
    if (!places.has(one.place)) fault(["devices", index, "place"], `${one.place} isn't among the places`);
  }
  for (const [index, rule] of city.rules.entries()) {
    if (rule.quantity !== undefined && !quantities.has(rule.quantity)) {
      fault(["rules", index, "quantity"], `${rule.quantity} isn't in the vocabulary`);
    }
    if (rule.place !== undefined && !places.has(rule.place)) {
      fault(["rules", index, "place"], `${rule.place} isn't among the places`);
    }
  }
});

/** A city as it is written, with its secrets resolved. Spans of time in milliseconds. */
export type CityFile = Omit<z.output<typeof citySchema>, "credentials"> & {
  credentials: (Omit<z.output<typeof credential>, "secret" | "secretFile"> & { secret: string })[];
};

/** Where a city file's outside comes from. */
export interface CityOutside {
  file: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Gives the text of a file named in the city file; its path is relative to that file. Throws when it can't. */
  readSecret(path: string): string;
}

/** Reads a `city.yaml`. Throws `city-invalid` with every fault at once: file, line, column, path, message. */
export function parseCity(text: string, outside: CityOutside): CityFile {
  const { file, env } = outside;
  const city = parseYamlFile(text, {
    file,
    env,
    schema: citySchema,
    code: "city-invalid",
    unknownKey: "see obieg schema city",
  });
  const faults: { file: string; path: string; message: string }[] = [];
  const credentials = city.credentials.map(({ secret, secretFile, ...rest }, index) => {
    if (secret !== undefined) return { ...rest, secret };
    try {
      const read = outside.readSecret(secretFile ?? "").trim();
      if (read.length >= 8 && read.length <= 256) return { ...rest, secret: read };
      faults.push({
        file,
        path: `credentials.${index}.secretFile`,
        message: "the file must hold 8 to 256 characters",
      });
    } catch (error) {
      faults.push({ file, path: `credentials.${index}.secretFile`, message: (error as Error).message });
    }
    return { ...rest, secret: "" };
  });
  if (faults.length > 0) {
    const message = faults.map((fault) => `${fault.file}: ${fault.path}: ${fault.message}`).join("\n");
    throw new ObiegError("city-invalid", message, { detail: { faults } });
  }
  return { ...city, credentials };
}
