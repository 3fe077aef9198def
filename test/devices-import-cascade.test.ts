import fc from "fast-check";
import { expect, test } from "vitest";
import { type DeviceEntry, type ImportFile, planImport, type RegistryView } from "../devices/index.js";
import { identifierKey, indexIdentifiers } from "../devices/identifier.js";
import { ended } from "./support/bounded.js";

/** A registry of these devices and one place. */
function registryOf(devices: readonly DeviceEntry[]): RegistryView {
  const byId = new Map(devices.map((device) => [device.id, device]));
  const identified = indexIdentifiers(devices);
  const place = { id: "krakow", kind: "city", name: "Kraków" };
  return {
    device: (id: string) => byId.get(id),
    devices: () => [...devices],
    byIdentifier: (scheme: string, text: string) => identified.get(identifierKey(scheme, text)),
    place: (id: string) => (id === "krakow" ? place : undefined),
  } as unknown as RegistryView;
}
const knownOf = (id: string, serial: string, parent?: string): DeviceEntry => ({
  id,
  class: "electricity-meter",
  place: "krakow",
  sinceMs: 0,
  identifiers: { serial },
  ...(parent === undefined ? {} : { meter: { parent, registers: {} } }),
});
const fileOf = (said: readonly ImportFile["rows"][number]["said"][]): ImportFile => ({
  faults: [],
  rows: said.map((one, index) => ({
    line: index + 2,
    said: { class: "electricity-meter", place: "krakow", ...one },
    placeOf: (path) => ({ line: index + 2, column: 1, field: path.map(String).join(".") }),
  })),
});

test("what is left out round after round is what doesn't fit once the rows at fault before are gone", () => {
  const id = fc.integer({ min: 0, max: 11 }).map((n) => `em-${n}`);
  const serial = fc.integer({ min: 0, max: 11 }).map((n) => `s${n}`);
  const known = fc.uniqueArray(fc.record({ id, serial, parent: fc.option(id, { nil: undefined }) }), {
    selector: (one) => one.id,
  });
  const row = fc.record({
    id,
    place: fc.constantFrom("krakow", "krakow", "krakow", "krakow", "nowhere"),
    identifiers: fc.option(fc.record({ serial, name: serial }, { requiredKeys: [] }), { nil: null }),
    meter: fc.option(
      id.map((parent) => ({ parent })),
      { nil: null },
    ),
  });
  let most = 0;
  fc.assert(
    fc.property(known, fc.array(row, { maxLength: 14 }), (devices, said) => {
      const registry = registryOf(devices.map((one) => knownOf(one.id, one.serial, one.parent)));
      const file = fileOf(said);
      const faults = [];
      let { rows } = file;
      for (let rounds = 0; ; rounds += 1) {
        most = Math.max(most, rounds);
        const found = planImport({ rows, faults: [] }, registry, false).faults;
        if (found.length === 0) break;
        faults.push(...found);
        const lines = new Set(found.map(({ line }) => line));
        rows = rows.filter(({ line }) => !lines.has(line));
      }
      const plan = planImport(file, registry, true);
      expect(plan.faults).toEqual(faults.toSorted((one, other) => one.line - other.line));
      const rest = planImport({ rows, faults: [] }, registry, false);
      expect({ ...plan, faults: [] }).toEqual(rest);
    }),
    { numRuns: 3_000 },
  );
  expect(most).toBeGreaterThan(3);
});

test("a fault that goes through thousands of rows, a row after the other, costs a look at each of them", () => {
  const count = 20_000;
  const registry = registryOf(Array.from({ length: count }, (_, n) => knownOf(`em-${n}`, `s${n}`)));
  const said = Array.from({ length: count }, (_, n) => ({
    id: `em-${n}`,
    identifiers: { serial: `s${n + 1}` },
    ...(n === count - 1 ? { place: "nowhere" } : {}),
  }));
  const plan = ended(() => planImport(fileOf(said), registry, true));
  expect([plan.added, plan.changed, plan.unchanged]).toEqual([[], [], 0]);
  expect(plan.faults.map(({ code }) => code)).toEqual([
    ...Array.from({ length: count - 1 }, () => "identifier-taken"),
    "place-not-found",
  ]);
});
