import type {
  CityFile,
  CodecMark,
  DeviceEntry,
  ImportFile,
  ImportPlan,
  PlaceEntry,
  RegistryDiff,
  RegistryView,
} from "../devices/index.js";
import type { Alert, Alerts } from "./alerts/port.js";
import type { Meters } from "./metering.js";
import type { DecoderShelf } from "./decoders.js";
import type { Presence } from "./presence.js";
import type { History, IdentifiedValue, QuarantineEntry, Sink } from "./stores/port.js";
import type { UplinkFigures } from "./uplinks.js";
import type { Strangers } from "./strangers.js";
import type { UnmappedField } from "./unmapped-fields.js";

export { devicesOfModel, type DecoderShelf, type Waiting } from "./decoders.js";
export type { UplinkFigures } from "./uplinks.js";
export type { Presence } from "./presence.js";
export type { Alert, AlertQuery, DeliveryMark } from "./alerts/port.js";
export type {
  HistoryStatus,
  IdentifiedValue,
  LedgerAccount,
  OffendingValue,
  Page,
  QuarantineEntry,
  QuarantineQuery,
  ReadingsQuery,
  SeriesPoint,
  SeriesQuery,
  StoredReading,
  TimeRange,
} from "./stores/port.js";
export type { MeterEntry } from "./meter-entries.js";
export type { AmountPlace, AmountsQuery, MeterAmount, MeterNote, Meters, MeterSpan } from "./metering.js";
export type { Bucket as MeterStep, LifeEntry } from "./meters/index.js";
export type { StateStore } from "./stores/state.js";
export type { Adopted, Adoption, Stranger } from "./strangers.js";
export type { UnmappedField } from "./unmapped-fields.js";

/** A row of the vocabulary as it is shown; ranges in the canonical unit. */
export interface QuantityRow {
  name: string;
  /** Canonical unit, as it is shown. */
  unit: string;
  kind: "gauge" | "counter" | "amount" | "state";
  dimension: string;
  /** Plausible range; null where there is no bound. */
  min: number | null;
  max: number | null;
  /** Device classes that carry it. */
  classes: readonly string[];
}

/** What somebody gives to register a device. */
export type DeviceInput = Omit<DeviceEntry, "sinceMs">;

/** How a file of devices is imported. */
export interface ImportHow {
  /** Only tells what would change. */
  dryRun: boolean;
  /** Leaves out what is at fault, instead of everything. */
  skipFaulty: boolean;
}

/** How the registry is changed; durable when resolved. */
export interface RegistryChanges {
  /** Adds or replaces. Throws what the registry refuses, not retryable, saying what to write instead. */
  putDevice(entry: DeviceInput, who: string): Promise<DeviceEntry>;
  /** False when there is no such device. What it sent stays in history. */
  removeDevice(id: string, who: string): Promise<boolean>;
  /** Adds or replaces a place; removes one that nothing needs. Throw what the registry refuses. */
  putPlace(place: PlaceEntry, who: string): Promise<void>;
  removePlace(id: string, who: string): Promise<void>;
  /** Adds and changes the devices of a file, in one change: all of them or none, or with `skipFaulty` those without a fault. */
  importDevices(file: ImportFile, who: string, how: ImportHow): Promise<ImportPlan>;
  /** Makes the registry what the file says; with `dryRun` only tells what would change. */
  apply(city: CityFile, who: string, dryRun: boolean): Promise<RegistryDiff>;
  /** The registry as a `city.yaml`, secrets left as names. */
  exportCity(): string;
  /** Gives a user a new secret, told this once. Throws `user-not-found`. */
  rotateSecret(user: string, who: string): Promise<string>;
}

/** What a backup holds. */
export interface BackupReport {
  dir: string;
  files: number;
  bytes: number;
}

/** One publication that came in over HTTP. */
export interface PublishedMessage {
  topic: string;
  payload: Uint8Array;
  /** Who sent it: the name of the token or the user. */
  user: string;
  receivedMs: number;
}

/** Which quarantine entries to act on; the conditions given must all hold. At least one is given, only open entries are touched. */
export interface QuarantineSelection {
  ids?: readonly string[];
  reason?: string;
  device?: string;
  /** One of these. */
  devices?: readonly string[];
  /** Half-open range of `receivedMs`. */
  fromMs?: number;
  toMs?: number;
}

/** A cause why the service isn't ready, by code. */
export interface Reason {
  code: string;
  message: string;
}

/** How things stand now. Counts of `today` are of the city's local day. */
export interface OverviewFigures {
  demo: boolean;
  atMs: number;
  /** `alive`: heard within three reporting intervals. */
  devices: { total: number; alive: number };
  messagesPerSecond: number;
  today: { stored: number; quarantined: number; missing: number };
  openAlerts: number;
  journal: { bytes: number; maxBytes: number };
  /** Messages acknowledged and not yet processed. */
  pipelineLag: number;
  /** Sealed days whose file is damaged or missing, with what to do. */
  damagedDays: { file: string; message: string }[];
  /** Why the history's upkeep (sealing days, ending retention) failed last; undefined when it didn't. */
  upkeep: Reason | undefined;
}

/** Something that became durable a moment ago. */
export type LiveEvent =
  | { topic: "readings"; values: Iterable<IdentifiedValue> }
  | { topic: "quarantine"; entries: readonly QuarantineEntry[] }
  | { topic: "alerts"; alert: Alert }
  | { topic: "presence"; devices: readonly string[] };

/** All that the dashboards see and do. */
export interface IngestView {
  readonly history: Pick<
    History,
    "readings" | "series" | "latest" | "ledger" | "quarantine" | "status" | "after"
  >;
  readonly registry: RegistryView & { readonly changes?: RegistryChanges };
  /** LoRaWAN makers' decoders. */
  readonly codecs: DecoderShelf;
  /** Devices that send and aren't registered. */
  readonly strangers: Strangers;
  readonly meters: Meters;
  /** Fields of registered devices that nobody gave a quantity, with what they most likely mean; by format, device and field. */
  unmapped(): UnmappedField[];
  readonly alerts: Pick<Alerts, "list" | "get" | "acknowledge">;
  /** Stores that are fed from history. */
  readonly sinks: readonly Pick<Sink, "name" | "status" | "offenders">[];
  /** Whether a device is there by its own word; undefined when it never said. */
  presence(device: string): Presence | undefined;
  /** Frames of a LoRaWAN device; undefined when it never sent one with a counter. */
  uplinks(device: string): UplinkFigures | undefined;
  /** Whose decoder made a stored reading; undefined when none did. `receivedMs`: its time of receipt. */
  codecOf(device: string, quantity: string, receivedMs: number): CodecMark | undefined;
  quantities(): readonly QuantityRow[];
  /**
   * Hands a message to the journal; gives its sequence.
   * Throws `journal-full`, `journal-poisoned` (both retryable), `journal-closed`.
   * Guarantee: resolved means durable.
   */
  publish(message: PublishedMessage): Promise<number>;
  /** Sends entries through the pipeline once more. Idempotent. */
  replay(selection: QuarantineSelection, who: string): Promise<{ replayed: number; refused: number }>;
  /** Closes entries without taking them. */
  dismiss(selection: QuarantineSelection, who: string): Promise<{ dismissed: number }>;
  ready(): { ready: boolean; reasons: readonly Reason[] };
  /** Copies a consistent image of the data folder into an empty folder while running. Throws `backup-not-empty`, `backup-copy`, `sealed-day-damaged`. */
  backup(dir: string): Promise<BackupReport>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  overview(): Promise<OverviewFigures>;
  /** Calls `listener` in the order of commits, until the returned function is called. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
}
