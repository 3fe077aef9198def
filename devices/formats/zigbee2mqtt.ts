import type { Past } from "../codec.js";
import type { LocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { type JsonObject, leavesOf, readObject } from "./json.js";
import { presenceOf } from "./presence.js";
import { type Exposed, meaningsOf, readExposes } from "./zigbee-exposes.js";

/**
 * Properties by their usual unit, which holds where a model gives none. `voltage` (V of the mains, mV of a battery), `water_consumed`
 * (m³ or litres) and the like aren't here: the model's exposes, or a source's map, name their unit.
 * Source: zigbee-herdsman-converters, src/lib/exposes.ts.
 */
const properties: Readonly<Record<string, string>> = {
  power: "power_w",
  power_phase_b: "power_l2_w",
  power_phase_c: "power_l3_w",
  energy: "energy_import_kwh",
  produced_energy: "energy_export_kwh",
  energy_produced: "energy_export_kwh",
  current: "current_a",
  current_phase_b: "current_l2_a",
  current_phase_c: "current_l3_a",
  current_neutral: "current_n_a",
  voltage_phase_b: "voltage_l2_v",
  voltage_phase_c: "voltage_l3_v",
  power_apparent: "apparent_power_va",
  power_reactive: "reactive_power_var",
  power_factor: "power_factor",
  ac_frequency: "frequency_hz",
  temperature: "temperature_celsius",
  humidity: "humidity_percent",
  soil_moisture: "soil_moisture_percent",
  pressure: "pressure_hpa",
  co2: "co2_ppm",
  pm1: "pm1_ug_m3",
  pm25: "pm2_5_ug_m3",
  pm10: "pm10_ug_m3",
  water_leak: "leak",
  battery: "battery_percent",
};
/** Of the radio and of the software, not of what is measured. */
const apart: ReadonlySet<string> = new Set(["linkquality", "last_seen", "elapsed", "update", "device"]);

/** `last_seen` as ISO 8601 or epoch milliseconds where it is enabled; else the receipt. */
function timeOf(body: JsonObject, message: RawMessage, clock: LocalClock): number {
  const { last_seen: seen } = body;
  if (typeof seen === "number") return Math.round(seen);
  return typeof seen === "string" ? clock.read(seen, message.receivedMs) : message.receivedMs;
}

/** `{"state": "online"}`, or the bare text of older versions. */
function availabilityOf(payload: Uint8Array): ReturnType<typeof presenceOf> {
  const read = readObject(payload);
  const state = "object" in read ? read.object["state"] : undefined;
  return presenceOf(typeof state === "string" ? Buffer.from(state) : payload, ["online", "offline"]);
}

/**
 * Zigbee2MQTT: a device's state under its friendly name, which may hold slashes. A message repeats the whole known state. What the
 * bridge says of its devices (`bridge/devices`, retained) gives the units of their models and which properties are settings.
 * Source: zigbee2mqtt.io, mqtt_topics_and_messages.md.
 */
export const zigbee2mqtt: Format = {
  name: "zigbee2mqtt",
  version: "1",
  topics: ["zigbee2mqtt/#"],
  schemes: ["name", "mac"],
  remembers: true,
  parse(message: RawMessage, clock: LocalClock, past: Past): Parsed {
    const base = message.topic.slice(0, message.topic.indexOf("/"));
    if (message.topic === `${base}/bridge/devices`) {
      const exposed = readExposes(message.payload);
      return {
        kind: "ignored",
        reason: "bridge",
        ...(exposed ? { lessons: new Map([[base, exposed]]) } : {}),
      };
    }
    const levels = message.topic.split("/").slice(1);
    const last = levels.at(-1);
    if (levels[0] === "bridge" || levels.length === 0) return { kind: "ignored", reason: "bridge" };
    if (levels.length > 1 && (last === "availability" || last === "set" || last === "get")) {
      const identity = levels.slice(0, -1).join("/");
      return last === "availability"
        ? { kind: "ignored", reason: "presence", identity, ...availabilityOf(message.payload) }
        : { kind: "ignored", reason: "command", identity };
    }
    const identity = levels.join("/");
    const read = readObject(message.payload);
    if ("fault" in read) return { kind: "refused", identity, fault: read.fault };
    const timeMs = timeOf(read.object, message, clock);
    const meaningOf = meaningsOf(past.recall(base) as Exposed | undefined, identity);
    const fields = leavesOf(read.object).map(({ keys, from, path, value }): ParsedField => {
      const usual = Object.hasOwn(properties, from) ? properties[from] : undefined;
      return { from, path, value, timeMs, ignored: apart.has(keys[0] ?? ""), ...meaningOf(from, usual) };
    });
    return { kind: "parsed", identity, fields, faults: [], body: read.object };
  },
};
