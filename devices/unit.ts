import { openScale, sum } from "./decimal.js";
import { type Dimension, quantities, type Quantity } from "./quantity.js";

/** A unit in terms of its dimension's base, which quantities of its dimension are kept in where units have offsets: `base = (value + offset) × times / per`. */
interface Unit {
  dimension: Dimension;
  times: number;
  per: number;
  offset: number;
  /** How UCUM writes it. */
  ucum: string;
  /** How it ends a name; undefined when it never does. */
  suffix: string | undefined;
}

type UnitTuple = [ucum: string, suffix: string | undefined, times: number, per?: number, offset?: number];

/** Factors are exact by definition of the units, unless said. */
const table: Readonly<Partial<Record<Dimension, readonly UnitTuple[]>>> = {
  ratio: [
    ["%", "percent", 1],
    ["1", "ratio", 100],
    ["[ppth]", "permille", 1, 10],
  ],
  length: [
    ["mm", "mm", 1],
    ["cm", "cm", 10],
    ["m", "m", 1_000],
    ["km", "km", 1e6],
  ],
  mass: [
    ["kg", "kg", 1],
    ["g", "g", 1, 1_000],
    ["t", "t", 1_000],
  ],
  temperature: [
    ["Cel", "celsius", 1],
    ["K", "kelvin", 1, 1, -273.15],
    ["[degF]", "fahrenheit", 5, 9, -32],
  ],
  energy: [
    ["kW.h", "kwh", 1],
    ["W.h", "wh", 1, 1_000],
    ["MW.h", "mwh", 1_000],
    ["J", "j", 1, 3.6e6],
    ["kJ", "kj", 1, 3_600],
    ["MJ", "mj", 10, 36],
    ["GJ", "gj", 10_000, 36],
  ],
  "reactive-energy": [
    ["kV.A.h{reactive}", "kvarh", 1],
    ["V.A.h{reactive}", "varh", 1, 1_000],
    ["V.A.s{reactive}", undefined, 1, 3.6e6],
    ["kV.A.s{reactive}", undefined, 1, 3_600],
  ],
  power: [
    ["W", "w", 1],
    ["kW", "kw", 1_000],
    ["MW", "mw", 1e6],
  ],
  "apparent-power": [
    ["V.A", "va", 1],
    ["kV.A", "kva", 1_000],
  ],
  "reactive-power": [
    ["V.A{reactive}", "var", 1],
    ["kV.A{reactive}", "kvar", 1_000],
  ],
  voltage: [
    ["V", "v", 1],
    ["mV", "mv", 1, 1_000],
    ["kV", "kv", 1_000],
  ],
  current: [
    ["A", "a", 1],
    ["mA", "ma", 1, 1_000],
  ],
  frequency: [
    ["Hz", "hz", 1],
    ["MHz", undefined, 1e6],
  ],
  volume: [
    ["m3", "m3", 1],
    ["L", "l", 1, 1_000],
    ["dm3", "dm3", 1, 1_000],
  ],
  flow: [
    ["m3/h", "m3_h", 1],
    ["L/h", "l_h", 1, 1_000],
    ["L/min", "l_min", 6, 100],
    ["L/s", "l_s", 36, 10],
    ["m3/s", "m3_s", 3_600],
  ],
  pressure: [
    ["kPa", "kpa", 1],
    ["Pa", "pa", 1, 1_000],
    ["hPa", "hpa", 1, 10],
    ["mbar", "mbar", 1, 10],
    ["bar", "bar", 100],
    // By definition of the conventional columns: 13,595.1 kg/m³ and 9.80665 m/s².
    ["mm[Hg]", "mmhg", 0.133_322_387_415],
    ["[in_i'Hg]", "inhg", 3.386_388_640_341],
  ],
  "mass-concentration": [
    ["ug/m3", "ug_m3", 1],
    ["mg/m3", "mg_m3", 1_000],
    ["ng/m3", "ng_m3", 1, 1_000],
    ["kg/m3", undefined, 1e9],
  ],
  concentration: [
    ["[ppm]", "ppm", 1],
    ["[ppb]", "ppb", 1, 1_000],
  ],
  "sound-level": [
    ["dB[SPL]", "db", 1],
    ["B[SPL]", undefined, 10],
  ],
  speed: [
    ["m/s", "m_s", 1],
    ["km/h", "km_h", 10, 36],
  ],
  angle: [
    ["deg", "degrees", 1],
    ["rad", "rad", 180, Math.PI],
  ],
  irradiance: [["W/m2", "w_m2", 1]],
  signal: [
    ["dB[mW]", "dbm", 1],
    ["dB[W]", undefined, 1, 1, 30],
  ],
  number: [["1", undefined, 1]],
};

/** Other ways of writing a UCUM code that devices use. */
const aliases: ReadonlyMap<string, string> = new Map(
  Object.entries({
    kWh: "kW.h",
    Wh: "W.h",
    MWh: "MW.h",
    l: "L",
    "l/h": "L/h",
    "l/min": "L/min",
    "l/s": "L/s",
    "°C": "Cel",
    degC: "Cel",
    "°F": "[degF]",
    degF: "[degF]",
    "m³": "m3",
    "m³/h": "m3/h",
    "µg/m³": "ug/m3",
    "μg/m³": "ug/m3",
    "mg/m³": "mg/m3",
    "W/m²": "W/m2",
    ppm: "[ppm]",
    ppb: "[ppb]",
    dB: "dB[SPL]",
    dBm: "dB[mW]",
    VA: "V.A",
    kVA: "kV.A",
    var: "V.A{reactive}",
    kvar: "kV.A{reactive}",
    mmHg: "mm[Hg]",
    inHg: "[in_i'Hg]",
    kvarh: "kV.A.h{reactive}",
    "°": "deg",
  }),
);

const known: readonly Unit[] = Object.entries(table).flatMap(([dimension, tuples]) =>
  tuples.map(([ucum, suffix, times, per = 1, offset = 0]) => ({
    dimension: dimension as Dimension,
    times,
    per,
    offset,
    ucum,
    suffix,
  })),
);

/** Ends of names that a stem of the vocabulary may have, each a unit; none for what isn't a stem, or has no unit. */
export function unitsOf(stem: string): string[] {
  const dimensions = new Set(
    [...quantities.values()].filter((one) => one.stem === stem).map(({ dimension }) => dimension),
  );
  const found = known.filter(({ dimension }) => dimensions.has(dimension));
  return found.flatMap(({ dimension, suffix }) =>
    dimension === "number" ? [""] : suffix === undefined ? [] : [suffix],
  );
}

/** How a number under some name and unit becomes the canonical one. */
export interface Conversion {
  quantity: Quantity;
  /** Undefined where the number is in the canonical unit already. */
  convert?: (value: number) => number;
}

function between(from: Unit, quantity: Quantity): Conversion | undefined {
  const to = known.find((unit) => unit.dimension === quantity.dimension && unit.ucum === quantity.ucum);
  if (!to || from.dimension !== quantity.dimension) return undefined;
  const { offset } = from;
  const [times, per] = [from.times * to.per, from.per * to.times];
  if (times === per && offset === 0) return { quantity };
  const scale = openScale(times, per);
  return { quantity, convert: offset === 0 ? scale : (value) => scale(sum(value, offset)) };
}

/** Of several quantities that fit: the one whose unit is given, else one that the device's class carries. */
function best(found: readonly Conversion[], deviceClass: string): Conversion | undefined {
  return (
    found.find(({ convert }) => convert === undefined) ??
    found.find(({ quantity }) => quantity.classes.includes(deviceClass)) ??
    found[0]
  );
}

function bySuffix(name: string, deviceClass: string): Conversion | undefined {
  const found: Conversion[] = [];
  for (const unit of known) {
    if (unit.suffix === undefined || !name.endsWith(`_${unit.suffix}`)) continue;
    const stem = name.slice(0, -unit.suffix.length - 1);
    for (const quantity of quantities.values()) {
      const conversion = quantity.stem === stem ? between(unit, quantity) : undefined;
      if (conversion) found.push(conversion);
    }
  }
  return best(found, deviceClass);
}

function byUnit(stem: string, code: string, deviceClass: string): Conversion | undefined {
  const ucum = aliases.get(code) ?? code;
  const found: Conversion[] = [];
  for (const quantity of quantities.values()) {
    if (quantity.stem !== stem && quantity.name !== stem) continue;
    const unit = known.find((one) => one.dimension === quantity.dimension && one.ucum === ucum);
    const conversion = unit && between(unit, quantity);
    if (conversion) found.push(conversion);
  }
  return best(found, deviceClass);
}

/** Finds the quantity that a name means for a device of a class, and the way to its canonical unit. */
export type Resolver = (
  name: string,
  unit: string | undefined,
  deviceClass: string,
) => Conversion | undefined;

/**
 * Opens a resolver. Names: the vocabulary's; the same stem with another unit of the dimension (`energy_import_wh`);
 * or a bare stem with a UCUM `unit`. Undefined when none fits. Answers are remembered, up to a bound.
 */
export function createResolver(): Resolver {
  const remembered = new Map<string, Conversion | null>();
  const maxRemembered = 10_000;
  return (name, unit, deviceClass) => {
    const own = unit === undefined ? exact.get(name) : undefined;
    if (own) return own;
    const key = `${deviceClass} ${name} ${unit ?? ""}`;
    const before = remembered.get(key);
    if (before !== undefined) return before ?? undefined;
    const found = unit === undefined ? bySuffix(name, deviceClass) : byUnit(name, unit, deviceClass);
    if (key.length <= 120 && remembered.size < maxRemembered) remembered.set(key, found ?? null);
    return found;
  };
}

const exact: ReadonlyMap<string, Conversion> = new Map(
  [...quantities].map(([name, quantity]) => [name, { quantity }]),
);
