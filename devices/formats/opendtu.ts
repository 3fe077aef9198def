import type { RawMessage } from "../message.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { presenceOf } from "./presence.js";

/** Fields of channel 0, the side of the grid; "" for what the counter or another field has already. Source: OpenDTU docs, mqtt_topics.md. */
const grid: Readonly<Record<string, string>> = {
  power: "power_w",
  yieldtotal: "energy_generated_kwh",
  yieldday: "",
  voltage: "voltage_v",
  current: "current_a",
  frequency: "frequency_hz",
  powerfactor: "power_factor",
  reactivepower: "reactive_power_var",
  temperature: "inverter_temperature_celsius",
  powerdc: "",
  efficiency: "",
};

/**
 * OpenDTU: one bare number a topic, `solar/{serial}/{channel}/{field}`. `yieldtotal` is in kWh where `yieldday` is in Wh; the power
 * factor is documented in percent, and taken as a ratio where it is no more than 1.
 * Source: OpenDTU docs, mqtt_topics.md.
 */
export const openDtu: Format = {
  name: "opendtu",
  version: "1",
  topics: ["solar/#"],
  schemes: ["serial"],
  parse(message: RawMessage): Parsed {
    const [serial = "", channel = "", key = ""] = message.topic.split("/").slice(-3);
    const isSerial = /^[0-9a-f]{10,16}$/i.test(serial);
    if (isSerial && channel === "status" && key === "reachable")
      return {
        kind: "ignored",
        reason: "presence",
        identity: serial,
        ...presenceOf(message.payload, ["1", "0"]),
      };
    const isChannel = /^\d{1,2}$/.test(channel) && isSerial;
    if (!isChannel || key === "name")
      return { kind: "ignored", reason: "status", ...(isChannel ? { identity: serial } : {}) };
    const text = message.payload.length <= 64 ? Buffer.from(message.payload).toString("latin1").trim() : "";
    const value = /^[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) {
      const detail = `${key.slice(0, 40)} should be one bare number`;
      return {
        kind: "refused",
        identity: serial,
        isDoubtful: true,
        fault: { code: "wrong-type", path: "", detail },
      };
    }
    const name = channel === "0" && Object.hasOwn(grid, key) ? grid[key] : undefined;
    const field: ParsedField = {
      from: `${channel}.${key}`,
      path: "",
      value,
      timeMs: message.receivedMs,
      ignored: name === "" || channel !== "0",
      ...(name === undefined || name === "" ? {} : { name }),
      ...(name === "power_factor" && Math.abs(value) > 1 ? { scale: 0.01 } : {}),
    };
    return { kind: "parsed", identity: serial, fields: [field], faults: [], body: value };
  },
};
