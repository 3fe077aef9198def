import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const rooms = ["broker", "ingest", "devices", "dashboards", "test"].filter((room) =>
  existsSync(join(root, room)),
);

/** Which rooms (or files) a source file may import, by the room it stands in. */
const allowed: Record<string, (target: string) => boolean> = {
  devices: () => false,
  broker: (target) => target.startsWith("devices/"),
  ingest: (target) => target.startsWith("devices/"),
  dashboards: (target) => target === "ingest/index.ts" || target.startsWith("devices/"),
};

const files = rooms
  .flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" }).map((f) => join(room, f)),
  )
  .concat(readdirSync(root).filter((file) => file.endsWith(".ts")))
  .filter((file) => /\.tsx?$/.test(file) && !file.includes("node_modules"));

const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g)]
    .map((match) => normalize(join(dirname(file), match[1] ?? "")))
    .map((target) => target.replace(/\.js$/, ".ts"));

test("imports go one way between the rooms", () => {
  const wrong = files.flatMap((file) => {
    const room = file.split("/")[0] ?? "";
    const rule = allowed[room];
    if (!rule) return [];
    return importsOf(file)
      .filter((target) => !target.startsWith(`${room}/`) && !rule(target))
      .map((target) => `${file} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test("the rooms inside ingest don't import one another's code", () => {
  const inner = /^ingest\/(journal|stores|rules|alerts|meters)\//;
  const wrong = files.flatMap((file) => {
    const from = inner.exec(file)?.[1];
    if (!from) return [];
    return importsOf(file)
      .filter((target) => {
        const to = inner.exec(target)?.[1];
        return to !== undefined && to !== from && !target.endsWith("/port.ts");
      })
      .map((target) => `${file} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test("no import cycles", () => {
  const graph = new Map(files.map((file) => [file, importsOf(file)]));
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file))
      throw new Error(`cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(done.size).toBe(files.length);
});

test("source files stay readable", () => {
  const long = files
    .map((file) => ({
      file: relative(root, join(root, file)),
      lines: readFileSync(join(root, file), "utf8").split("\n").length,
    }))
    .filter(({ lines }) => lines > 330);
  expect(long).toEqual([]);
});
