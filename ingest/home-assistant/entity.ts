import { quantities, type Quantity, quantityName } from "../../devices/index.js";

/** How a device is spoken of. */
export interface EntityFacts {
  device: string;
  language: "pl" | "en";
  /** Its reporting interval. */
  everyMs: number | undefined;
}

/** An entity of a device as Home Assistant's discovery describes it. */
export interface Entity {
  platform: "sensor" | "binary_sensor";
  name: string;
  unique_id: string;
  value_template: string;
  device_class?: string;
  unit_of_measurement?: string;
  state_class?: "measurement" | "measurement_angle" | "total_increasing";
  payload_on?: "1";
  payload_off?: "0";
  entity_category?: "diagnostic";
  /** Seconds after which a value that wasn't renewed no longer counts. */
  expire_after?: number;
}

/** Device classes by what is measured. Source: Home Assistant, sensor integration, device classes with their units. */
const byDimension: Partial<Record<Quantity["dimension"], string>> = {
  length: "distance",
  mass: "weight",
  temperature: "temperature",
  energy: "energy",
  power: "power",
  "apparent-power": "apparent_power",
  "reactive-power": "reactive_power",
  voltage: "voltage",
  current: "current",
  frequency: "frequency",
  flow: "volume_flow_rate",
  pressure: "pressure",
  "sound-level": "signal_strength",
  speed: "wind_speed",
  irradiance: "irradiance",
  signal: "signal_strength",
};
/** Device classes that the dimension doesn't tell. Carbon monoxide has one in ppm alone. */
const byName: Readonly<Record<string, string>> = {
  power_factor: "power_factor",
  gas_m3: "gas",
  water_m3: "water",
  reverse_water_m3: "water",
  heat_volume_m3: "volume",
  pm1_ug_m3: "pm1",
  pm2_5_ug_m3: "pm25",
  pm10_ug_m3: "pm10",
  no2_ug_m3: "nitrogen_dioxide",
  so2_ug_m3: "sulphur_dioxide",
  o3_ug_m3: "ozone",
  co2_ppm: "carbon_dioxide",
  humidity_percent: "humidity",
  soil_moisture_percent: "moisture",
  battery_percent: "battery",
  pressure_hpa: "atmospheric_pressure",
  laeq_db: "sound_pressure",
  wind_direction_degrees: "wind_direction",
  rain_mm: "precipitation",
  leak: "moisture",
  lid_open: "opening",
};
const ofTheDevice: ReadonlySet<string> = new Set([
  "battery_percent",
  "battery_v",
  "rssi_dbm",
  "snr_db",
  "link_margin_db",
  "error_flags",
]);
/** What isn't a mean of its values, or no plain one: flags have none, directions go around. */
const ownStatistics: ReadonlyMap<string, Entity["state_class"]> = new Map([
  ["wind_direction_degrees", "measurement_angle"],
  ["error_flags", undefined],
] as const);

/** Describes a quantity of a device; undefined for what isn't in the vocabulary. */
export function entityOf(quantity: string, { device, language, everyMs }: EntityFacts): Entity | undefined {
  const row = quantities.get(quantity);
  if (!row) return undefined;
  const { kind, unit, dimension } = row;
  const deviceClass = byName[quantity] ?? (kind === "state" ? undefined : byDimension[dimension]);
  const stateClass = {
    gauge: "measurement",
    counter: "total_increasing",
    amount: undefined,
    state: undefined,
  } as const;
  const statistics = ownStatistics.has(quantity) ? ownStatistics.get(quantity) : stateClass[kind];
  return {
    platform: kind === "state" ? "binary_sensor" : "sensor",
    name: quantityName(quantity, language),
    unique_id: `obieg_${device}_${quantity}`,
    value_template: `{{ value_json.${quantity} }}`,
    ...(deviceClass === undefined ? {} : { device_class: deviceClass }),
    ...(unit === "" ? {} : { unit_of_measurement: unit }),
    ...(statistics === undefined ? {} : { state_class: statistics }),
    ...(kind === "state" ? { payload_on: "1", payload_off: "0" } : {}),
    ...(ofTheDevice.has(quantity) ? { entity_category: "diagnostic" } : {}),
    ...(everyMs === undefined ? {} : { expire_after: Math.ceil((3 * everyMs) / 1_000) }),
  };
}
