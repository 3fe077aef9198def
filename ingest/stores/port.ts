import type { Value } from "../../devices/index.js";
import type { LedgerAccount, LedgerDelta, LedgerQuery, LedgerTotals } from "./account.js";

export type { LedgerAccount, LedgerDelta, LedgerQuery, LedgerTotals } from "./account.js";
export type { StateStore } from "./state.js";

/**
 * What identity says of a value: new, the same again, or the same identity with another number.
 * `restored`, only while a history is rebuilt: it stands in a sealed day already, where this very message had brought it.
 */
export type Verdict = "stored" | "duplicate" | "conflict" | "restored";

/** A value with its verdict and its place in the order of storing. */
export interface IdentifiedValue extends Omit<Value, "path"> {
  verdict: Verdict;
  /** Older than the series' newest value, or received more than `limits.lateAfter` after its time. */
  late: boolean;
  receivedMs: number;
  /** Journal sequence of the message that brought it. */
  message: number;
  /** Order of storing, from 1, without gaps among stored values; 0 unless stored. Sinks and rules read forward by it. */
  sequence: number;
}

/** Values of one batch, on their way into history: gathered, then judged by `identify`, then stored by `commit`. */
export interface Values extends Iterable<IdentifiedValue> {
  readonly count: number;
  /** `receivedMs` and `message`: when the message that brought it came, and its journal sequence. */
  add(value: Value, receivedMs: number, message: number): void;
}

/** The values of a quantity of a device with the same attributes. */
export interface SeriesName {
  readonly device: string;
  readonly quantity: string;
  readonly attributes: string;
}

/** Stored values read back, in the order of storing. Row `i` of each column belongs together; times in epoch milliseconds. */
export interface StoredValues extends Iterable<IdentifiedValue> {
  readonly count: number;
  /** Of the last row; 0 when there is none. */
  readonly lastSequence: number;
  readonly series: readonly SeriesName[];
  readonly timeMs: Float64Array;
  readonly value: Float64Array;
  at(row: number): IdentifiedValue;
}

/** One thing that couldn't be taken. A message has at most one entry a reason; `paths` says where. */
export interface QuarantineEntry {
  /** `{journal sequence}-{n}` */
  id: string;
  message: number;
  receivedMs: number;
  device: string;
  user: string;
  topic: string;
  payload: Uint8Array;
  /** True: nothing of the message was taken. False: only the fields at `paths`. */
  whole: boolean;
  reason: string;
  /** JSON pointers of the fields at fault (all of them: a replay takes these and no others). */
  paths: string[];
  /** Values it stands for: 0 for a whole message, else how many fields. */
  count: number;
  detail: string;
  status: "open" | "replayed" | "dismissed";
  /** When its status last changed and who asked, epoch ms. */
  changedMs?: number;
  changedBy?: string;
}

/** One transaction of the pipeline. */
export interface HistoryBatch {
  /** Journal sequence up to which everything is accounted for; unchanged (the current one) for a replay. */
  position: number;
  /** Identified ones; those stored and those in conflict are kept (duplicates are only counted, in `ledger`). */
  values?: Values;
  ledger: LedgerDelta[];
  quarantine: QuarantineEntry[];
  /** Entries whose status a replay or dismissal changes, in the same transaction. */
  resolved?: { id: string; status: "replayed" | "dismissed"; by: string; atMs: number }[];
  /** Called while the batch is on its way to the disk, for what else there is to do; must not throw. */
  meanwhile?: (() => void) | undefined;
}

/** A stored reading as it is read back. */
export interface StoredReading {
  device: string;
  quantity: string;
  unit: string;
  timeMs: number;
  value: number;
  attributes: Record<string, string>;
  receivedMs: number;
  /** Order of storing; undefined once its day is sealed. */
  sequence: number | undefined;
}

/** Half-open range of event time, epoch milliseconds. */
export interface TimeRange {
  fromMs: number;
  toMs: number;
}

/** A page of a list; `next` is an opaque cursor, undefined at the end. */
export interface Page<T> {
  items: T[];
  next: string | undefined;
}

export interface ReadingsQuery extends Partial<TimeRange> {
  devices?: string[];
  quantity?: string;
  limit: number;
  cursor?: string;
}

/** A device's counter in a range; either end may be infinite. */
export interface CounterQuery extends TimeRange {
  device: string;
  quantity: string;
  limit: number;
}

/** What a counter showed. */
export interface CounterValue {
  timeMs: number;
  value: number;
  receivedMs: number;
}

/** A page of them; `nextMs` is where the next one begins, undefined at the end. */
export interface CounterPage {
  items: CounterValue[];
  nextMs: number | undefined;
}

export interface SeriesQuery extends TimeRange {
  devices: string[];
  quantity: string;
  /** Milliseconds, or a calendar step in local time. */
  step: number | "hour" | "day" | "week" | "month" | "year";
  timeZone: string;
}

export interface SeriesPoint {
  fromMs: number;
  toMs: number;
  count: number;
  expected: number | undefined;
  min: number;
  mean: number;
  max: number;
  last: number;
}

/** Which names are asked for; `device`: this one alone. */
export interface NamesQuery {
  reason: string;
  device?: string;
  limit: number;
  cursor?: string;
}

/** A name with what is open under it. Times of receipt, epoch milliseconds. */
export interface QuarantinedName {
  device: string;
  messages: number;
  firstMs: number;
  lastMs: number;
  /** Its newest messages, newest first, at most three. */
  newest: Pick<QuarantineEntry, "message" | "receivedMs" | "user" | "topic" | "payload">[];
}

export interface QuarantineQuery extends Partial<TimeRange> {
  reason?: string;
  device?: string;
  /** One of these. */
  devices?: readonly string[];
  status?: QuarantineEntry["status"];
  id?: string;
  limit: number;
  cursor?: string;
}

/**
 * Port of the embedded history.
 * Guarantee: `commit` is one durable transaction of rows, rollups, ledger, quarantine and journal position; after it resolves they are queryable.
 */
export interface History {
  /** Journal sequence of the last committed batch; 0 at first. */
  readonly position: number;
  /** Sequence of the last stored value; 0 at first. */
  readonly lastSequence: number;
  /** True until its first commit or {@link beginRebuild}: it holds nothing but the sealed days that lay in its folder. */
  readonly isNew: boolean;
  /** Last message of the journal's past that is being read again, or was; 0 when none was. */
  readonly rebuildUntil: number;
  /**
   * Lets a new history be made again from the journal's past, up to message `untilMessage`. Values are numbered after `afterSequence`,
   * so that consumers that had come so far go on. What a sealed day holds of a message is known again (verdict `restored`).
   */
  beginRebuild(afterSequence: number, untilMessage: number): Promise<void>;
  /** An empty batch, to be filled by `add`. */
  gather(): Values;
  /** Takes back a batch that nobody looks at any more, so that its columns serve the next one. */
  release(values: Values): void;
  /** Judges gathered values in order, against history and each other, and numbers the stored ones. Must be followed by `commit` of the same, or `forget`. */
  identify(values: Values): Promise<void>;
  /** Drops what `identify` remembered of a batch that wasn't committed, and brings history back if it must. What was gathered before is to be gathered anew. */
  forget(): Promise<void>;
  commit(batch: HistoryBatch): Promise<void>;
  /** Stored values with sequence above `after`, oldest first, whole messages, at most about `limit`. For sinks and for rules after a crash. */
  after(sequence: number, limit: number): Promise<StoredValues>;
  readings(query: ReadingsQuery): Promise<Page<StoredReading>>;
  series(query: SeriesQuery): Promise<SeriesPoint[]>;
  /** What a counter showed, oldest first: about `limit` values. */
  counter(query: CounterQuery): Promise<CounterPage>;
  /** The newest value of each quantity of each device; one that lies ahead, by a clock that was mended, only where there is no other. */
  latest(devices?: string[]): Promise<StoredReading[]>;
  /** When the newest value of each device was received, epoch milliseconds; none that lies ahead. */
  heard(): Promise<Map<string, number>>;
  /** A page of accounts, ordered by day and device. Throws `bad-cursor`. */
  ledger(query: LedgerQuery): Promise<Page<LedgerAccount>>;
  /** What all accounts of a local day come to. */
  ledgerTotals(day: string): Promise<LedgerTotals>;
  quarantine(query: QuarantineQuery): Promise<Page<QuarantineEntry>>;
  /** Names under which open entries of a reason stand, the one heard last first. Throws `bad-cursor`. */
  quarantinedNames(query: NamesQuery): Promise<Page<QuarantinedName>>;
  /** Seals, reseals, compacts, applies retention; called on a clock and by tests. Reports what it did. */
  maintain(nowMs: number): Promise<MaintenanceReport>;
  /** Consumers that must have passed a sequence before its rows are sealed. */
  holdFor(consumer: string, sequence: number): void;
  /** Copies a consistent image into an empty folder while running. */
  backup(dir: string): Promise<void>;
  status(): Promise<HistoryStatus>;
  /** Why the last upkeep didn't do all that was due; undefined when it did. */
  readonly upkeepFault: HistoryStatus["upkeep"];
  close(): Promise<void>;
}

export interface MaintenanceReport {
  sealedDays: string[];
  resealedDays: string[];
  expiredRows: number;
}

export interface HistoryStatus {
  hotRows: number;
  sealedDays: number;
  sealedBytes: number;
  /** Damaged or missing sealed days, named with file and remedy. */
  faults: { file: string; code: string; message: string }[];
  /** Why the last upkeep didn't do all that was due (a day that can't be sealed is named); undefined when it did. */
  upkeep?: { code: string; message: string } | undefined;
}

/** A value that a sink's server refused, with its words. */
export interface OffendingValue {
  sequence: number;
  device: string;
  quantity: string;
  timeMs: number;
  value: number;
  /** What the server answered: at most 300 characters after its status. */
  words: string;
  /** When it was passed over, epoch milliseconds. */
  atMs: number;
}

/** A store that is fed from history and keeps its own position. */
export interface Sink {
  readonly name: string;
  start(): void;
  /** How it stands: its position, lag in values, and why it waits. */
  readonly status: {
    position: number;
    lag: number;
    written: number;
    offended: number;
    fault: string | undefined;
  };
  /** Told after each commit, so that it needn't poll. */
  wake(lastSequence: number): void;
  /** The values that the server refused, newest first; the last 1,000 are kept. Throws `bad-cursor`. */
  offenders(query: { limit: number; cursor?: string }): Page<OffendingValue>;
  stop(): Promise<void>;
}
