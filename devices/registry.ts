/** A registered device. Times epoch milliseconds. */
export interface DeviceEntry {
  id: string;
  class: string;
  place: string;
  /** What people call it. */
  name?: string;
  /** Maker and model as its mapping names it. */
  model?: string;
  /** What it is called elsewhere, by scheme: `{ devEui, mac, serial, name, topic }`; unique within a scheme. */
  identifiers?: Readonly<Record<string, string>>;
  /** Latitude, longitude in degrees (WGS 84). */
  at?: [number, number];
  /** Reporting interval, milliseconds. */
  everyMs?: number;
  fraction?: string;
  capacityLitres?: number;
  /** Distance from sensor to floor of the empty and surface of the full container, millimetres. */
  emptyMm?: number;
  fullMm?: number;
  meter?: MeterEntry;
  /** When its service began and ended, epoch milliseconds: readings of other times are kept and marked. */
  commissioned?: number;
  decommissioned?: number;
  /** When it entered the registry. */
  sinceMs: number;
}

/** What a device counts with. */
export interface MeterEntry {
  /** The device whose meter is upstream of this one. */
  parent?: string | undefined;
  /** By the quantity that it counts. */
  registers: Readonly<Record<string, RegisterEntry>>;
}

/** A register as it was installed, in the unit of its quantity. */
export interface RegisterEntry {
  serial: string;
  /** Digits before the point, or bits of a binary counter; neither where nobody knows. */
  digits?: number | undefined;
  bits?: number | undefined;
  resolution: number;
  multiplier: number;
  /** Most that can flow in an hour. */
  maxRate: number;
  /** Most that can flow back between two readings. */
  backflow?: number | undefined;
  /** Epoch milliseconds. */
  installed: number;
  start?: number | undefined;
}

/** A node of the tree of places. */
export interface PlaceEntry {
  id: string;
  kind: "city" | "district" | "site" | "building" | "household";
  name: string;
  at?: [number, number];
}

/** Who may connect, as the front door needs it. Secrets only as hashes. */
export interface CredentialEntry {
  user: string;
  kind: "device" | "gateway" | "application";
  hash: string;
  /** Ids or globs of the devices that a gateway publishes for. */
  publishesFor: string[];
  /** Topic filters of a gateway or an application. */
  publish: string[];
  subscribe: string[];
}

/** What a field of a source means. */
export interface SourceMapping {
  /** The field's own name, levels divided by dots; `*` stands for any characters. */
  from: string;
  quantity?: string | undefined;
  /** UCUM unit of the number after scale and offset. */
  unit?: string | undefined;
  scale?: number | undefined;
  offset?: number | undefined;
  /** What its texts mean, as numbers: of a state 0 or 1. */
  states?: Readonly<Record<string, number>> | undefined;
  /** Holds for devices of this model alone. */
  model?: string | undefined;
  ignore?: true | undefined;
}

/** Who decodes the frames of a model. */
export interface SourceDecoder {
  model: string;
  /** A maker's decoder, JavaScript. */
  script?: string | undefined;
  /** Or a format of ours. */
  format?: "cayenne-lpp" | undefined;
  version?: string | undefined;
}

/** Which topics speak which format. */
export interface SourceEntry {
  topics?: string[] | undefined;
  format: string;
  device?:
    | { level?: number | undefined; field?: string | undefined; identifier?: string | undefined }
    | undefined;
  timeZone?: string | undefined;
  decoders?: SourceDecoder[] | undefined;
  map: SourceMapping[];
}

/** What a reader of the registry may ask. All answers are snapshots, in memory. */
export interface RegistryView {
  readonly city: { name: string; timeZone: string; language: "pl" | "en" };
  device(id: string): DeviceEntry | undefined;
  devices(): DeviceEntry[];
  /** The device that is called so elsewhere, however a hexadecimal identifier is written. */
  byIdentifier(scheme: string, text: string): DeviceEntry | undefined;
  /** The city's sources in their order; the same list until it changes. */
  sources(): readonly SourceEntry[];
  place(id: string): PlaceEntry | undefined;
  places(): PlaceEntry[];
  /** Ids of the devices at a place or below it. */
  devicesAt(place: string): string[];
}
