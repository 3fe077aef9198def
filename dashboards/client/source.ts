import { Command } from "commander";
import { stringify } from "yaml";
import { ObiegError } from "../../devices/index.js";
import type { UnmappedDocument } from "../unmapped.js";
import { type ClientFlags, findService } from "./address.js";
import { listService } from "./call.js";
import { say, sayJson } from "./print.js";

type Maker = (parent: Command, name: string, description: string) => Command;

/** What a map takes as `from`, characters. */
const longestFrom = 200;

/** The same field of devices of one kind. */
interface Group {
  format: string;
  source: number | null;
  field: string;
  model: string | null;
  devices: string[];
  count: number;
  values: Set<number>;
  of: UnmappedDocument;
}

function groupsOf(fields: readonly UnmappedDocument[]): Group[] {
  const groups = new Map<string, Group>();
  for (const of of fields) {
    const { format, source, field, model, device, count, guess, samples } = of;
    const values = [samples.first, samples.newest, samples.min, samples.max];
    const key = JSON.stringify([source, format, model, field, guess.quantity, guess.ignore]);
    const known = groups.get(key);
    if (!known)
      groups.set(key, {
        format,
        source,
        field,
        model,
        devices: [device],
        count,
        values: new Set(values),
        of,
      });
    else {
      known.devices.push(device);
      known.count += count;
      for (const value of values) known.values.add(value);
      if (of.lastSeenAt > known.of.lastSeenAt) known.of = of;
    }
  }
  return [...groups.values()];
}

const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** One entry of a map in flow style, on one line: YAML quotes what needs it, and what can't be seen is escaped. */
function entryText(entry: Readonly<Record<string, unknown>>): string {
  const isOdd = Object.values(entry).some((value) => String(value).search(invisible) >= 0);
  const text = stringify(entry, {
    collectionStyle: "flow",
    lineWidth: 0,
    ...(isOdd ? { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" } : {}),
  }).trim();
  return text.replaceAll(invisible, (one) => {
    const code = (one.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** A comment on what was seen and how sure the guess is, and the entry; one that is left to the person is commented out. */
function linesOf({ field, model, devices, count, values, of }: Group): string[] {
  const { guess } = of;
  const named =
    devices.slice(0, 3).join(", ") + (devices.length > 3 ? ` and ${devices.length - 3} more` : "");
  const seen = [...values].slice(0, 6).join(", ");
  const narrowed = model === null ? {} : { model };
  const comment = `# ${named}: ${count === 1 ? "once" : `${count} times`}; seen ${seen}. ${guess.confidence}: ${guess.why}`;
  if (guess.confidence === "unsure")
    return [comment, `# - ${entryText({ from: field, quantity: "?", ...narrowed })}`];
  const meant = guess.ignore ? { ignore: true } : { quantity: guess.quantity };
  return [comment, `- ${entryText({ from: field, ...meant, ...narrowed })}`];
}

function yamlOf(groups: readonly Group[]): string {
  const bySource = new Map<string, Group[]>();
  for (const group of groups) {
    const key = `${group.source ?? ""} ${group.format}`;
    bySource.set(key, [...(bySource.get(key) ?? []), group]);
  }
  const lines = ["sources:"];
  for (const [first, ...others] of bySource.values()) {
    if (!first) continue;
    const where =
      first.source === null
        ? "a source of its own, of the format's usual topics"
        : `add to the map of source ${first.source + 1}`;
    lines.push(`  # ${where}`, `  - format: ${first.format}`);
    const all = [first, ...others].map(linesOf);
    const hasEntry = all.some(([, entry]) => entry?.startsWith("- "));
    lines.push(hasEntry ? "    map:" : "    map: [] # put here what you know, without the # before it:");
    lines.push(...all.flat().map((line) => `      ${line}`));
  }
  return lines.join("\n");
}

/** Adds `source suggest`. */
export function addSourceCommands(program: Command, make: Maker): void {
  const source = program.command("source").description("what a city's sources don't say yet");
  make(
    source,
    "suggest",
    "print map entries for fields that nobody gave a quantity, as YAML to check and paste into city.yaml",
  )
    .option("--source <format>", "of this format alone: tasmota, shelly, zigbee2mqtt …")
    .action(async (flags: ClientFlags & { source?: string }) => {
      const { formats } = await import("../../devices/index.js");
      if (flags.source !== undefined && !formats.has(flags.source))
        throw new ObiegError(
          "bad-argument",
          `there is no format ${flags.source}: write one of ${[...formats.keys()].join(", ")}`,
        );
      const fields = await listService<UnmappedDocument>(
        findService(flags, process.env),
        "/unmapped-fields",
        {
          format: flags.source,
        },
      );
      if (flags.json) return sayJson(fields);
      if (fields.length === 0) {
        process.stderr.write("every field that came has a quantity: there is nothing to suggest\n");
        return;
      }
      const groups = groupsOf(fields.filter(({ field }) => field.length <= longestFrom));
      const open = groups.filter(({ of }) => of.guess.confidence === "unsure").length;
      process.stderr.write(
        `${groups.length} fields, ${open} of them left to you (commented out). Check each line, apply the file, then: obieg quarantine replay --reason unmapped-field\n`,
      );
      say(yamlOf(groups));
    });
}
