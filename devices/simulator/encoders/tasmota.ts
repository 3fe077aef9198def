import type { DeviceEntry } from "../../registry.js";
import { type Encoder, renamed } from "./encoder.js";

/** `Timezone 1`, as the firmware comes: an hour ahead of UTC all year. Source: Tasmota, my_user_config.h, APP_TIMEZONE. */
const aheadMs = 3_600_000;
const names = { Total_in: "energy_import_kwh", Total_out: "energy_export_kwh", Power_curr: "power_w" };

/** How long it has run, as Tasmota writes it. */
const uptime = (seconds: number): string => {
  const two = (part: number): string => String(part % 60).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600) % 24;
  return `${Math.floor(seconds / 86_400)}T${two(hours)}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
};

/**
 * A reading head on a meter's optical port with Tasmota's SML script: `SENSOR` and `STATE` each period, their times local without
 * an offset, and `LWT`. Source: Tasmota docs, MQTT.md, Smart-Meter-Interface.md.
 */
export function encodeTasmota({ id, identifiers = {} }: DeviceEntry): Encoder {
  const { topic = id, serial = id } = identifiers;
  let begunMs: number | undefined;
  return {
    encode(timeMs, reading) {
      begunMs ??= timeMs;
      const time = new Date(timeMs + aheadMs).toISOString().slice(0, 19);
      const seconds = Math.max(0, Math.floor((timeMs - begunMs) / 1_000));
      const { rssi_dbm: signal } = reading;
      const quality = Math.min(100, Math.max(0, 2 * ((signal ?? -100) + 100)));
      return [
        {
          topic: `tele/${topic}/STATE`,
          payload: JSON.stringify({
            Time: time,
            Uptime: uptime(seconds),
            UptimeSec: seconds,
            Heap: 147,
            SleepMode: "Dynamic",
            Sleep: 50,
            LoadAvg: 19,
            MqttCount: 1,
            Wifi: { AP: 1, SSId: "zarzadca", Channel: 6, Mode: "11n", RSSI: quality, Signal: signal },
          }),
        },
        {
          topic: `tele/${topic}/SENSOR`,
          payload: JSON.stringify({ Time: time, SML: { ...renamed(reading, names), Meter_Number: serial } }),
        },
      ];
    },
    greet: () => [{ topic: `tele/${topic}/LWT`, payload: "Online", retain: true }],
    will: () => ({ topic: `tele/${topic}/LWT`, payload: "Offline", retain: true }),
  };
}
