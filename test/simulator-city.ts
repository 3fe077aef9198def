import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { demoCityFile } from "../devices/demo/index.js";
import { type DeviceEntry, durationSchema } from "../devices/index.js";

interface City {
  places: { id: string; kind: string }[];
  devices: (Omit<DeviceEntry, "everyMs" | "sinceMs"> & { every: string })[];
  rules: unknown[];
  credentials: { user: string; secret: string }[];
}

/** The demo city as its file writes it. */
export function demoCity(): City {
  return parse(readFileSync(demoCityFile(), "utf8")) as City;
}

/** The demo city's devices as the registry would hold them. */
export function demoDevices(): DeviceEntry[] {
  return demoCity().devices.map(({ every, ...device }) => ({
    ...device,
    everyMs: durationSchema.parse(every),
    sinceMs: 0,
  }));
}
