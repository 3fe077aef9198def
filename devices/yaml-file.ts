import type { z } from "zod";
import { ObiegError } from "./error.js";
import { plainOf, readYamlText } from "./yaml-text.js";

/** One fault of a file: where it stands and what to write instead. Lines and columns from 1. */
export interface FileFault {
  file: string;
  line: number;
  column: number;
  /** Keys and indexes down to the place: `devices.3.every`. */
  path: string;
  message: string;
}

/** How a YAML file is read. */
export interface YamlFileOptions<S extends z.ZodType> {
  file: string;
  schema: S;
  /** Code of the error: `city-invalid`, `config-invalid`. */
  code: string;
  /** Where `${NAME}` comes from. */
  env: Readonly<Record<string, string | undefined>>;
  /** True for texts that are taken as they stand, `${NAME}` included. */
  isLiteral?: (path: readonly PropertyKey[]) => boolean;
  /** Said of a key that the schema doesn't know. */
  unknownKey: string;
  /** Looks for what the schema can't see, in whatever the file holds: it runs beside faults of the schema too. */
  also?: (raw: unknown, report: FaultReport) => void;
}

/** Tells a fault at a place of the file. */
export type FaultReport = (path: readonly PropertyKey[], message: string) => void;

/** Replaces `${NAME}` in every text by the environment's value. */
function expand(
  value: unknown,
  env: YamlFileOptions<z.ZodType>["env"],
  path: PropertyKey[],
  report: FaultReport,
  isLiteral: (path: readonly PropertyKey[]) => boolean,
): unknown {
  if (typeof value === "string") {
    if (isLiteral(path)) return value;
    return value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_whole, name: string) => {
      const found = env[name];
      if (found === undefined) report(path, `the environment has no ${name}: set it, or name a file instead`);
      return found ?? "";
    });
  }
  if (Array.isArray(value))
    return value.map((item, index) => expand(item, env, [...path, index], report, isLiteral));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, expand(item, env, [...path, key], report, isLiteral)]),
    );
  }
  return value;
}

/** What an issue says; of a choice, what each of its kinds says. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_union") return issue.message;
  const messages = issue.errors.flat().map((one) => messageOf(one));
  return messages.length === 0 ? issue.message : [...new Set(messages)].join(", or ");
}

/** The error that tells every fault, in the order of the file. */
function refusal(code: string, faults: FileFault[]): ObiegError {
  faults.sort((one, other) => one.line - other.line || one.column - other.column);
  const lines = faults.map(
    ({ file, line, column, path, message }) =>
      `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`,
  );
  return new ObiegError(code, lines.join("\n"), { detail: { faults } });
}

/**
 * Reads a YAML text against a schema.
 * Throws an {@link ObiegError} of the given code with every fault at once, in `detail.faults` ({@link FileFault}[]).
 */
export function parseYamlFile<S extends z.ZodType>(text: string, options: YamlFileOptions<S>): z.output<S> {
  const { file, schema, env } = options;
  const read = readYamlText(text);
  if ("faults" in read)
    throw refusal(
      options.code,
      read.faults.map((one) => ({ file, ...one, path: "" })),
    );
  const { document, placeOf } = read;
  const faults: FileFault[] = [];
  const place = (path: readonly PropertyKey[]): { line: number; column: number } => {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const node = document.getIn(path.slice(0, depth), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range) return placeOf(node.range[0]);
    }
    return { line: 1, column: 1 };
  };
  const report: FaultReport = (path, message) => {
    faults.push({ file, ...place(path), path: path.map(String).join("."), message });
  };
  let plain: unknown;
  try {
    plain = document.contents ? plainOf(document.contents, document) : undefined;
  } catch (error) {
    report([], error instanceof Error ? error.message : "can't be read");
    throw refusal(options.code, faults);
  }
  const raw = expand(plain ?? {}, env, [], report, options.isLiteral ?? (() => false));
  const parsed = schema.safeParse(raw);
  options.also?.(raw, report);
  if (parsed.success && faults.length === 0) return parsed.data;
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code !== "unrecognized_keys") report(issue.path, messageOf(issue));
    else
      for (const key of issue.keys)
        report([...issue.path, key], `unknown key "${key}": ${options.unknownKey}`);
  }
  throw refusal(options.code, faults);
}
