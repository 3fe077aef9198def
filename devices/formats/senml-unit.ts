import { createResolver } from "../unit.js";
import type { ParsedField } from "./format.js";

type Meaning = Pick<ParsedField, "name" | "nameByClass" | "unit">;

const resolve = createResolver();

/** Units that are called the same in both. */
const inUcumToo =
  "m kg g A K Hz rad Pa J W V Cel m3 m/s m3/s W/m2 kg/m3 deg kW mV mA ug/m3 hPa mm cm km km/h MHz".split(" ");

/**
 * What SenML calls units, in UCUM; those of other dimensions than the vocabulary's aren't here. `%` and `/` are ratios of one.
 * Source: RFC 8428, section 12.1; RFC 8798, sections 2 and 4 (secondary units); IANA, "SenML Units" and "Secondary Units".
 */
const ucumOf: ReadonlyMap<string, string> = new Map([
  ...inUcumToo.map((unit): [string, string] => [unit, unit]),
  ["l", "L"],
  ["l/s", "L/s"],
  ["dB", "dB[SPL]"],
  ["Bspl", "B[SPL]"],
  ["dBW", "dB[W]"],
  ["dBm", "dB[mW]"],
  ["/", "1"],
  ["%", "1"],
  ["count", "1"],
  ["%RH", "%"],
  ["%EL", "%"],
  ["/100", "%"],
  ["/1000", "[ppth]"],
  ["ppm", "[ppm]"],
  ["ppb", "[ppb]"],
  ["VA", "V.A"],
  ["kVA", "kV.A"],
  ["var", "V.A{reactive}"],
  ["kvar", "kV.A{reactive}"],
  ["vars", "V.A.s{reactive}"],
  ["varh", "V.A.h{reactive}"],
  ["kvarh", "kV.A.h{reactive}"],
  ["Wh", "W.h"],
  ["kWh", "kW.h"],
]);

const energies = {
  "electricity-meter": "energy_import",
  "pv-inverter": "energy_generated",
  "heat-meter": "heat",
};
const volumes = { "water-meter": "water", "gas-meter": "gas", "heat-meter": "heat_volume" };

/** What a measurement without a name of its own can only be, by its unit. */
const stemOfUnit: ReadonlyMap<string, string> = new Map(
  Object.entries({
    temperature: "Cel K",
    humidity: "%RH",
    battery: "%EL",
    voltage: "V",
    current: "A",
    power: "W kW",
    apparent_power: "VA kVA",
    reactive_power: "var kvar",
    frequency: "Hz",
    pressure: "Pa hPa",
    irradiance: "W/m2",
    flow: "m3/s l/s",
    energy: "J Wh kWh",
    volume: "m3 l",
  }).flatMap(([stem, units]) => units.split(" ").map((unit): [string, string] => [unit, stem])),
);

/** Other names that leave no doubt, beside a unit. */
const sameAs: ReadonlyMap<string, string> = new Map([
  ["temp", "temperature"],
  ["hum", "humidity"],
  ["rh", "humidity"],
  ["bat", "battery"],
  ["batt", "battery"],
  ["pm25", "pm2_5"],
]);

/** Integrals over time: what a stem's sum counts, in which unit. Source: RFC 8428, section 4.2 ("in units of Value × seconds"). */
const sums: Readonly<Record<string, { counts: string; units: Readonly<Record<string, string>> }>> = {
  power: { counts: "energy", units: { W: "J", kW: "kJ" } },
  reactive_power: {
    counts: "reactive_energy_import",
    units: { var: "V.A.s{reactive}", kvar: "kV.A.s{reactive}" },
  },
  flow: { counts: "volume", units: { "m3/s": "m3", "l/s": "L" } },
};

function stemOf(name: string, unit: string | undefined): string | undefined {
  if (name === "") return unit === undefined ? undefined : stemOfUnit.get(unit);
  const plain = name.toLowerCase().replaceAll(/[.-]/g, "_");
  return sameAs.get(plain) ?? plain;
}

function named(stem: string, unit: string | undefined): Meaning | undefined {
  const withUnit = unit === undefined ? {} : { unit };
  if (stem === "energy" && unit !== undefined) return { nameByClass: energies, unit };
  if (stem === "volume" && unit !== undefined) return { nameByClass: volumes, unit };
  return stem.length <= 64 && resolve(stem, unit, "") !== undefined ? { name: stem, ...withUnit } : undefined;
}

/** What a measurement means by its name and its SenML unit; undefined where a source's map has to say. */
export function meaningOf(name: string, unit: string | undefined): Meaning | undefined {
  const ucum = unit === undefined ? undefined : ucumOf.get(unit);
  const stem = stemOf(name, unit);
  if (stem === undefined || (unit !== undefined && ucum === undefined)) return undefined;
  return named(stem, ucum);
}

/** What the sum of a measurement counts; undefined where it counts nothing that the vocabulary has. */
export function sumMeaningOf(name: string, unit: string | undefined): Meaning | undefined {
  const stem = stemOf(name, unit);
  const sum = stem !== undefined && Object.hasOwn(sums, stem) ? sums[stem] : undefined;
  const counted = unit !== undefined && sum && Object.hasOwn(sum.units, unit) ? sum.units[unit] : undefined;
  return sum && counted !== undefined ? named(sum.counts, counted) : undefined;
}
