import type { LocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, type JsonObject, leavesOf, readObject, step } from "./json.js";
import { presenceOf } from "./presence.js";

type Meaning = readonly [name: string, unit?: string];

/** Fields of `ENERGY`. A list holds the phases (or channels). Source: Tasmota docs, JSON-Status-Responses.md. */
const energy: Readonly<Record<string, Meaning>> = {
  Total: ["energy_import_kwh"],
  ExportActive: ["energy_export_kwh"],
  Power: ["power_w"],
  ApparentPower: ["apparent_power_va"],
  ReactivePower: ["reactive_power_var"],
  Factor: ["power_factor"],
  Voltage: ["voltage_v"],
  Current: ["current_a"],
  Frequency: ["frequency_hz"],
};
/** Lists of these are several registers or phases of one meter: together they are the whole. */
const summed: ReadonlySet<string> = new Set([
  "Total",
  "ExportActive",
  "Power",
  "ApparentPower",
  "ReactivePower",
]);
const byPhase: Readonly<Record<string, (phase: number) => Meaning>> = {
  Power: (phase) => [`power_l${phase}_w`],
  Voltage: (phase) => [`voltage_l${phase}_v`],
  Current: (phase) => [`current_l${phase}_a`],
};
const byTariff: Readonly<Record<string, (tariff: number) => Meaning>> = {
  TotalTariff: (tariff) => [`energy_import_t${tariff}_kwh`],
  ExportTariff: (tariff) => [`energy_export_t${tariff}_kwh`],
};
/** Sums of an interval and of a day, which the counter has already. */
const crossChecks: ReadonlySet<string> = new Set([
  "Yesterday",
  "Today",
  "Period",
  "ExportToday",
  "ExportYesterday",
]);

/** Fields of the other sensor objects, whatever the object is called. Temperature and pressure are in the units that the message names. */
const sensors: Readonly<Record<string, Meaning>> = {
  Humidity: ["humidity_percent"],
  CarbonDioxide: ["co2_ppm"],
  PM1: ["pm1_ug_m3"],
  PM1_0: ["pm1_ug_m3"],
  "PM2.5": ["pm2_5_ug_m3"],
  PM2_5: ["pm2_5_ug_m3"],
  PM10: ["pm10_ug_m3"],
  Battery: ["battery_percent"],
  // Labels of a meter's script as its usual users write them. Source: docs.evcc.io, "Tasmota SML IR-reader for smartmeters".
  Total_in: ["energy_import_kwh"],
  Total_out: ["energy_export_kwh"],
  Power_curr: ["power_w"],
  ...Object.fromEntries(
    [1, 2, 3].flatMap((phase): [string, Meaning][] => [
      [`power_l${phase}`, [`power_l${phase}_w`]],
      [`voltage_l${phase}`, [`voltage_l${phase}_v`]],
      [`current_l${phase}`, [`current_l${phase}_a`]],
    ]),
  ),
};
const temperatureUnits: Readonly<Record<string, string>> = { C: "Cel", F: "[degF]" };
const pressureUnits: Readonly<Record<string, string>> = { hPa: "hPa", mmHg: "mm[Hg]", inHg: "[in_i'Hg]" };
/** The unit that a message names; the usual one where it names none of them. */
const unitIn = (units: Readonly<Record<string, string>>, name: unknown, usual: string): string =>
  (typeof name === "string" && Object.hasOwn(units, name) ? units[name] : undefined) ?? usual;
const earliestMs = 946_684_800_000;

/** The message's own time; the receipt's where the device's clock was never set. */
function timeOf(body: JsonObject, message: RawMessage, clock: LocalClock): number {
  const { Time: time } = body;
  if (typeof time !== "string") return message.receivedMs;
  const ms = clock.read(time, message.receivedMs);
  return ms < earliestMs ? message.receivedMs : ms;
}

/** The numbers of `ENERGY`, its lists by phase and tariff. */
function energyFields(object: JsonObject, base: string, timeMs: number): ParsedField[] {
  return Object.entries(object).flatMap(([key, value]): ParsedField[] => {
    const own = { from: `ENERGY.${key}`, path: `${base}/${step(key)}`, timeMs };
    if (crossChecks.has(key)) return [];
    if (!Array.isArray(value)) {
      const name = Object.hasOwn(energy, key) ? energy[key]?.[0] : undefined;
      return isObject(value) ? [] : [{ ...own, value, ...(name === undefined ? {} : { name }) }];
    }
    const each = Object.hasOwn(byTariff, key)
      ? byTariff[key]
      : Object.hasOwn(byPhase, key)
        ? byPhase[key]
        : undefined;
    const most = Object.hasOwn(byTariff, key) ? 4 : 3;
    const items = (value as unknown[]).slice(0, 16).map((item, index): ParsedField => {
      const name = index < most ? each?.(index + 1)[0] : undefined;
      const field = { from: `${own.from}.${index}`, path: `${own.path}/${index}`, timeMs, value: item };
      return {
        ...field,
        ...(name === undefined ? {} : { name }),
        ignored: summed.has(key) && name === undefined,
      };
    });
    const isWhole = summed.has(key) && value.every((item) => typeof item === "number");
    if (!isWhole) return items;
    const sum = value.reduce((all, item) => all + item, 0);
    return [{ ...own, value: Math.round(sum * 1e6) / 1e6, name: energy[key]?.[0] ?? "" }, ...items];
  });
}

/** Numbers of one sensor object. A quantity that another sensor of the device gave already has to be mapped. */
function sensorFields(
  name: string,
  object: unknown,
  body: JsonObject,
  timeMs: number,
  given: Set<string>,
): ParsedField[] {
  const { TempUnit: temperature, PressureUnit: pressure } = body;
  const mine = new Set<string>();
  const fields = leavesOf(object, [name], `/${step(name)}`).map(
    ({ keys, from, path, value }): ParsedField => {
      const key = keys.at(-1) ?? "";
      const isDirect = keys.length === 2;
      let meaning = isDirect && Object.hasOwn(sensors, key) ? sensors[key] : undefined;
      if (isDirect && key === "Temperature")
        meaning = ["temperature", unitIn(temperatureUnits, temperature, "Cel")];
      if (isDirect && key === "Pressure") meaning = ["pressure_hpa", unitIn(pressureUnits, pressure, "hPa")];
      const field = {
        from,
        path,
        value,
        timeMs,
        ignored: key === "DewPoint" || key === "SeaPressure" || key === "Id",
      };
      if (!meaning || given.has(meaning[0])) return field;
      mine.add(meaning[0]);
      return { ...field, name: meaning[0], ...(meaning[1] === undefined ? {} : { unit: meaning[1] }) };
    },
  );
  for (const quantity of mine) given.add(quantity);
  return fields;
}

function telemetryOf(body: JsonObject, timeMs: number): ParsedField[] {
  const given = new Set<string>();
  return Object.entries(body).flatMap(([name, value]) => {
    if (name === "ENERGY" && isObject(value)) {
      for (const [quantity] of Object.values(energy)) given.add(quantity);
      return energyFields(value, "/ENERGY", timeMs);
    }
    return isObject(value) ? sensorFields(name, value, body, timeMs, given) : [];
  });
}

/** State has one measurement: the strength of the Wi-Fi signal (`RSSI` is a quality in percent). */
function stateOf(body: JsonObject, timeMs: number): ParsedField[] {
  const { Wifi: wifi } = body;
  const signal = isObject(wifi) ? wifi["Signal"] : undefined;
  return signal === undefined
    ? []
    : [{ from: "Wifi.Signal", path: "/Wifi/Signal", value: signal, timeMs, name: "rssi_dbm" }];
}

/**
 * Tasmota: telemetry of `SENSOR` (and `STATUS8`, `STATUS10`, which hold the same), the signal of `STATE`; presence and answers are ignored.
 * Source: Tasmota docs, MQTT.md and JSON-Status-Responses.md.
 */
export const tasmota: Format = {
  name: "tasmota",
  version: "1",
  topics: ["tele/+/+", "stat/+/+"],
  schemes: ["topic", "name", "mac"],
  parse(message: RawMessage, clock: LocalClock): Parsed {
    const levels = message.topic.split("/");
    const identity = levels[1] ?? "";
    const kind = levels.at(-1) ?? "";
    if (!["SENSOR", "STATE", "STATUS8", "STATUS10"].includes(kind))
      return kind === "LWT" && levels.length === 3
        ? {
            kind: "ignored",
            reason: "presence",
            identity,
            ...presenceOf(message.payload, ["Online", "Offline"]),
          }
        : { kind: "ignored", reason: "answer", identity };
    const read = readObject(message.payload);
    if ("fault" in read) return { kind: "refused", identity, fault: read.fault, isDoubtful: true };
    const inner = kind === "SENSOR" || kind === "STATE" ? read.object : read.object["StatusSNS"];
    const body = isObject(inner) ? inner : {};
    const timeMs = timeOf(body, message, clock);
    const fields = kind === "STATE" ? stateOf(body, timeMs) : telemetryOf(body, timeMs);
    const base = inner === read.object ? "" : "/StatusSNS";
    const placed = base === "" ? fields : fields.map((field) => ({ ...field, path: `${base}${field.path}` }));
    return {
      kind: "parsed",
      identity,
      fields: placed,
      faults: [],
      isDoubtful: typeof body["Time"] !== "string",
      body: read.object,
    };
  },
};
