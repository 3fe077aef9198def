import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Format } from "../devices/formats/format.js";
import { interpret } from "../devices/formats/interpret.js";
import { covers } from "../devices/index.js";
import { openTestPipeline, storedLines } from "./support/pipeline.js";

const devices = join(import.meta.dirname, "../devices");
const section = readFileSync(join(devices, "README.md"), "utf8")
  .split("### A new format")[1]
  ?.split("### What each format means")[0];
const block = (language: string): string => {
  const [, text] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\``).exec(section ?? "") ?? [];
  if (text === undefined) throw new Error(`the README's section shows no ${language}`);
  return text;
};

test("the format that the README shows compiles, and gives what its golden folder says", async () => {
  const dir = mkdtempSync(join(tmpdir(), "obieg-readme-"));
  const file = join(dir, "rtl-433.ts");
  writeFileSync(
    file,
    block("ts").replaceAll(/"(\.{1,2})\/([^"]+)\.js"/g, (_all, up: string, path: string) =>
      JSON.stringify(join(devices, up === "." ? "formats" : "", `${path}.ts`)),
    ),
  );
  const { rtl433 } = (await import(file)) as { rtl433: Format };
  const codec = interpret(rtl433, { format: rtl433.name, map: [] }, "Europe/Warsaw");
  const { topic, payload, receivedAt } = JSON.parse(block("json")) as Record<string, string>;
  const works = await openTestPipeline(block("yaml"), Date.parse(receivedAt ?? ""), undefined, (asked) =>
    rtl433.topics.some((filter) => covers(filter, asked)) ? codec : undefined,
  );
  try {
    await works.take([
      { topic: topic ?? "", payload: payload ?? "", receivedMs: Date.parse(receivedAt ?? "") },
    ]);
    const got = await storedLines(works);
    const expected = block("jsonl")
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(got).toHaveLength(expected.length);
    expect(got).toEqual(expect.arrayContaining(expected));
  } finally {
    await works.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
