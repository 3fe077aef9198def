import type { DeviceEntry } from "../../registry.js";
import { round } from "../signal.js";
import { type Encoder, renamed, type WireMessage } from "./encoder.js";

const phases = ["a", "b", "c"] as const;
const names: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    phases.flatMap((phase, index) => [
      [`${phase}_current`, `current_l${index + 1}_a`],
      [`${phase}_voltage`, `voltage_l${index + 1}_v`],
      [`${phase}_act_power`, `power_l${index + 1}_w`],
      [`${phase}_freq`, "frequency_hz"],
    ]),
  ),
  total_act_power: "power_w",
  total_aprt_power: "apparent_power_va",
};

/**
 * A three-phase meter of Shelly's second generation: `NotifyStatus` of `em:0` and, with the registers in Wh, of `emdata:0`;
 * `{device}/online` says whether it is there. Source: Shelly API documentation, General/Notifications, components EM, EMData, MQTT.
 */
export function encodeShelly({ id, identifiers = {} }: DeviceEntry): Encoder {
  const src = identifiers["name"] ?? id;
  const notify = (timeMs: number, component: string, status: object): WireMessage => ({
    topic: `${src}/events/rpc`,
    payload: JSON.stringify({
      src,
      dst: `${src}/events`,
      method: "NotifyStatus",
      params: { ts: round(timeMs / 1_000, 2), [component]: { id: 0, ...status } },
    }),
  });
  const wattHours = (kwh: number | undefined): number => round((kwh ?? 0) * 1_000, 2);
  return {
    encode(timeMs, reading) {
      const status = renamed(reading, names);
      const perPhase = phases.map((phase) => {
        const va = (status[`${phase}_current`] ?? 0) * (status[`${phase}_voltage`] ?? 0);
        const factor = va > 0 ? (status[`${phase}_act_power`] ?? 0) / va : 0;
        return { [`${phase}_aprt_power`]: round(va, 1), [`${phase}_pf`]: round(factor, 2) };
      });
      const current = phases.reduce((sum, phase) => sum + (status[`${phase}_current`] ?? 0), 0);
      return [
        notify(timeMs, "em:0", {
          ...status,
          ...Object.assign({}, ...perPhase),
          n_current: null,
          total_current: round(current, 3),
          user_calibrated_phase: [],
        }),
        notify(timeMs, "emdata:0", {
          total_act: wattHours(reading["energy_import_kwh"]),
          total_act_ret: wattHours(reading["energy_export_kwh"]),
        }),
      ];
    },
    greet: () => [{ topic: `${src}/online`, payload: "true", retain: true }],
    will: () => ({ topic: `${src}/online`, payload: "false", retain: true }),
  };
}
