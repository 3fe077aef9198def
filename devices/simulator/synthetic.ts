import { stringify } from "yaml";
import type { DeviceEntry } from "../registry.js";
import { keyOf, unit } from "./random.js";

const mix: readonly { class: string; prefix: string; everyMs: number }[] = [
  { class: "electricity-meter", prefix: "em", everyMs: 900_000 },
  { class: "water-meter", prefix: "wm", everyMs: 900_000 },
  { class: "electricity-meter", prefix: "em", everyMs: 900_000 },
  { class: "bin", prefix: "bin", everyMs: 3_600_000 },
  { class: "heat-meter", prefix: "hm", everyMs: 900_000 },
  { class: "water-meter", prefix: "wm", everyMs: 900_000 },
  { class: "air-sensor", prefix: "air", everyMs: 600_000 },
  { class: "electricity-meter", prefix: "em", everyMs: 900_000 },
];
const fractions = ["mixed", "plastics_metals", "paper", "glass", "bio"] as const;

/**
 * Makes `count` devices of all simulated classes at one place, for load: mostly electricity and water meters. Always the same ones.
 * `centre` (latitude, longitude; Kraków's Main Square unless told) is what they are scattered around, within about 5 km.
 */
export function syntheticDevices(
  count: number,
  placeId: string,
  centre: readonly [number, number] = [50.0614, 19.9372],
): DeviceEntry[] {
  return Array.from({ length: count }, (_, n) => {
    const {
      prefix,
      everyMs,
      class: kind,
    } = mix[n % mix.length] ?? { prefix: "em", everyMs: 900_000, class: "electricity-meter" };
    const key = keyOf(0, "synthetic");
    const at = (axis: number): number =>
      Math.round(((centre[axis] ?? 0) + (unit(key, 2 * n + axis) - 0.5) * 0.09) * 10_000) / 10_000;
    return {
      id: `${prefix}-s${String(n + 1).padStart(5, "0")}`,
      class: kind,
      place: placeId,
      at: [at(0), at(1)],
      everyMs,
      sinceMs: 0,
      ...(kind === "bin"
        ? { fraction: fractions[n % fractions.length] ?? "mixed", capacityLitres: 1_100 }
        : {}),
    };
  });
}

/** What may stand in a city file beside its devices. */
export interface CityYamlOptions {
  /** Kraków unless told. */
  name?: string;
  timeZone?: string;
  /** Written as they are, under `credentials`. */
  credentials?: readonly {
    user: string;
    secret?: string;
    secretFile?: string;
    publishesFor?: readonly string[];
  }[];
  /** Written as they are, under `rules`. */
  rules?: readonly unknown[];
}

const kindsByDepth = ["city", "district", "building", "household"] as const;

/** Writes a `city.yaml` that holds the devices and every place that they stand at, with its ancestors. */
export function cityYamlFor(devices: readonly DeviceEntry[], options: CityYamlOptions = {}): string {
  const places = new Set<string>();
  for (const { place } of devices) {
    const parts = place.split("/");
    parts.forEach((_, depth) => places.add(parts.slice(0, depth + 1).join("/")));
  }
  return stringify(
    {
      city: { name: options.name ?? "Kraków", timeZone: options.timeZone ?? "Europe/Warsaw", language: "pl" },
      places: [...places].sort().map((id) => {
        const parts = id.split("/");
        return { id, kind: kindsByDepth[parts.length - 1] ?? "household", name: parts.at(-1) ?? id };
      }),
      devices: devices.map(({ everyMs, ...device }) => ({
        ...device,
        sinceMs: undefined,
        ...(everyMs === undefined ? {} : { every: `${everyMs}ms` }),
      })),
      ...(options.credentials ? { credentials: options.credentials } : {}),
      ...(options.rules ? { rules: options.rules } : {}),
    },
    { aliasDuplicateObjects: false },
  );
}
