import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { applyCity } from "../city-start.js";
import { type CityRegistry, openRegistry, readCityFile, verifySecret } from "../devices/index.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { makeFolder, removeFolder } from "./support/obieg.js";

const city = `city: { name: Kraków, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: Kraków }]
devices: [{ id: bin-1, class: bin, place: krakow, every: 15m }]
credentials:
  - { user: bin-1, secretFile: secrets/bin-1 }
  - { user: node-red, secret: "\${CITY_START_SECRET}", subscribe: ["alerts/#"] }
sources:
  - { format: chirpstack, decoders: [{ model: m, file: decoder.js, version: "1" }] }
`;

let folder: string;
let state: StateStore;
let registry: CityRegistry;
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

beforeEach(() => {
  folder = makeFolder();
  mkdirSync(join(folder, "secrets"));
  put("city.yaml", city);
  put("secrets/bin-1", "secret of the bin\n");
  put("decoder.js", "function decodeUplink() { return { data: { fill_percent: 1 } }; }");
  vi.stubEnv("CITY_START_SECRET", "secret of node-red");
  state = openState(join(folder, "state"));
  registry = openRegistry(state, () => 1_000);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await state.close();
  removeFolder(folder);
});

/** Starts over the city file; tells whether the file was read, which a new salt of its mark gives away. */
async function start(build = "a"): Promise<boolean> {
  const hash = (): unknown => state.table<{ hash: string }>("city-file").get("applied")?.hash;
  const before = hash();
  registry = openRegistry(state, () => 1_000);
  await applyCity(registry, state, {
    data: folder,
    file: join(folder, "city.yaml"),
    demoNowMs: undefined,
    build,
  });
  return hash() !== before;
}
const hashOf = (user: string): string =>
  registry.credentials().find((one) => one.user === user)?.hash ?? "none";

test("a start over the city file that was applied last, and over nothing that changed since, doesn't read it again", async () => {
  expect(await start()).toBe(true);
  const { revision } = registry;
  expect(await start()).toBe(false);
  expect(registry.revision).toBe(revision);
  expect(registry.device("bin-1")).toMatchObject({ place: "krakow", everyMs: 900_000 });
});

test("from a start on a city of another time zone is refused, and looked at either; its own is taken", async () => {
  await start();
  const read = (text: string) => {
    put("city.yaml", text);
    return readCityFile(join(folder, "city.yaml"), process.env);
  };
  const elsewhere = read(city.replace("Europe/Warsaw", "Europe/Berlin"));
  const refused = {
    code: "time-zone-kept",
    message: expect.stringMatching(/Warsaw.*Berlin.*--city/) as string,
  };
  await expect(registry.apply(elsewhere, "anna")).rejects.toMatchObject(refused);
  await expect(registry.diff(elsewhere)).rejects.toMatchObject(refused);
  expect(registry.city.timeZone).toBe("Europe/Warsaw");
  expect((await registry.apply(read(city), "anna")).removed).toEqual([]);
  // Nothing is sealed yet: the next start may begin in another zone.
  put("city.yaml", city.replace("Europe/Warsaw", "Europe/Berlin"));
  await start();
  expect(registry.city.timeZone).toBe("Europe/Berlin");
  mkdirSync(join(folder, "history/2026"), { recursive: true });
  put("history/2026/2026-06-05.r1.parquet", "a sealed day");
  put("city.yaml", city);
  await expect(start()).rejects.toMatchObject({ code: "time-zone-kept" });
});

test("a start reads the city file again once its text, a secret, a decoder or the environment changed", async () => {
  await start();
  put("city.yaml", city.replace("15m", "5m"));
  expect(await start()).toBe(true);
  expect(registry.device("bin-1")?.everyMs).toBe(300_000);

  put("secrets/bin-1", "another secret of the bin");
  expect(await start()).toBe(true);
  expect(await verifySecret("another secret of the bin", hashOf("bin-1"))).toBe(true);

  vi.stubEnv("CITY_START_SECRET", "another secret of node-red");
  expect(await start()).toBe(true);
  expect(await verifySecret("another secret of node-red", hashOf("node-red"))).toBe(true);

  put("decoder.js", "function decodeUplink() { return { data: { fill_percent: 2 } }; }");
  expect(await start()).toBe(true);
  expect(registry.sources()[0]?.decoders?.[0]?.script).toContain("fill_percent: 2");
  expect(await start()).toBe(false);
});

test("a start undoes what the API changed in a city that a file makes", async () => {
  await start();
  await registry.putDevice({ id: "bin-2", class: "bin", place: "krakow" }, "ewa");
  await registry.rotateSecret("bin-1", "ewa");
  expect(await start()).toBe(true);
  expect(registry.device("bin-2")).toBeUndefined();
  expect(await verifySecret("secret of the bin", hashOf("bin-1"))).toBe(true);
});

test("another build reads the city file anew: it may understand it otherwise", async () => {
  await start();
  expect(await start("b")).toBe(true);
  expect(await start("b")).toBe(false);
});

test("a city file that became faulty, or whose secret is gone, is told and leaves the registry as it was", async () => {
  await start();
  const { revision } = registry;
  put("secrets/bin-1", "short");
  await expect(start()).rejects.toMatchObject({ code: "city-invalid" });
  put("secrets/bin-1", "secret of the bin\n");
  put("city.yaml", city.replace("class: bin", "class: planet"));
  await expect(start()).rejects.toMatchObject({ code: "city-invalid" });
  expect(registry.revision).toBe(revision);
  put("city.yaml", city);
  expect(await start()).toBe(false);
});
