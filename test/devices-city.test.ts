import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FileFault, ObiegError, openRegistry, parseCity, verifySecret } from "../devices/index.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { demoCityRead } from "./simulator-city.js";

const outside = {
  file: "city.yaml",
  env: { HOOK: `whsec_${Buffer.alloc(24, 7).toString("base64")}` },
  readBeside: (path: string) => {
    if (path === "secrets/bin-1") return "a-secret-of-bin-1\n";
    throw new Error(`${path} can't be read`);
  },
};
const good = `
city: { name: Kraków, timeZone: Europe/Warsaw, language: pl }
places:
  - { id: krakow, kind: city, name: Kraków }
  - { id: krakow/podgorze, kind: district, name: "XIII Podgórze" }
devices:
  - { id: bin-1, class: bin, place: krakow/podgorze, every: 15m, fraction: bio }
  - { id: em-1, class: electricity-meter, place: krakow }
credentials:
  - { user: bin-1, secretFile: secrets/bin-1 }
  - { user: gw, secret: gateway-secret, publishesFor: ["bin-*"] }
rules:
  - { id: full, kind: threshold, quantity: fill_percent, above: 90, for: 10m, severity: warning, title: { pl: Pełny, en: Full } }
channels:
  - { id: crew, kind: webhook, url: "http://127.0.0.1:9/hook", secret: "\${HOOK}" }
retention: { bin: 400d }
`;

let dir = "";
let state: StateStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-city-"));
  state = openState(dir);
});
afterEach(async () => {
  await state.close();
  rmSync(dir, { recursive: true, force: true });
});

const faultsOf = (text: string): [number, string][] => {
  try {
    parseCity(text, outside);
  } catch (error) {
    const { code, detail } = error as ObiegError;
    expect(code).toBe("city-invalid");
    return (detail as { faults: FileFault[] }).faults.map(({ line, path }) => [line, path]);
  }
  return [];
};

test("the demo city is whole", () => {
  const city = demoCityRead();
  expect(city.devices.length).toBeGreaterThanOrEqual(30);
  expect(city.places.filter(({ kind }) => kind === "district")).toHaveLength(3);
});

test("a change of one device looks into that device, not into all there are", async () => {
  const registry = openRegistry(state, () => 1);
  await registry.apply(parseCity(good, outside), "ewa");
  const device = (n: number) => ({ id: `em-${n}`, class: "bin" as const, place: "krakow" });
  await registry.putDevices(() => Array.from({ length: 500 }, (_, n) => device(n)), "ewa");
  const written = vi.spyOn(JSON, "stringify");
  const { changed } = await registry.putDevice({ ...device(7), name: "Seven" }, "ewa");
  const count = written.mock.calls.length;
  written.mockRestore();
  expect(count).toBeLessThan(50);
  expect(changed).toEqual([{ kind: "device", id: "em-7" }]);
});

test("names every fault at once, with its line", () => {
  const bad = good
    .replace("timeZone: Europe/Warsaw", "timeZone: Europe/Cracow")
    .replace("every: 15m", "every: soon")
    .replace("id: em-1", 'id: "em,1"')
    .replace("place: krakow }", "place: nowhere, colour: red }")
    .replace("severity: warning", "severity: urgent")
    .replace("${HOOK}", "${MISSING}");
  expect(faultsOf(bad).map(([line]) => line)).toEqual([2, 7, 8, 8, 8, 13, 15, 15]);
});

test("names faults of shape, of what doesn't fit together and of secrets at once, each with its line and what to write", () => {
  const bad = good
    .replace("kind: district", "kind: planet")
    .replace(
      "id: em-1, class: electricity-meter, place: krakow",
      "id: bin-1, class: bun, place: krakow/nowhere",
    )
    .replace("secretFile: secrets/bin-1", "secretFile: secrets/other")
    .replace("secret: gateway-secret", "secret: short")
    .replace("above: 90", "above: much")
    .replace("quantity: fill_percent", "quantity: fill_furlongs")
    .replace("http://127.0.0.1:9/hook", "ftp://somewhere")
    .replace("400d", "long");
  try {
    parseCity(bad, outside);
    expect.unreachable();
  } catch (error) {
    const { detail, message } = error as ObiegError;
    const { faults } = detail as { faults: FileFault[] };
    expect(faults.map(({ line, path }) => `${line} ${path}`)).toEqual([
      "5 places.1.kind",
      "8 devices.1.id",
      "8 devices.1.class",
      "8 devices.1.place",
      "10 credentials.0.secretFile",
      "11 credentials.1.secret",
      "13 rules.0.quantity",
      "13 rules.0.above",
      "15 channels.0.url",
      "16 retention.bin",
    ]);
    const remedies = [
      /district/,
      /second time/,
      /electricity-meter/,
      /isn't among the places/,
      /can't be read/,
      />=8/,
    ];
    faults.slice(0, 6).forEach((fault, n) => expect(fault.message).toMatch(remedies[n] ?? /./));
    expect(message.split("\n")).toHaveLength(faults.length);
    expect(message).toMatch(/^city\.yaml:5:\d+: places\.1\.kind: /);
  }
});

test("names what doesn't fit together", () => {
  const bad = good
    .replace("place: krakow }", "place: krakow/nowhere }")
    .replace("quantity: fill_percent", "quantity: fill_furlongs")
    .replace("id: krakow/podgorze,", "id: krakow/a/podgorze,");
  expect(faultsOf(bad).map(([, path]) => path)).toEqual([
    "places.1.id",
    "devices.0.place",
    "devices.1.place",
    "rules.0.quantity",
  ]);
});

const badIds = [
  "bin\\",
  "a\nb",
  "bin-1\n",
  "a,b",
  "a=b",
  "a b",
  "a#",
  "a+",
  "a/b",
  "a\u0007b",
  "a\u202eb",
  "\u200bbin",
  ".bin",
  "-bin",
  "",
  "ż",
  "x".repeat(65),
];

test.each(badIds)(
  "the id %j, which could break a topic or a sink's line, is refused by file and registry",
  async (id) => {
    const named = good.replace("id: em-1", () => `id: ${JSON.stringify(id)}`);
    expect(faultsOf(named).map(([line, path]) => `${line} ${path}`)).toEqual(["8 devices.1.id"]);
    const user = good.replace("user: gw", () => `user: ${JSON.stringify(id)}`);
    expect(faultsOf(user).map(([, path]) => path)).toEqual(["credentials.1.user"]);
    const registry = openRegistry(state, () => 0);
    await registry.apply(parseCity(good, outside), "anna");
    await expect(registry.putDevice({ id, class: "bin", place: "krakow" }, "anna")).rejects.toMatchObject({
      code: "device-invalid",
      message: expect.stringMatching(/^id: letters, digits/),
    });
    expect(registry.devices()).toHaveLength(2);
  },
);

test("a YAML fault and a secret that can't be read are named", () => {
  expect(faultsOf("city: {")).not.toEqual([]);
  expect(faultsOf(good.replace("secrets/bin-1", "secrets/other")).map(([, path]) => path)).toEqual([
    "credentials.0.secretFile",
  ]);
});

test("the registry applies, differs, changes, remembers who, and survives a restart", async () => {
  let now = 1_000;
  const city = parseCity(good, outside);
  const registry = openRegistry(state, () => now);
  expect(registry.revision).toBe(0);
  expect((await registry.diff(city)).added).toHaveLength(10);
  expect(registry.revision).toBe(0);
  await registry.apply(city, "anna");
  now = 2_000;
  expect(await registry.apply(city, "anna")).toEqual({ added: [], changed: [], removed: [] });
  expect(registry.device("bin-1")).toMatchObject({ everyMs: 900_000, sinceMs: 1_000 });
  expect(registry.devicesAt("krakow")).toEqual(["bin-1", "em-1"]);
  expect(registry.devicesAt("krakow/podgorze")).toEqual(["bin-1"]);
  const credential = registry.credentials().find(({ user }) => user === "bin-1");
  expect(await verifySecret("a-secret-of-bin-1", credential?.hash ?? "")).toBe(true);
  expect(await verifySecret("another-secret", credential?.hash ?? "")).toBe(false);

  await registry.putDevice({ id: "wm-1", class: "water-meter", place: "krakow" }, "piotr");
  const secret = await registry.rotateSecret("wm-1", "piotr");
  await expect(registry.putDevice({ id: "x", class: "bin", place: "nowhere" }, "p")).rejects.toMatchObject({
    code: "place-not-found",
  });
  const again = openRegistry(state, () => now);
  expect(again.device("wm-1")?.sinceMs).toBe(2_000);
  expect(again.rules()).toEqual(registry.rules());
  expect(
    await verifySecret(secret, again.credentials().find(({ user }) => user === "wm-1")?.hash ?? ""),
  ).toBe(true);
  expect(again.changes(10).map(({ who, added }) => [who, added.length])).toEqual([
    ["piotr", 1],
    ["piotr", 1],
    ["anna", 10],
  ]);
  const exported = again.exportCity();
  expect(exported).not.toContain("$scrypt");
  expect(exported).not.toContain("whsec_");
  const env = { WEBHOOK_CREW: outside.env.HOOK };
  const back = parseCity(exported, { ...outside, env, readBeside: () => "any-secret" });
  expect(back.devices).toHaveLength(3);
  expect(back.rules).toEqual(city.rules);
  await again.removeDevice("wm-1", "piotr");
  expect(again.device("wm-1")).toBeUndefined();
});

test("names every fault of sources and identifiers at once, with its line and what to write", () => {
  const bad = `${good
    .replace("fraction: bio }", 'identifiers: { mac: "AA:BB:CC:DD:EE:FF", devEui: nonsense } }')
    .replace(
      "class: electricity-meter,",
      "class: electricity-meter, identifiers: { mac: aabbccddeeff, Odd-scheme: x },",
    )}
sources:
  - { format: tasmoto, topics: ["tele/+/SENSOR"] }
  - { format: tasmota, topics: ["readings/+", "tele/a+"] }
  - format: tasmota
    timeZone: Europe/Cracow
    device: { level: 2, field: id }
    map:
      - { from: ENERGY.Total, quantity: energy_import_ml }
      - { from: ENERGY.Total, quantity: energy_import, unit: kWh, ignore: true }
      - { from: ENERGY.Total, quantity: energy_import, unit: MWh, factor: 2 }
`;
  const first = bad.split("\n").findIndex((line) => line.startsWith("sources:")) + 1;
  expect(faultsOf(bad).map(([line, path]) => [line < first ? line : line - first, path])).toEqual([
    [7, "devices.0.identifiers"],
    [8, "devices.1.identifiers.mac"],
    [8, "devices.1.identifiers.Odd-scheme"],
    [1, "sources.0.format"],
    [2, "sources.1.topics.0"],
    [2, "sources.1.topics.1"],
    [4, "sources.2.timeZone"],
    [5, "sources.2.device"],
    [7, "sources.2.map.0.quantity"],
    [8, "sources.2.map.1"],
    [9, "sources.2.map.2.factor"],
  ]);
});

test("sources and identifiers come back from the registry as they were written, an identifier found however it is written", async () => {
  const text = `${good.replace("fraction: bio }", "fraction: bio, model: M1, identifiers: { devEui: 70B3D57ED0061234 } }")}
sources:
  - { format: tasmota, topics: ["b/+/SENSOR"], device: { level: 2, identifier: name }, map: [{ from: A.B, quantity: power, unit: kW, scale: 2 }] }
  - { format: tasmota, topics: ["a/+/SENSOR"] }
`;
  const registry = openRegistry(state, () => 1);
  const city = parseCity(text, outside);
  const diff = await registry.apply(city, "ewa");
  expect(diff.added.filter(({ kind }) => kind === "source")).toHaveLength(2);
  const again = openRegistry(state, () => 2);
  expect(again.sources()).toEqual(city.sources);
  expect(again.byIdentifier("devEui", "70-b3-d5-7e-d0-06-12-34")?.id).toBe("bin-1");
  expect(again.byIdentifier("mac", "70b3d57ed0061234")).toBeUndefined();
  const exported = again.exportCity();
  const env = { ...outside.env, WEBHOOK_CREW: outside.env.HOOK };
  const back = parseCity(exported, { ...outside, env, readBeside: () => "a-secret-of-bin-1" });
  expect(back.sources).toEqual(city.sources);
  expect(back.devices.map(({ identifiers, model }) => [identifiers, model])).toEqual(
    city.devices.map(({ identifiers, model }) => [identifiers, model]),
  );
  const taken = { class: "bin", place: "krakow", identifiers: { devEui: "70b3d57ed0061234" } };
  await expect(again.putDevice({ id: "bin-2", ...taken }, "ewa")).rejects.toMatchObject({
    code: "device-invalid",
  });
  await expect(again.putDevice({ id: "bin-1", ...taken }, "ewa")).resolves.toBeDefined();
});

test("a decoder is read from its file, kept in the registry, and comes back from an export as it was, ${} and all", async () => {
  const script = "function decodeUplink(input) { return { data: { name: `${HOME}-${input.fPort}` } }; }\n";
  const readBeside = (path: string): string =>
    path === "decoders/bin.js" ? script : outside.readBeside(path);
  const text = `${good}
sources:
  - format: things-stack
    decoders:
      - { model: BIN-A, file: decoders/bin.js, version: "1.2" }
      - { model: LPP, format: cayenne-lpp }
`;
  const registry = openRegistry(state, () => 1);
  await registry.apply(parseCity(text, { ...outside, readBeside }), "ewa");
  const kept = [
    { model: "BIN-A", script, version: "1.2" },
    { model: "LPP", format: "cayenne-lpp" },
  ];
  expect(openRegistry(state, () => 2).sources()[0]?.decoders).toEqual(kept);
  const env = { ...outside.env, WEBHOOK_CREW: outside.env.HOOK };
  const back = parseCity(registry.exportCity(), { ...outside, env, readBeside: () => "a-secret-of-bin-1" });
  expect(back.sources[0]?.decoders).toEqual(kept);
  const changed = await registry.apply(
    parseCity(text, {
      ...outside,
      readBeside: (path) => (path.endsWith(".js") ? `${script}// mended` : readBeside(path)),
    }),
    "ewa",
  );
  expect(changed.changed).toEqual([{ kind: "source", id: "001" }]);
  const bad = text.replace("decoders/bin.js", "decoders/none.js");
  expect(faultsOf(bad).map(([, path]) => path)).toContain("sources.0.decoders.0.file");
  const both = text.replace("format: cayenne-lpp }", 'format: cayenne-lpp, script: "x" }');
  expect(faultsOf(both).map(([, path]) => path)).toContain("sources.0.decoders.1");
});
