import { ObiegError } from "./error.js";

/** What a registry holds of the city itself. */
export interface CityEntry {
  name: string;
  /** IANA name of the zone whose local days are counted. */
  timeZone: string;
  language: "pl" | "en";
  /** True for the demo's city: its numbers are made by the simulator. */
  demo: boolean;
}

/** Before any city was applied. */
export const emptyCity: CityEntry = { name: "", timeZone: "Europe/Warsaw", language: "pl", demo: false };

/** Makes sure that a city stays in the zone that its days were counted in. Throws `time-zone-kept` with what else to do. */
export function checkTimeZone(kept: CityEntry, wanted: { timeZone: string }, remedy: string): void {
  if (wanted.timeZone === kept.timeZone) return;
  throw new ObiegError(
    "time-zone-kept",
    `city.timeZone stays ${kept.timeZone} and can't become ${wanted.timeZone} here, because days are counted in it: ${remedy}`,
  );
}
