import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, type JsonObject, readObject } from "./json.js";
import { countOf, decodedFields, firstTime, frameOf, normalizedFields, signalOf } from "./uplink.js";

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
    const key = "uplink_message" in body ? "uplink_message" : "uplink_normalized";
    const uplink = body[key];
    if (!isObject(uplink)) {
      const event = Object.keys(events).find((one) => one in body);
      if (event !== undefined) return { kind: "ignored", reason: events[event] ?? "", identity };
      if (!/\/up(\/normalized)?$/.test(message.topic)) return { kind: "ignored", reason: "event", identity };
      return {
        kind: "refused",
        identity,
        fault: {
          code: "wrong-type",
          path: "/uplink_message",
          detail: "an uplink has an object uplink_message",
        },
      };
    }
    if (body["simulated"] === true) return { kind: "ignored", reason: "simulated", identity };
    const { frm_payload: payload, decoded_payload: decoded, normalized_payload: normalized } = uplink;
    const isDecoded = decoded !== undefined || normalized !== undefined;
    const timeMs = firstTime([uplink["received_at"], body["received_at"]], message.receivedMs);
    const signal = signalOf(uplink["rx_metadata"], `/${key}/rx_metadata`, timeMs);
    const frame = frameOf(payload, uplink["f_port"], timeMs, `/${key}/frm_payload`);
    // An uplink and what was normalized of it are two messages of one frame; the first alone counts. A counter of 0 is left out.
    const counted =
      key === "uplink_message" ? countOf(uplink["f_cnt"] ?? 0, uplink["session_key_id"], timeMs) : {};
    if (!isDecoded && !frame) return { kind: "ignored", reason: "no-payload", identity, ...counted };
    return {
      kind: "parsed",
      identity,
      ...(typeof devEui === "string" ? { identifiers: { devEui } } : {}),
      fields: [...uplinkFields(uplink, `/${key}`, timeMs), ...signal],
      faults: [],
      ...(frame ? { frame: { ...frame, beside: signal, isNeeded: !isDecoded } } : {}),
      ...counted,
      body,
    };
  },
};
