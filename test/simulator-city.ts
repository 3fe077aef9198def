import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { demoCityFile } from "../devices/demo/index.js";
import { type CityFile, type DeviceEntry, readCityFile } from "../devices/index.js";

interface City {
  places: { id: string; kind: string }[];
  rules: unknown[];
  credentials: { user: string; secret: string }[];
}

/** The demo city as its file writes it. */
export function demoCity(): City {
  return parse(readFileSync(demoCityFile(), "utf8")) as City;
}

/** The demo city as the service reads it. */
export function demoCityRead(): CityFile {
  return readCityFile(demoCityFile(), { OBIEG_DEMO_SECRET: "the demo's secret" });
}

/** The demo city's devices as the registry would hold them. */
export function demoDevices(): DeviceEntry[] {
  return demoCityRead().devices.map(({ every, ...device }) => ({
    ...device,
    ...(every === undefined ? {} : { everyMs: every }),
    sinceMs: 0,
  })) as DeviceEntry[];
}
