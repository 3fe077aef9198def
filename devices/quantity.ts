/** How a quantity behaves in time: a state now, a register that grows, the amount of one event, or 0 and 1. */
export type QuantityKind = "gauge" | "counter" | "amount" | "state";

/** What a quantity measures; units convert within a dimension only. */
export type Dimension =
  | "ratio"
  | "length"
  | "mass"
  | "temperature"
  | "energy"
  | "reactive-energy"
  | "power"
  | "apparent-power"
  | "reactive-power"
  | "voltage"
  | "current"
  | "frequency"
  | "volume"
  | "flow"
  | "pressure"
  | "mass-concentration"
  | "concentration"
  | "sound-level"
  | "speed"
  | "angle"
  | "irradiance"
  | "signal"
  | "number";

/** One row of the vocabulary. */
export interface Quantity {
  /** Snake case, canonical unit last: `energy_import_kwh`. */
  name: string;
  /** The name without its unit: `energy_import`. */
  stem: string;
  /** Canonical unit as people read it; "" for pure numbers. */
  unit: string;
  /** Canonical unit as UCUM writes it. */
  ucum: string;
  kind: QuantityKind;
  dimension: Dimension;
  /** What a working device can say, in the canonical unit, both ends included. Anything else is quarantined. */
  plausible: readonly [min: number, max: number];
  /** Where the range comes from. */
  source: string;
  /** Device classes that usually carry it. */
  classes: readonly string[];
}

interface UnitRow {
  suffix: string;
  unit: string;
  ucum: string;
  dimension: Dimension;
}

const units: Readonly<Record<string, UnitRow>> = Object.fromEntries(
  (
    [
      ["percent", "%", "%", "ratio"],
      ["mm", "mm", "mm", "length"],
      ["kg", "kg", "kg", "mass"],
      ["celsius", "°C", "Cel", "temperature"],
      ["kwh", "kWh", "kW.h", "energy"],
      ["kvarh", "kvarh", "kV.A.h{reactive}", "reactive-energy"],
      ["w", "W", "W", "power"],
      ["va", "VA", "V.A", "apparent-power"],
      ["var", "var", "V.A{reactive}", "reactive-power"],
      ["v", "V", "V", "voltage"],
      ["a", "A", "A", "current"],
      ["hz", "Hz", "Hz", "frequency"],
      ["m3", "m³", "m3", "volume"],
      ["m3_h", "m³/h", "m3/h", "flow"],
      ["kpa", "kPa", "kPa", "pressure"],
      ["hpa", "hPa", "hPa", "pressure"],
      ["ug_m3", "µg/m³", "ug/m3", "mass-concentration"],
      ["mg_m3", "mg/m³", "mg/m3", "mass-concentration"],
      ["ppm", "ppm", "[ppm]", "concentration"],
      ["db", "dB", "dB[SPL]", "sound-level"],
      ["m_s", "m/s", "m/s", "speed"],
      ["degrees", "°", "deg", "angle"],
      ["w_m2", "W/m²", "W/m2", "irradiance"],
      ["dbm", "dBm", "dB[mW]", "signal"],
    ] as const
  ).map(([suffix, unit, ucum, dimension]) => [suffix, { suffix, unit, ucum, dimension }]),
);

const none: UnitRow = { suffix: "", unit: "", ucum: "1", dimension: "number" };
const maxRegister = 1e9;
const choice = "engineering choice";

function row(
  stem: string,
  suffix: string,
  kind: QuantityKind,
  plausible: readonly [number, number],
  classes: string,
  source: string,
): Quantity {
  const { unit, ucum, dimension } = units[suffix] ?? none;
  const name = suffix === "" ? stem : `${stem}_${suffix}`;
  return { name, stem, unit, ucum, kind, dimension, plausible, source, classes: classes.split(" ") };
}

const meters = "electricity-meter pv-inverter";
const air = "air-sensor";
const every = "*";
const register = "a register doesn't run below zero; the upper end is an engineering choice";
const en50160 = "EN 50160 (supply 230 V); 0 is a lost phase";

const rows: readonly Quantity[] = [
  row("fill", "percent", "gauge", [-5, 110], "bin", "0 to 100; bags stand out above, noise goes below"),
  row(
    "distance",
    "mm",
    "gauge",
    [20, 5_000],
    "bin",
    "reach of ultrasonic and laser sensors; 0 and 65,535 mean no echo",
  ),
  row("weight", "kg", "gauge", [0, 60_000], "bin container", "weighbridges end at 60 t"),
  row("tilted", "", "state", [0, 1], "bin", "0 or 1"),
  row("lid_open", "", "state", [0, 1], "bin", "0 or 1"),
  row("emptied", "", "amount", [0, 1_000], "bin", choice),
  row("collected", "kg", "amount", [0, 60_000], "weighbridge truck container", "a laden truck and more"),
  row("gross", "kg", "amount", [0, 60_000], "weighbridge truck", "weighbridges end at 60 t"),
  row("tare", "kg", "amount", [0, 60_000], "weighbridge truck", "weighbridges end at 60 t"),
  ...["energy_import", "energy_export", "energy_generated"].map((stem) =>
    row(stem, "kwh", "counter", [0, maxRegister], meters, register),
  ),
  ...["energy_import", "energy_export"].flatMap((stem) =>
    [1, 2, 3, 4].map((zone) => row(`${stem}_t${zone}`, "kwh", "counter", [0, maxRegister], meters, register)),
  ),
  row("reactive_energy_import", "kvarh", "counter", [0, maxRegister], meters, register),
  row("reactive_energy_export", "kvarh", "counter", [0, maxRegister], meters, register),
  row("power", "w", "gauge", [-1e7, 1e7], `${meters} heat-meter`, "10 MW, a district's heat substation"),
  ...["power_l1", "power_l2", "power_l3"].map((stem) =>
    row(stem, "w", "gauge", [-1e7, 1e7], meters, "as power"),
  ),
  row("apparent_power", "va", "gauge", [-1e7, 1e7], meters, "as power"),
  row("reactive_power", "var", "gauge", [-1e7, 1e7], meters, "as power"),
  ...["voltage", "voltage_l1", "voltage_l2", "voltage_l3"].map((stem) =>
    row(stem, "v", "gauge", [0, 300], meters, en50160),
  ),
  ...["current", "current_l1", "current_l2", "current_l3", "current_n"].map((stem) =>
    row(stem, "a", "gauge", [-5_000, 5_000], meters, choice),
  ),
  row("frequency", "hz", "gauge", [47, 52], meters, "EN 50160: 50 Hz, +4 % and -6 %"),
  row("power_factor", "", "gauge", [-1, 1], meters, "a cosine"),
  row("heat", "kwh", "counter", [0, maxRegister], "heat-meter", register),
  row("heat_volume", "m3", "counter", [0, maxRegister], "heat-meter", register),
  row("flow", "m3_h", "gauge", [-1_000, 1_000], "heat-meter water-meter", choice),
  row(
    "supply_temperature",
    "celsius",
    "gauge",
    [-20, 180],
    "heat-meter",
    "high-temperature networks, and room below",
  ),
  row(
    "return_temperature",
    "celsius",
    "gauge",
    [-20, 180],
    "heat-meter",
    "high-temperature networks, and room below",
  ),
  row("error_flags", "", "gauge", [0, 2 ** 32 - 1], "heat-meter water-meter", "32 bits"),
  row("gas", "m3", "counter", [0, maxRegister], "gas-meter", register),
  row("water", "m3", "counter", [0, maxRegister], "water-meter", register),
  row("reverse_water", "m3", "counter", [0, maxRegister], "water-meter", register),
  row("pressure", "kpa", "gauge", [0, 2_500], "water-meter", "pipes of 25 bar"),
  row(
    "water_temperature",
    "celsius",
    "gauge",
    [-5, 110],
    "water-meter",
    "cold 0 to 30, hot 0 to 90, and room around",
  ),
  row("leak", "", "state", [0, 1], "water-meter", "0 or 1"),
  ...["pm1", "pm2_5", "pm10"].map((stem) =>
    row(stem, "ug_m3", "gauge", [0, 1_000], air, "range of optical sensors"),
  ),
  row("no2", "ug_m3", "gauge", [0, 1_000], air, choice),
  row("so2", "ug_m3", "gauge", [0, 2_000], air, choice),
  row("o3", "ug_m3", "gauge", [0, 600], air, choice),
  row("co", "mg_m3", "gauge", [0, 60], air, choice),
  row("benzene", "ug_m3", "gauge", [0, 500], air, choice),
  row("co2", "ppm", "gauge", [350, 10_000], air, "outdoor floor; range of NDIR sensors"),
  row(
    "temperature",
    "celsius",
    "gauge",
    [-45, 85],
    `bin ${air} weather-station`,
    "range of outdoor electronics",
  ),
  row("humidity", "percent", "gauge", [0, 100], air, "relative humidity"),
  row("pressure", "hpa", "gauge", [850, 1_100], air, "sea-level record lows and highs, and Polish heights"),
  row("laeq", "db", "gauge", [20, 140], `noise-sensor ${air}`, "range of class 2 sound level meters"),
  row("wind_speed", "m_s", "gauge", [0, 75], "weather-station", "range of anemometers"),
  row("wind_direction", "degrees", "gauge", [0, 360], "weather-station", "the compass"),
  row("rain", "mm", "amount", [0, 300], "weather-station", "an hour's extreme"),
  row("irradiance", "w_m2", "gauge", [0, 1_500], "weather-station", "solar constant 1,361 and cloud edges"),
  row("soil_moisture", "percent", "gauge", [0, 100], "soil-sensor", "a share"),
  row(
    "inverter_temperature",
    "celsius",
    "gauge",
    [-40, 120],
    "pv-inverter",
    "electronics in a case, in frost and in the sun",
  ),
  row("battery", "percent", "gauge", [0, 100], every, "a share"),
  row("battery", "v", "gauge", [0, 60], every, choice),
  row("rssi", "dbm", "gauge", [-200, 20], every, choice),
  row("snr", "db", "gauge", [-50, 60], every, choice),
  row("link_margin", "db", "gauge", [-32, 31], every, "LoRaWAN 1.0.4, DevStatusAns: 6 bits, signed"),
];

/** The vocabulary by name. */
export const quantities: ReadonlyMap<string, Quantity> = new Map(
  rows.map((quantity) => [quantity.name, quantity]),
);

/** Device classes that the vocabulary knows, in alphabetical order. */
export const deviceClasses: readonly string[] = [...new Set(rows.flatMap(({ classes }) => classes))]
  .filter((name) => name !== every)
  .sort();

/** Canonical unit of a quantity as people read it; "" for pure numbers and for what isn't in the vocabulary. */
export function unitOf(quantity: string): string {
  return quantities.get(quantity)?.unit ?? "";
}
