import type { DeviceEntry } from "../../devices/index.js";
import { syntheticDevices } from "../../devices/simulator/index.js";
import type { Size } from "./size.js";
import { loadDevices } from "./workload.js";

/** Bins that raise an alert the moment they are heavy. */
export const alarms = 400;

/** What a service under measurement is started over. */
export interface CityOptions {
  /** Address of a receiver of webhooks. */
  hook?: string;
  /** Devices with a past, beside those of the load. */
  past?: readonly DeviceEntry[];
}

/** Devices with a past: a fleet of all classes, and meters of one class. */
export function pastDevices(size: Size): { fleet: DeviceEntry[]; meters: DeviceEntry[] } {
  const fleet = syntheticDevices(size.fleet, "krakow/fleet");
  const meters = Array.from({ length: size.meters }, (_, n): DeviceEntry => ({
    id: `meter-${n}`,
    class: "electricity-meter",
    place: "krakow/meters",
    everyMs: 900_000,
    sinceMs: 0,
  }));
  return { fleet, meters };
}

/** The city file: the bins of the load with two rules, bins that alert at once, what has a past. */
export function cityOf({ hook, past = [] }: CityOptions): string {
  const device = (id: string, of: string, place: string, every: string): string =>
    `  - { id: ${id}, class: ${of}, place: ${place}, every: ${every} }`;
  const devices = [
    ...Array.from({ length: loadDevices }, (_, n) => device(`bin-${n}`, "bin", "krakow/load", "15m")),
    ...Array.from({ length: alarms }, (_, n) => device(`alarm-${n}`, "bin", "krakow/alarms", "15m")),
    ...past.map((one) => device(one.id, one.class, one.place, `${one.everyMs ?? 900_000}ms`)),
  ];
  const title = "title: { pl: P, en: E }";
  return `city: { name: K, timeZone: Europe/Warsaw }
places:
  - { id: krakow, kind: city, name: K }
  - { id: krakow/load, kind: district, name: L }
  - { id: krakow/alarms, kind: district, name: A }
  - { id: krakow/fleet, kind: district, name: F }
  - { id: krakow/meters, kind: district, name: M }
devices:
${devices.join("\n")}
credentials: [{ user: load, secret: "\${LOAD_SECRET}", publishesFor: ["bin-*", "alarm-*"] }]
rules:
  - { id: full, kind: threshold, class: bin, quantity: fill_percent, above: 99.5, clear: 60, for: 1h, severity: warning, ${title} }
  - { id: silent, kind: silent, class: bin, times: 3, severity: warning, ${title} }
  - { id: heavy, kind: threshold, devices: ["alarm-*"], quantity: weight_kg, above: 500, severity: critical, ${title} }
${hook === undefined ? "" : `channels: [{ id: hook, kind: webhook, url: "${hook}", secret: "\${HOOK_SECRET}", minSeverity: critical }]\n`}`;
}
