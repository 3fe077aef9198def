import type { OnTorn } from "./torn-log.js";

/** What the embedded history is opened with. Functions answer from memory and are asked often. */
export interface HistoryOptions {
  /** Data folder: holds `history.duckdb` and `history/`. */
  dir: string;
  /** IANA zone whose local days are sealed and accounted for. */
  timeZone: string;
  /** How many days rows of a device class are kept; Infinity for ever. Undefined class: a device no longer registered. */
  retention(deviceClass: string | undefined): number;
  classOf(device: string): string | undefined;
  unitOf(quantity: string): string;
  /** Registered devices: a silent one has missing slots too. */
  devices(): readonly string[];
  /** Reporting interval, milliseconds. */
  everyMsOf(device: string): number | undefined;
  /** Since when a device is expected to report: when it entered the registry, or its service began; epoch milliseconds. */
  sinceMsOf(device: string): number | undefined;
  /** Until when it is; for ever unless told. */
  untilMsOf?(device: string): number | undefined;
  clock(): number;
  /** A value received longer than this after its time is late. */
  lateAfterMs: number;
  /** How far ahead of the clock a value may be; 5 minutes unless told. */
  futureSkewMs?: number;
  /** Local days kept in the hot table after they ended; 2 unless told. */
  hotDays?: number;
  /** Longest that a consumer that has fallen behind may keep a day from being sealed, in days; 30 unless told. */
  holdDays?: number;
  /** Days that quarantined entries are kept; for ever unless told. */
  quarantineDays?: number;
  /** Told when a power cut has torn the end of the database's log, and it was cut. */
  onTorn?: OnTorn;
  /** As DuckDB writes it; "100MB" unless told. */
  memoryLimit?: string;
}
