import type { RawMessage } from "../message.js";
import { parseTime } from "../time.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, type JsonObject, leavesOf, readObject } from "./json.js";
import { decodedFields, firstTime, signalOf } from "./uplink.js";

/** Fields of a normalized payload, whose units its schema fixes. Source: TheThingsNetwork/lorawan-devices, lib/payload.json. */
const normalizedNames: Readonly<Record<string, readonly [name: string, unit?: string]>> = {
  battery: ["battery_v"],
  "air.temperature": ["temperature_celsius"],
  "air.relativeHumidity": ["humidity_percent"],
  "air.pressure": ["pressure_hpa"],
  "air.co2": ["co2_ppm"],
  "wind.speed": ["wind_speed_m_s"],
  "wind.direction": ["wind_direction_degrees"],
  "soil.moisture": ["soil_moisture_percent"],
  "soil.temperature": ["temperature_celsius"],
  "water.leak": ["leak"],
  "water.temperature.current": ["water_temperature_celsius"],
  "metering.water.total": ["water", "L"],
};
/** No measurements of the device: where it is, and a sensor's depth. */
const placing: ReadonlySet<string> = new Set([
  "time",
  "position.latitude",
  "position.longitude",
  "soil.depth",
]);

/** What a message that is no uplink is, by the one key that it has. Source: api/ttn/lorawan/v3/messages.proto, ApplicationUp. */
const events: Readonly<Record<string, string>> = {
  join_accept: "join",
  downlink_ack: "downlink",
  downlink_nack: "downlink",
  downlink_sent: "downlink",
  downlink_failed: "downlink",
  downlink_queued: "downlink",
  downlink_queue_invalidated: "downlink",
  location_solved: "location",
  service_data: "service",
};

function normalizedFields(list: unknown, base: string, timeMs: number): ParsedField[] {
  const measurements: readonly unknown[] = Array.isArray(list) ? list : [list];
  const seen = new Set<string>();
  return measurements.slice(0, 100).flatMap((one, index) => {
    const { time: own } = isObject(one) ? one : {};
    const atMs = own === undefined ? timeMs : typeof own === "string" ? parseTime(own) : Number.NaN;
    const at = Array.isArray(list) ? `${base}/${index}` : base;
    return leavesOf(one, [], at).map(({ from, path, value }): ParsedField => {
      const field = { from, path, value, timeMs: atMs, ignored: placing.has(from) };
      const meaning = Object.hasOwn(normalizedNames, from) ? normalizedNames[from] : undefined;
      const [name, unit] = meaning ?? [];
      // Of two sensors of one kind (soil at two depths) only the first has the name of its own; a map names the other.
      if (name === undefined || seen.has(`${name} ${atMs}`)) return field;
      seen.add(`${name} ${atMs}`);
      return { ...field, name, ...(unit === undefined ? {} : { unit }) };
    });
  });
}

/** The measurements of an uplink: normalized where there are any, else what the decoder gave. */
function uplinkFields(uplink: JsonObject, base: string, timeMs: number): ParsedField[] {
  const { normalized_payload: normalized, decoded_payload: decoded } = uplink;
  const hasNormalized = Array.isArray(normalized) ? normalized.length > 0 : isObject(normalized);
  return hasNormalized
    ? normalizedFields(normalized, `${base}/normalized_payload`, timeMs)
    : decodedFields(decoded, `${base}/decoded_payload`, timeMs);
}

/**
 * The Things Stack v3, uplinks over MQTT (or a webhook's body): `uplink_message` and `uplink_normalized`. Everything else is
 * ignored, and so are simulated uplinks and frames without a payload of the application.
 * Source: TheThingsNetwork/lorawan-stack, api/ttn/lorawan/v3/messages.proto and pkg/applicationserver/io/mqtt/topics/v3.go.
 */
export const thingsStack: Format = {
  name: "things-stack",
  version: "1",
  topics: ["v3/+/devices/+/#"],
  schemes: ["devEui", "name"],
  parse(message: RawMessage): Parsed {
    const read = readObject(message.payload);
    const levels = message.topic.split("/");
    const named = levels[levels.indexOf("devices") + 1] ?? "";
    if ("fault" in read) return { kind: "refused", identity: named, fault: read.fault };
    const body = read.object;
    const ids = isObject(body["end_device_ids"]) ? body["end_device_ids"] : {};
    const { device_id: id, dev_eui: devEui } = ids;
    const identity = typeof id === "string" && id !== "" ? id : named;
    const refuse = (code: string, path: string, detail: string): Parsed => ({
      kind: "refused",
      identity,
      fault: { code, path, detail },
    });
    const key = "uplink_message" in body ? "uplink_message" : "uplink_normalized";
    const uplink = body[key];
    if (!isObject(uplink)) {
      const event = Object.keys(events).find((one) => one in body);
      if (event !== undefined) return { kind: "ignored", reason: events[event] ?? "", identity };
      if (!/\/up(\/normalized)?$/.test(message.topic)) return { kind: "ignored", reason: "event", identity };
      return refuse("wrong-type", "/uplink_message", "an uplink has an object uplink_message");
    }
    if (body["simulated"] === true) return { kind: "ignored", reason: "simulated", identity };
    const { frm_payload: frame, decoded_payload: decoded, normalized_payload: normalized } = uplink;
    if (decoded === undefined && normalized === undefined) {
      if (frame === undefined || frame === "") return { kind: "ignored", reason: "no-payload", identity };
      return refuse(
        "no-decoder",
        `/${key}/frm_payload`,
        "the uplink isn't decoded: give its device a payload formatter in The Things Stack",
      );
    }
    const timeMs = firstTime([uplink["received_at"], body["received_at"]], message.receivedMs);
    return {
      kind: "parsed",
      identity,
      ...(typeof devEui === "string" ? { identifiers: { devEui } } : {}),
      fields: [
        ...uplinkFields(uplink, `/${key}`, timeMs),
        ...signalOf(uplink["rx_metadata"], `/${key}/rx_metadata`, timeMs),
      ],
      faults: [],
      body,
    };
  },
};
