/** A registered device. Times epoch milliseconds. */
export interface DeviceEntry {
  id: string;
  class: string;
  place: string;
  /** Latitude, longitude in degrees (WGS 84). */
  at?: [number, number];
  /** Reporting interval, milliseconds. */
  everyMs?: number;
  fraction?: string;
  capacityLitres?: number;
  /** Distance from sensor to floor of the empty and surface of the full container, millimetres. */
  emptyMm?: number;
  fullMm?: number;
  /** When it entered the registry. */
  sinceMs: number;
}

/** A node of the tree of places. */
export interface PlaceEntry {
  id: string;
  kind: "city" | "district" | "site" | "building" | "household";
  name: string;
  at?: [number, number];
}

/** What a reader of the registry may ask. All answers are snapshots, in memory. */
export interface RegistryView {
  readonly city: { name: string; timeZone: string; language: "pl" | "en" };
  device(id: string): DeviceEntry | undefined;
  devices(): DeviceEntry[];
  place(id: string): PlaceEntry | undefined;
  places(): PlaceEntry[];
  /** Ids of the devices at a place or below it. */
  devicesAt(place: string): string[];
}
