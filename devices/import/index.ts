import type { ImportFile } from "./fault.js";

export { type ImportFault, type ImportFile, type ImportRow, mostRows } from "./fault.js";
export type { PlannedDevice } from "./candidate.js";
export { type ImportPlan, planImport } from "./plan.js";

/** What a file of devices is written in. */
export type ImportFormat = "csv" | "yaml";

/** Reads a file of devices. The readers are loaded when the first file comes. Guarantee: never rejects on any bytes. */
export async function readDevices(bytes: Uint8Array, format: ImportFormat): Promise<ImportFile> {
  if (format === "csv") return (await import("./csv.js")).readCsv(bytes);
  return (await import("./yaml.js")).readYaml(bytes);
}
