import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { ObiegError } from "../error.js";
import { parseTime } from "../time.js";
import type { Outcome, PayloadCodec, Sandbox, Uplink } from "./payload-codec.js";

const byte = z.number().int().min(0).max(255);
const hexText = z
  .string()
  .regex(/^([0-9a-f]{2}\s*)*$/i, "bytes are numbers from 0 to 255, or hexadecimal text")
  .transform((text) => [...Buffer.from(text.replaceAll(/\s/g, ""), "hex")]);
const exampleSchema = z.object({
  description: z.string().default("example"),
  input: z.object({
    fPort: z.number().int().min(0).max(255).default(1),
    bytes: z.union([z.array(byte), hexText]),
    recvTime: z.string().optional(),
  }),
  output: z
    .object({
      data: z.record(z.string(), z.unknown()).optional(),
      warnings: z.array(z.string()).optional(),
      errors: z.array(z.string()).optional(),
    })
    .optional(),
  normalizedOutput: z
    .object({
      data: z
        .union([
          z.array(z.record(z.string(), z.unknown())),
          z.record(z.string(), z.unknown()).transform((one) => [one]),
        ])
        .optional(),
    })
    .optional(),
});
const fileSchema = z.object({
  uplinkDecoder: z.object({ fileName: z.string(), examples: z.array(exampleSchema).default([]) }).optional(),
});
type Example = z.output<typeof exampleSchema>;

/** When an example that names no `recvTime` was received: 2026-01-01T00:00:00Z. */
const exampleMs = 1_767_225_600_000;

/** What became of one example. */
export interface ExampleResult {
  /** File that holds the example. */
  file: string;
  description: string;
  /** Each difference as `place: expected …, got …`; none means passed. */
  differences: string[];
}

/** What became of a folder's codecs. */
export interface ExampleReport {
  results: ExampleResult[];
  /** Codecs that can't be loaded, and files that can't be read. */
  faults: { file: string; message: string }[];
}

/**
 * Runs the examples of every codec of a folder: files `*.yaml` `*.yml` `*.json` with an `uplinkDecoder`, which names its
 * script and lists `examples`, as in the public device repository of LoRaWAN.
 * Throws `codec-missing` when the folder has none.
 */
export function testExamples(folder: string, sandbox: Sandbox): ExampleReport {
  const report: ExampleReport = { results: [], faults: [] };
  let decoders = 0;
  for (const file of filesOf(folder)) {
    const fault = (message: string): void => void report.faults.push({ file, message });
    let read: unknown;
    try {
      read = parse(readFileSync(join(folder, file), "utf8"), { maxAliasCount: 100 });
    } catch (error) {
      fault((error as Error).message);
      continue;
    }
    const parsed = fileSchema.safeParse(read);
    if (!parsed.success) {
      fault(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
      continue;
    }
    const { uplinkDecoder } = parsed.data;
    if (!uplinkDecoder) continue;
    decoders += 1;
    try {
      const source = readFileSync(join(folder, uplinkDecoder.fileName), "utf8");
      const codec = sandbox.load({ name: uplinkDecoder.fileName, source });
      if (uplinkDecoder.examples.length === 0) fault("no examples: nothing is tested");
      for (const example of uplinkDecoder.examples)
        report.results.push({
          file,
          description: example.description,
          differences: differencesOf(example, codec),
        });
    } catch (error) {
      fault((error as Error).message);
    }
  }
  if (decoders === 0 && report.faults.length === 0)
    throw new ObiegError("codec-missing", `${folder} has no *.yaml or *.json with an uplinkDecoder`);
  return report;
}

/** Runs examples that were given with a codec; what differs, or is no example, by JSON pointer into their list. */
export function checkExamples(
  examples: readonly unknown[],
  codec: PayloadCodec,
): { path: string; message: string }[] {
  return examples.flatMap((given, index) => {
    const parsed = exampleSchema.safeParse(given);
    if (!parsed.success)
      return parsed.error.issues.map(({ path, message }) => ({
        path: `/${[index, ...path].map(String).join("/")}`,
        message,
      }));
    return differencesOf(parsed.data, codec).map((message) => ({ path: `/${index}`, message }));
  });
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => /\.(ya?ml|json)$/.test(file))
      .sort();
  } catch (error) {
    throw new ObiegError("codec-missing", `${folder} can't be read: ${(error as Error).message}`);
  }
}

function differencesOf({ input, output, normalizedOutput }: Example, codec: PayloadCodec): string[] {
  const received = input.recvTime === undefined ? exampleMs : parseTime(input.recvTime);
  if (Number.isNaN(received)) return [`recvTime: ${input.recvTime} isn't RFC 3339`];
  const uplink: Uplink = { fPort: input.fPort, bytes: Uint8Array.from(input.bytes), receivedMs: received };
  const outcome = codec.decode(uplink);
  const differences: string[] = [];
  if (output) compareOutput(output, outcome, differences);
  if (normalizedOutput?.data)
    compare(
      "normalized",
      normalizedOutput.data,
      outcome.kind === "decoded" ? outcome.normalized : undefined,
      differences,
    );
  return differences;
}

function compareOutput(
  expected: NonNullable<Example["output"]>,
  outcome: Outcome,
  differences: string[],
): void {
  const { data, errors, warnings } = expected;
  const failed = outcome.kind === "failed" ? outcome.fault : undefined;
  if (errors && errors.length > 0) {
    const got = failed?.code === "codec-errors" ? failed.detail : (failed ?? outcome);
    compare("errors", errors.join("; ").slice(0, 300), got, differences);
  } else if (failed) differences.push(`expected data, got ${failed.code}: ${failed.detail}`);
  else if (outcome.kind === "decoded") {
    compare("data", data ?? {}, outcome.data, differences);
    for (const { path, code, detail } of outcome.faults)
      differences.push(`data${path}: refused: ${code}: ${detail}`);
  }
  if (warnings && warnings.length > 0) compare("warnings", warnings, outcome.warnings, differences);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const shown = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 120);

/** Looks for the places at which two values differ. */
function compare(place: string, expected: unknown, got: unknown, differences: string[]): void {
  if (isDeepStrictEqual(expected, got)) return;
  if (isRecord(expected) && isRecord(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)]))
      compare(`${place}/${key}`, expected[key], got[key], differences);
  } else if (Array.isArray(expected) && Array.isArray(got) && expected.length === got.length)
    expected.forEach((item, index) => compare(`${place}/${index}`, item, got[index], differences));
  else if (differences.length < 50)
    differences.push(`${place}: expected ${shown(expected)}, got ${shown(got)}`);
}
