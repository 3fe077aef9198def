import type { RawMessage } from "../message.js";
import type { Format, Frame, Parsed, ParsedField } from "./format.js";
import { isObject, type JsonObject, readObject } from "./json.js";
import { countOf, decodedFields, firstTime, frameOf, signalOf } from "./uplink.js";

/** Events that carry no measurement. Source: chirpstack/chirpstack, api/proto/integration/integration.proto. */
const ignoredEvents: ReadonlySet<string> = new Set([
  "join",
  "ack",
  "txack",
  "log",
  "location",
  "integration",
]);

/** Battery and margin of a `status` event; its own time, or the receipt's: older servers give none. */
function statusFields(body: JsonObject, timeMs: number): ParsedField[] {
  const {
    batteryLevel: battery,
    batteryLevelUnavailable: unknown,
    externalPowerSource: mains,
    margin,
  } = body;
  const hasBattery = battery !== undefined && unknown !== true && mains !== true;
  return [
    ...(hasBattery
      ? [{ from: "batteryLevel", path: "/batteryLevel", value: battery, timeMs, name: "battery_percent" }]
      : []),
    ...(margin === undefined
      ? []
      : [{ from: "margin", path: "/margin", value: margin, timeMs, name: "link_margin_db" }]),
  ];
}

/**
 * ChirpStack v4 with JSON: `up` and `status` events; the others are ignored, and so are uplinks that only a join server can
 * decrypt and frames without a payload of the application.
 * Source: chirpstack/chirpstack, api/proto/integration/integration.proto and chirpstack/src/integration/mqtt.rs.
 */
export const chirpstack: Format = {
  name: "chirpstack",
  version: "1",
  topics: ["application/+/device/+/event/+"],
  schemes: ["devEui", "name"],
  parse(message: RawMessage): Parsed {
    const levels = message.topic.split("/");
    const event = levels.at(-1) ?? "";
    const named = levels.at(-3) ?? "";
    if (ignoredEvents.has(event)) return { kind: "ignored", reason: event, identity: named };
    const read = readObject(message.payload);
    if ("fault" in read) {
      const detail = `${read.fault.detail}; ChirpStack writes JSON with json=true in its [integration.mqtt]`;
      return { kind: "refused", identity: named, fault: { ...read.fault, detail: detail.slice(0, 300) } };
    }
    const body = read.object;
    const info = isObject(body["deviceInfo"]) ? body["deviceInfo"] : {};
    const { devEui, deviceName } = info;
    const identity = typeof devEui === "string" && devEui !== "" ? devEui : named;
    const parsed = (fields: ParsedField[], frame?: Frame): Parsed => ({
      kind: "parsed",
      identity,
      ...(typeof deviceName === "string" ? { identifiers: { name: deviceName } } : {}),
      fields,
      faults: [],
      ...(frame ? { frame } : {}),
      body,
    });
    const timeMs = firstTime([body["time"]], message.receivedMs);
    if (event === "status") return parsed(statusFields(body, timeMs));
    if (event !== "up") return { kind: "ignored", reason: "event", identity };
    const { object, data, fPort } = body;
    if (isObject(body["joinServerContext"])) return { kind: "ignored", reason: "encrypted", identity };
    const signal = signalOf(body["rxInfo"], "/rxInfo", timeMs);
    const frame = frameOf(data, fPort, timeMs, "/data");
    const counted = countOf(body["fCnt"], body["devAddr"], timeMs);
    if (!isObject(object) && !frame) return { kind: "ignored", reason: "no-payload", identity, ...counted };
    return {
      ...parsed(
        [...decodedFields(object, "/object", timeMs), ...signal],
        frame && { ...frame, beside: signal, isNeeded: !isObject(object) },
      ),
      ...counted,
    };
  },
};
