import type { LocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { type JsonObject, leavesOf, readObject } from "./json.js";

/** A field's last part is its unit. Source: wmbusmeters README, "Understanding the JSON". */
const units: Readonly<Record<string, string>> = {
  kwh: "kW.h",
  wh: "W.h",
  mj: "MJ",
  gj: "GJ",
  kvarh: "kV.A.h{reactive}",
  kw: "kW",
  w: "W",
  m3: "m3",
  l: "L",
  m3h: "m3/h",
  lh: "L/h",
  c: "Cel",
  v: "V",
  a: "A",
  hz: "Hz",
  dbm: "dB[mW]",
};
type Stems = Readonly<Record<string, string>>;
const water: Stems = {
  total: "water",
  total_backward: "reverse_water",
  volume_flow: "flow",
  flow: "flow",
  flow_temperature: "water_temperature",
};
const heat: Stems = {
  total_energy_consumption: "heat",
  total_volume: "heat_volume",
  volume_flow: "flow",
  power: "power",
  t1_temperature: "supply_temperature",
  flow_temperature: "supply_temperature",
  t2_temperature: "return_temperature",
  return_temperature: "return_temperature",
};
const electricity: Stems = {
  total_energy_consumption: "energy_import",
  total_energy_production: "energy_export",
  current_power_consumption: "power",
  ...Object.fromEntries(
    [1, 2, 3].flatMap((n) => [
      [`total_energy_consumption_tariff_${n}`, `energy_import_t${n}`],
      [`total_energy_production_tariff_${n}`, `energy_export_t${n}`],
      [`voltage_at_phase_${n}`, `voltage_l${n}`],
      [`current_at_phase_${n}`, `current_l${n}`],
    ]),
  ),
};
const common: Stems = { battery: "battery", rssi: "rssi" };
const media: Readonly<Record<string, Stems>> = {
  water,
  "cold water": water,
  "warm water": water,
  heat,
  electricity,
  gas: { total: "gas" },
};
/** The register of which a medium's past values are. */
const registers: Readonly<Record<string, string>> = {
  water: "water",
  "cold water": "water",
  "warm water": "water",
  heat: "heat",
  electricity: "energy_import",
  gas: "gas",
};

/** The stem of a register's past value and the fields that may hold its date. */
function datesOf(stem: string): string[] | undefined {
  if (/^target(?:_energy|_volume)?$/.test(stem)) return ["target_date", "target_datetime"];
  const [, past] = /^(last_month|last_year)_energy_consumption$/.exec(stem) ?? [];
  if (past !== undefined) return [`${past}_date`];
  const [, set] = /^consumption_at_(set_date(?:_\d{1,2})?)$/.exec(stem) ?? [];
  if (set !== undefined) return [set];
  const [, history] = /^consumption_at_history_(\d{1,2})$/.exec(stem) ?? [];
  return history === undefined ? undefined : [`history_${history}_date`];
}

const earliestMs = Date.UTC(2000, 0, 2);

/** When a past value was: its date's local midnight. Undefined for one that the meter hasn't got yet. */
function pastTime(
  dates: readonly string[],
  body: JsonObject,
  message: RawMessage,
  clock: LocalClock,
): number | undefined {
  const text = dates
    .map((name) => (Object.hasOwn(body, name) ? body[name] : undefined))
    .find((one) => typeof one === "string");
  const ms = typeof text === "string" ? clock.read(text, message.receivedMs) : Number.NaN;
  return ms >= earliestMs && ms <= message.receivedMs ? ms : undefined;
}

function fieldOf(
  from: string,
  body: JsonObject,
  message: RawMessage,
  clock: LocalClock,
): Partial<ParsedField> {
  const cut = from.lastIndexOf("_");
  const stem = from.slice(0, cut);
  const suffix = from.slice(cut + 1);
  const { media: medium } = body;
  const unit = Object.hasOwn(units, suffix) ? units[suffix] : undefined;
  if (unit === undefined || typeof medium !== "string" || !Object.hasOwn(media, medium)) return {};
  const dates = datesOf(stem);
  if (dates) {
    const timeMs = pastTime(dates, body, message, clock);
    const register =
      stem === "target_volume" && medium === "heat" ? "heat_volume" : (registers[medium] ?? "");
    return timeMs === undefined ? { ignored: true } : { name: register, unit, timeMs };
  }
  const stems = { ...common, ...media[medium] };
  const name = Object.hasOwn(stems, stem) ? stems[stem] : undefined;
  return name === undefined ? {} : { name, unit };
}

/**
 * wmbusmeters: meters that broadcast over wM-Bus, each telegram an object whose fields end with their unit.
 * Source: wmbusmeters README and drivers.
 */
export const wmbusmeters: Format = {
  name: "wmbusmeters",
  version: "1",
  topics: ["wmbusmeters/+"],
  schemes: ["serial", "name"],
  parse(message: RawMessage, clock: LocalClock): Parsed {
    const read = readObject(message.payload);
    const topical = message.topic.split("/").at(-1) ?? "";
    if ("fault" in read) return { kind: "refused", identity: topical, fault: read.fault };
    const { id, name, timestamp } = read.object;
    const identity = typeof id === "string" ? id : topical;
    const timeMs =
      typeof timestamp === "string" ? clock.read(timestamp, message.receivedMs) : message.receivedMs;
    const fields = leavesOf(read.object).map(({ from, path, value }): ParsedField => ({
      from,
      path,
      value,
      timeMs,
      ...fieldOf(from, read.object, message, clock),
    }));
    const identifiers = { serial: identity, ...(typeof name === "string" ? { name } : {}) };
    return { kind: "parsed", identity, identifiers, fields, faults: [], body: read.object };
  },
};
