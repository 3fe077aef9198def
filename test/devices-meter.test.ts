import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FileFault, ObiegError, openRegistry, parseCity } from "../devices/index.js";
import { openState, type StateStore } from "../ingest/stores/state.js";

const outside = {
  file: "city.yaml",
  env: {},
  readBeside: (path: string) => {
    throw new Error(`${path} can't be read`);
  },
};
const metered = `
city: { name: Kraków, timeZone: Europe/Warsaw, language: pl }
places:
  - { id: krakow, kind: city, name: Kraków }
devices:
  - { id: bin-1, class: bin, place: krakow, fraction: bio }
  - { id: em-0, class: electricity-meter, place: krakow }
  - id: em-1
    class: electricity-meter
    place: krakow
    meter:
      parent: em-0
      registers:
        energy_import_kwh: { serial: "30-1", digits: 5, multiplier: 40, maxRate: 400, installed: "2024-05-01T10:00:00+02:00", start: 3.5 }
        energy_export_kwh: { serial: "30-1", bits: 32, maxRate: 69, installed: 1714550400000 }`;

let dir = "";
let state: StateStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-meter-"));
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
    const { detail } = error as ObiegError;
    return (detail as { faults: FileFault[] }).faults.map(({ line, path }) => [line, path]);
  }
  return [];
};

test("meters and what is upstream of them come back from the registry as they were written", async () => {
  const registry = openRegistry(state, () => 1);
  const city = parseCity(metered, outside);
  await registry.apply(city, "ewa");
  const device = openRegistry(state, () => 2).device("em-1");
  expect(device?.meter).toEqual({
    parent: "em-0",
    registers: {
      energy_import_kwh: {
        serial: "30-1",
        digits: 5,
        resolution: 0.001,
        multiplier: 40,
        maxRate: 400,
        installed: Date.parse("2024-05-01T08:00:00Z"),
        start: 3.5,
      },
      energy_export_kwh: {
        serial: "30-1",
        bits: 32,
        resolution: 0.001,
        multiplier: 1,
        maxRate: 69,
        installed: Date.parse("2024-05-01T08:00:00Z"),
      },
    },
  });
  const back = parseCity(registry.exportCity(), outside);
  expect(back.devices).toEqual(city.devices);
  // What stood below a meter that is gone stands below none.
  await registry.removeDevice("em-0", "ewa");
  expect(registry.device("em-1")?.meter?.parent).toBeUndefined();
  expect(Object.keys(registry.device("em-1")?.meter?.registers ?? {})).toHaveLength(2);
});

test("the time of service comes back as it was written, and must end after it began", async () => {
  const registry = openRegistry(state, () => 1);
  const service = `commissioned: "2026-01-10T08:00:00+01:00", decommissioned: "2026-09-30T12:00:00+02:00"`;
  const city = parseCity(metered.replace("fraction: bio", `fraction: bio, ${service}`), outside);
  await registry.apply(city, "ewa");
  const [commissioned, decommissioned] = ["2026-01-10T07:00:00Z", "2026-09-30T10:00:00Z"].map(Date.parse);
  expect(registry.device("bin-1")).toMatchObject({ commissioned, decommissioned });
  const text = registry.exportCity();
  expect(text).toContain("commissioned: 2026-01-10T07:00:00.000Z");
  expect(parseCity(text, outside).devices).toEqual(city.devices);
  const backwards = service.replace("2026-09", "2025-09");
  expect(
    faultsOf(metered.replace("fraction: bio", `fraction: bio, ${backwards}`)).map(([, path]) => path),
  ).toEqual(["devices.0.decommissioned"]);
  const bin = { id: "bin-1", class: "bin", place: "krakow" };
  await expect(registry.putDevice({ ...bin, commissioned: 2, decommissioned: 2 }, "ewa")).rejects.toThrow(
    /decommissioned: must be after commissioned/,
  );
});

test("two meters that are put below one another at once: the second is refused", async () => {
  const registry = openRegistry(state, () => 1);
  await registry.apply(parseCity(metered, outside), "ewa");
  const put = (id: string, parent: string) =>
    registry.putDevice(
      { id, class: "electricity-meter", place: "krakow", meter: { parent, registers: {} } },
      "ewa",
    );
  await registry.putDevice({ id: "em-1", class: "electricity-meter", place: "krakow" }, "ewa");
  const done = await Promise.allSettled([put("em-0", "em-1"), put("em-1", "em-0")]);
  expect(done.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
});

test("a meter that can't be is refused at its line, and by the registry", async () => {
  const bad = metered
    .replace("place: krakow }\n  - id", "place: krakow, meter: { parent: em-1 } }\n  - id")
    .replace(
      "fraction: bio",
      "fraction: bio, meter: { parent: nobody, registers: { power_w: { serial: x } } }",
    )
    .replace("digits: 5", "digits: 5, bits: 8")
    .replace("1714550400000", "2024-05-01");
  const first = metered.split("\n").findIndex((line) => line.includes("bin-1")) + 1;
  expect(faultsOf(bad).map(([line, path]) => [line - first, path])).toEqual([
    [0, "devices.0.meter.parent"],
    [0, "devices.0.meter.registers.power_w"],
    [1, "devices.1.meter.parent"],
    [6, "devices.2.meter.parent"],
    [8, "devices.2.meter.registers.energy_import_kwh.bits"],
    [9, "devices.2.meter.registers.energy_export_kwh.installed"],
  ]);
  const registry = openRegistry(state, () => 1);
  await registry.apply(parseCity(metered, outside), "ewa");
  const em = { id: "em-0", class: "electricity-meter", place: "krakow" };
  const loop = /em-0 below em-1 below em-0\): take parent out of one of them/;
  await expect(
    registry.putDevice({ ...em, meter: { parent: "em-1", registers: {} } }, "ewa"),
  ).rejects.toThrow(loop);
  for (const parent of ["em-0", "em-1", "nobody"]) {
    const meter = { parent, registers: {} };
    await expect(registry.putDevice({ ...em, meter }, "ewa")).rejects.toMatchObject({
      code: "device-invalid",
    });
  }
});
