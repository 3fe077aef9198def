import { z } from "zod";
import { type Config, configSchema } from "./config.js";

interface SchemaNode {
  description?: string;
  properties?: Record<string, SchemaNode>;
}

const sizeKeys = /bytes$|^memory$/i;
const spanKeys = new Set(["futureSkew", "lateAfter", "wait", "every"]);
const secretKeys = new Set(["token"]);

function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
    ["MB", 1e6],
  ] as const)
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  return `${bytes}`;
}

function spanText(ms: number): string {
  for (const [unit, size] of [
    ["d", 8.64e7],
    ["h", 3.6e6],
    ["m", 6e4],
    ["s", 1e3],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}

function valueText(key: string, value: unknown): string {
  if (secretKeys.has(key)) return "(masked)";
  if (typeof value === "number" && sizeKeys.test(key)) return sizeText(value);
  if (typeof value === "number" && spanKeys.has(key)) return spanText(value);
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function describeNode(
  node: SchemaNode,
  value: Record<string, unknown> | undefined,
  indent: string,
): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const held = value?.[key];
    const isThere = held !== undefined;
    const mark = isThere || value === undefined ? "" : "# ";
    const above = `${indent}# ${child.description ?? ""}`;
    if (!child.properties)
      return [above, `${indent}${mark}${key}: ${isThere ? valueText(key, held) : ""}`.trimEnd()];
    if (isThere)
      return [
        above,
        `${indent}${key}:`,
        ...describeNode(child, held as Record<string, unknown>, `${indent}  `),
      ];
    const inner = describeNode(child, undefined, "  ").map((line) => `${indent}# ${line}`);
    return [above, `${indent}# ${key}:`, ...inner];
  });
}

/** The configuration as an annotated `obieg.yaml`: every key with its meaning and unit; secrets masked, what isn't set as a comment. */
export function describeConfig(config: Config): string {
  const schema = z.toJSONSchema(configSchema, { io: "input" }) as SchemaNode;
  return ["# obieg.yaml: every key and its value in force", ...describeNode(schema, config, "")].join("\n");
}
