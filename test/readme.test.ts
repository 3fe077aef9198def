import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const rooms = ["broker", "ingest", "devices", "dashboards"];
const filesOf = (ending: string): string[] =>
  rooms
    .flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: "utf8" }).map((file) => join(room, file)),
    )
    .concat(readdirSync(root))
    .filter((file) => file.endsWith(ending) && !file.endsWith(".d.ts"));
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const readmes = filesOf("README.md");
const listed = new Set(
  readmes.flatMap((file) => [...read(file).matchAll(/`([a-z0-9-]+)`/g)].map(([, code]) => code ?? "")),
);

test("every error code is listed in a README", () => {
  const thrown = filesOf(".ts").flatMap((file) =>
    [...read(file).matchAll(/new (?:ObiegError\(|HttpProblem\(\s*\d+,)\s*"([a-z0-9-]+)"/g)].map(
      ([, code]) => `${code ?? ""} (${file})`,
    ),
  );
  expect(thrown.length).toBeGreaterThan(50);
  expect(thrown.filter((code) => !listed.has(code.split(" ")[0] ?? ""))).toEqual([]);
});

test("every reason of a refusal and of quarantine is listed in a README", () => {
  const patterns = [
    /refuse(?:d|al)?\(\s*"([a-z0-9-]+)"/g,
    /cut\("([a-z-]+)"\)/g,
    /#fault\(\s*"([a-z-]+)"/g,
    /fault\(\s*"([a-z]+-[a-z-]+)"/g,
    /code: "([a-z-]+)"/g,
    /return "([a-z0-9]+-[a-z0-9-]+)"/g,
  ];
  const sources = filesOf(".ts").filter((file) => /^(broker|devices\/(formats|validation))/.test(file));
  const reasons = sources.flatMap((file) =>
    patterns.flatMap((pattern) =>
      [...read(file).matchAll(pattern)].map(([, code]) => `${code ?? ""} (${file})`),
    ),
  );
  expect(reasons.length).toBeGreaterThan(20);
  expect(reasons.filter((code) => !listed.has(code.split(" ")[0] ?? ""))).toEqual([]);
});

test("every link in a README leads somewhere", () => {
  const broken = readmes.flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(root, dirname(file), target)))
      .map((target) => `${file}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("every dependency has its reason in the README", () => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
  const text = read("README.md");
  const unsaid = Object.keys(dependencies).filter(
    (name) => !text.includes(name.replace(/^@fastify\//, "").replace(/^fastify-/, "")),
  );
  expect(unsaid).toEqual([]);
});

test("each promise of the README names a test that exists", () => {
  const rows = read("README.md")
    .split("## Three promises")[1]
    ?.split("\n## ")[0]
    ?.split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(2);
  expect(rows?.length).toBeGreaterThan(10);
  for (const row of rows ?? []) {
    const named = [...row.matchAll(/\[`(test\/[a-z-]+\.test\.ts)`\]\(([^)]+)\)(?: "([^"]+)")?/g)];
    expect(named, row).not.toEqual([]);
    for (const [, file = "", target, title] of named) {
      expect(target).toBe(file);
      expect(read(file)).toMatch(/^ *test[.(]/m);
      if (title !== undefined) expect(read(file)).toContain(`"${title}"`);
    }
  }
});
