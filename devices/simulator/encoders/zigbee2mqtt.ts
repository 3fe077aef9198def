import type { DeviceEntry } from "../../registry.js";
import { keyOf, unit } from "../random.js";
import { type Encoder, renamed } from "./encoder.js";

const names = {
  current: "current_a",
  energy: "energy_import_kwh",
  power: "power_w",
  voltage: "voltage_v",
};

/**
 * A metering plug behind Zigbee2MQTT: its whole known state under its friendly name, without a time; `availability` and the
 * bridge's `state`. Source: zigbee2mqtt.io, mqtt_topics_and_messages.md and devices/A1Z.md.
 */
export function encodeZigbee({ id, identifiers = {} }: DeviceEntry): Encoder {
  const topic = `zigbee2mqtt/${identifiers["name"] ?? id}`;
  const state = (online: boolean): string => JSON.stringify({ state: online ? "online" : "offline" });
  const key = keyOf(0, id, "link");
  return {
    encode(timeMs, reading) {
      const shown = {
        child_lock: "UNLOCK",
        ...renamed(reading, names),
        indicator_mode: "off/on",
        linkquality: 90 + Math.floor(60 * unit(key, Math.floor(timeMs / 1_000))),
        power_outage_memory: "restore",
        state: "ON",
        update: { installed_version: 192, latest_version: 192, state: "idle" },
      };
      return [{ topic, payload: JSON.stringify(shown) }];
    },
    greet: () => [
      { topic: "zigbee2mqtt/bridge/state", payload: state(true), retain: true },
      { topic: `${topic}/availability`, payload: state(true), retain: true },
    ],
    will: () => ({ topic: "zigbee2mqtt/bridge/state", payload: state(false), retain: true }),
  };
}
