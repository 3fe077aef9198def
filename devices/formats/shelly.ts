import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, type JsonObject, leavesOf, readObject, step } from "./json.js";
import { presenceOf } from "./presence.js";

/** A vocabulary name, or "" for a field that is no measurement of its own (a sum's part, a repeated sum, the inside of the case). */
type Meanings = Readonly<Record<string, string>>;

const one: Meanings = {
  voltage: "voltage_v",
  current: "current_a",
  pf: "power_factor",
  freq: "frequency_hz",
};
/** `switch`, `pm1`, `cover`, `light`. Energy in Wh, its minutes in mWh. */
const load: Meanings = {
  ...one,
  apower: "power_w",
  "aenergy.total": "energy_import_wh",
  "ret_aenergy.total": "energy_export_wh",
  ...Object.fromEntries(
    ["aenergy", "ret_aenergy"].flatMap((side) =>
      ["minute_ts", "by_minute.0", "by_minute.1", "by_minute.2"].map((key) => [`${side}.${key}`, ""]),
    ),
  ),
  "temperature.tC": "",
  "temperature.tF": "",
};
const phases = ["a", "b", "c"] as const;
/**
 * Components and their fields. Source: Shelly API documentation, components Switch, PM1, EM, EMData, EM1, EM1Data, Temperature,
 * Humidity, DevicePower, WiFi.
 */
const components: Readonly<Record<string, Meanings>> = {
  switch: load,
  pm1: load,
  cover: load,
  em: {
    n_current: "current_n_a",
    total_act_power: "power_w",
    total_aprt_power: "apparent_power_va",
    total_current: "",
    ...Object.fromEntries(
      phases.flatMap((phase, index) => [
        [`${phase}_current`, `current_l${index + 1}_a`],
        [`${phase}_voltage`, `voltage_l${index + 1}_v`],
        [`${phase}_act_power`, `power_l${index + 1}_w`],
        [`${phase}_aprt_power`, ""],
        [`${phase}_pf`, ""],
        [`${phase}_freq`, phase === "a" ? "frequency_hz" : ""],
      ]),
    ),
  },
  emdata: {
    total_act: "energy_import_wh",
    total_act_ret: "energy_export_wh",
    ...Object.fromEntries(
      phases.flatMap((phase) => [
        [`${phase}_total_act_energy`, ""],
        [`${phase}_total_act_ret_energy`, ""],
      ]),
    ),
  },
  em1: { ...one, act_power: "power_w", aprt_power: "apparent_power_va" },
  em1data: { total_act_energy: "energy_import_wh", total_act_ret_energy: "energy_export_wh" },
  temperature: { tC: "temperature_celsius", tF: "" },
  humidity: { rh: "humidity_percent" },
  devicepower: { "battery.V": "battery_v", "battery.percent": "battery_percent" },
  wifi: { rssi: "rssi_dbm" },
};
/** Registers stand in a component of their own; they belong to the channel of the same number. */
const channelOf: Readonly<Record<string, string>> = { emdata: "em", em1data: "em1" };
const earliestMs = 946_684_800_000;

/** The fields of one component. A channel above 0 is a device of its own, called `{device}/{component}:{number}`. */
function componentFields(
  component: string,
  status: unknown,
  base: string,
  device: string,
  timeMs: number,
): ParsedField[] {
  const [kind = "", number = "0"] = component.split(":");
  const meanings = Object.hasOwn(components, kind) ? components[kind] : undefined;
  if (!meanings || !isObject(status)) return [];
  const identity = number === "0" ? undefined : `${device}/${channelOf[kind] ?? kind}:${number}`;
  return leavesOf(status, [component], base).flatMap(({ from, path, value }): ParsedField[] => {
    const key = from.slice(component.length + 1);
    if (key === "id") return [];
    const name = Object.hasOwn(meanings, key) ? meanings[key] : undefined;
    const isWifi = kind === "wifi" && name === undefined;
    return [
      {
        from,
        path,
        value,
        timeMs,
        ignored: name === "" || isWifi,
        ...(name === undefined || name === "" ? {} : { name }),
        ...(identity === undefined ? {} : { identity }),
      },
    ];
  });
}

/** Identities that the channels of a device can have: they are there as long as it is. */
const channelsOf = (device: string): string[] =>
  ["switch", "pm1", "cover", "em", "em1", "temperature", "humidity"].flatMap((kind) =>
    [1, 2, 3].map((number) => `${device}/${kind}:${number}`),
  );

/** The time of a frame: epoch seconds with decimals; the receipt's where the device doesn't know it. */
function timeOf(params: JsonObject, message: RawMessage): number {
  const { ts } = params;
  const ms = typeof ts === "number" ? Math.round(ts * 1_000) : Number.NaN;
  return ms >= earliestMs ? ms : message.receivedMs;
}

const macOf = (name: string): { identifiers?: Readonly<Record<string, string>> } => {
  const mac = /-([0-9a-f]{12})$/i.exec(name)?.[1];
  return mac === undefined ? {} : { identifiers: { mac } };
};

function frameOf(message: RawMessage, body: JsonObject, prefix: string): Parsed {
  const { src, method, params } = body;
  const identity = typeof src === "string" ? src : prefix;
  if (method !== "NotifyStatus" && method !== "NotifyFullStatus")
    return { kind: "ignored", reason: method === "NotifyEvent" ? "event" : "answer", identity };
  if (!isObject(params)) {
    const detail = "params should be an object of components";
    return { kind: "refused", identity, fault: { code: "wrong-type", path: "/params", detail } };
  }
  const timeMs = timeOf(params, message);
  const fields = Object.entries(params).flatMap(([component, status]) =>
    componentFields(component, status, `/params/${step(component)}`, identity, timeMs),
  );
  return { kind: "parsed", identity, ...macOf(identity), fields, faults: [], body };
}

/**
 * Shelly Gen2 and later: status frames of `events/rpc` and the status of single components; what a frame leaves out is unchanged.
 * Source: Shelly API documentation, General/Notifications and ComponentsAndServices.
 */
export const shelly: Format = {
  name: "shelly",
  version: "1",
  topics: ["+/events/rpc", "+/status/+", "+/online"],
  schemes: ["name", "topic", "mac"],
  parse(message: RawMessage): Parsed {
    const levels = message.topic.split("/");
    const last = levels.at(-1) ?? "";
    const isFrame = last === "rpc";
    const identity = levels.slice(0, last === "online" ? -1 : -2).join("/");
    if (last === "online")
      return {
        kind: "ignored",
        reason: "presence",
        identity,
        ...presenceOf(message.payload, ["true", "false"], channelsOf(identity)),
      };
    const [kind = ""] = last.split(":");
    if (!isFrame && !Object.hasOwn(components, kind))
      return { kind: "ignored", reason: "component", identity };
    const read = readObject(message.payload);
    if ("fault" in read) return { kind: "refused", identity, fault: read.fault, isDoubtful: true };
    if (isFrame) return frameOf(message, read.object, identity);
    const fields = componentFields(last, read.object, "", identity, message.receivedMs);
    const { id, rssi } = read.object;
    const isDoubtful = typeof (kind === "wifi" ? rssi : id) !== "number";
    return {
      kind: "parsed",
      identity,
      ...macOf(identity),
      fields,
      faults: [],
      isDoubtful,
      body: read.object,
    };
  },
};
