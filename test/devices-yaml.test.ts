import { expect, test } from "vitest";
import { readYaml } from "../devices/import/yaml.js";
import { type FileFault, ObiegError, parseCity, readDevices } from "../devices/index.js";
import { ended } from "./support/bounded.js";

/** Faults of a city file: where they stand, and what they say. */
const cityFaults = (text: string): string[] => {
  try {
    parseCity(text, { file: "city.yaml", env: {}, readBeside: () => "" });
  } catch (error) {
    if (!(error instanceof ObiegError)) throw error;
    expect(error.code).toBe("city-invalid");
    const { faults } = error.detail as { faults: FileFault[] };
    return faults.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`);
  }
  return [];
};
const deviceFaults = async (text: string): Promise<string[]> =>
  (await readDevices(Buffer.from(text), "yaml")).faults.map(
    ({ line, column, code, message }) => `${line}:${column} ${code} ${message}`,
  );

test("an alias of nothing, of far too much or of what holds it is a fault of the file, with the file's code", () => {
  expect(cityFaults("city: *x")).toEqual([
    "city.yaml:1:1 Unresolved alias (the anchor must be set before the alias): x",
  ]);
  const bomb =
    "city: &a [1,1,1,1]\nplaces: &b [*a,*a,*a,*a,*a]\ndevices: &c [*b,*b,*b,*b,*b]\nrules: [*c,*c,*c]";
  expect(cityFaults(bomb)).toEqual([expect.stringContaining("Excessive alias count")]);
  expect(cityFaults("city: &a { name: *a }")).toEqual(["city.yaml:1:1 nested deeper than 100 levels"]);
  expect(cityFaults("city: &a [*a, *a]")).toEqual(["city.yaml:1:1 nested deeper than 100 levels"]);
});

test("devices whose entry holds itself, and more aliases than 100, are faults at their places", async () => {
  expect(await deviceFaults("- &a { id: em-1, meter: *a }")).toEqual([
    "1:6 yaml-broken nested deeper than 100 levels",
  ]);
  const many = `- { id: em-0, name: &a Name }\n${"- { id: em-1, name: *a }\n".repeat(101)}`;
  expect(await deviceFaults(many)).toEqual(["102:21 yaml-broken more than 100 aliases"]);
});

test.each([
  ["[", "]"],
  ["- ", "1"],
  ["? ", "1"],
  ["{a: ", "}"],
])("what is nested thousands of levels deep with %s is refused before it is read", async (open, close) => {
  const text = `${open.repeat(5_000)}${close.repeat(close === "1" ? 1 : 5_000)}`;
  expect(await deviceFaults(text)).toEqual([
    expect.stringMatching(/^\d+:\d+ yaml-broken nested deeper than 100 levels$/),
  ]);
  expect(cityFaults(text)).toEqual([expect.stringMatching(/nested deeper than 100 levels$/)]);
});

test("a key that stands twice is told at its place, and a hundred thousand keys cost a look at each of them", async () => {
  expect(await deviceFaults("- { id: em-1,\n    id: em-2 }")).toEqual([
    "2:5 yaml-broken Map keys must be unique",
  ]);
  expect(cityFaults("city: {}\ncity: {}")).toEqual(["city.yaml:2:1 Map keys must be unique"]);
  expect(cityFaults("city: {}\n---\ncity: {}")).toEqual([
    expect.stringMatching(/^city.yaml:2:1 a second document/),
  ]);
  const keys = Array.from({ length: 150_000 }, (_, n) => `k${n}: 1`).join(", ");
  expect(ended(() => readYaml(Buffer.from(`- { ${keys} }`)))).toMatchObject({
    rows: [{ line: 1 }],
    faults: [],
  });
});
