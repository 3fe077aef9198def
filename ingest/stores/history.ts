import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ObiegError } from "../../devices/index.js";
import { adoptSealed } from "./adopt.js";
import { backUp } from "./backup.js";
import { type BulkRun, loadBulk } from "./bulk.js";
import type { HistoryCore } from "./core.js";
import { broughtBack, Database } from "./database.js";
import { readCounter } from "./counter-query.js";
import { readDays, SealedFiles } from "./days.js";
import { readAfter } from "./forward.js";
import { findStored } from "./found.js";
import { appendRows, appendSeries } from "./hot.js";
import { type Asked, type Found, Identity } from "./identity.js";
import { readHeard, readLatest } from "./latest.js";
import { readAccounts, readTotals } from "./ledger-query.js";
import { appendLedger, compactLedger, countPartial } from "./ledger-table.js";
import { Lock } from "./lock.js";
import type { HistoryOptions } from "./options.js";
import type {
  CounterPage,
  CounterQuery,
  History,
  HistoryBatch,
  HistoryStatus,
  LedgerAccount,
  LedgerQuery,
  LedgerTotals,
  MaintenanceReport,
  NamesQuery,
  Page,
  QuarantinedName,
  QuarantineEntry,
  QuarantineQuery,
  ReadingsQuery,
  SeriesPoint,
  SeriesQuery,
  StoredReading,
  StoredValues,
} from "./port.js";
import { readNames } from "./quarantine-names.js";
import { readQuarantine, writeQuarantine } from "./quarantine-table.js";
import { readConflicts, readReadings } from "./readings-query.js";
import { prepareSchema, readMeta, undecided } from "./schema.js";
import { readSeries } from "./series-query.js";
import { SeriesTable } from "./series-table.js";
import { numberOf, rowsOf } from "./sql.js";
import { Upkeep } from "./upkeep.js";
import { ValueColumns } from "./values.js";
import { Zone } from "./zone.js";

const compactAfterRows = 200_000;
/** Batches whose columns are kept for the next: one is being stored while another is understood. */
const spareBatches = 2;

/** The embedded history: recent days in DuckDB, sealed days as Parquet, read as one. */
export class EmbeddedHistory implements History {
  readonly #core: HistoryCore;
  readonly #upkeep: Upkeep;
  readonly #writing = new Lock();
  #identity: Identity;
  #position = 0;
  readonly #spare: ValueColumns[] = [];
  #ledgerRows = 0;
  /** As `rebuild_until` stands in the database. */
  #rebuildUntil = 0;
  /** True while memory may not be what the database holds: series made meanwhile would take ids of others. */
  #mustLoad = true;

  private constructor(core: HistoryCore, identity: Identity) {
    this.#core = core;
    this.#upkeep = new Upkeep(core);
    this.#identity = identity;
  }

  /** Use {@link openHistory}. */
  static async open(core: HistoryCore): Promise<EmbeddedHistory> {
    const history = new EmbeddedHistory(core, new Identity(async () => new Map(), 0, 0));
    await prepareSchema(core.database.keeper);
    await history.#load();
    if (history.isNew) await adoptSealed(core);
    await history.#upkeep.tidy();
    return history;
  }

  get position(): number {
    return this.#position;
  }

  get isNew(): boolean {
    return this.#rebuildUntil === undecided;
  }

  get rebuildUntil(): number {
    return Math.max(0, this.#rebuildUntil);
  }

  beginRebuild(afterSequence: number, untilMessage: number): Promise<void> {
    return this.#writing.run(async () => {
      await this.#core.database.write(async (connection) => {
        await connection.run(`update meta set value = ${afterSequence} where key = 'last_sequence'`);
        await connection.run(`update meta set value = ${untilMessage} where key = 'rebuild_until'`);
      });
      await this.#load();
    });
  }

  get lastSequence(): number {
    return this.#identity.lastSequence;
  }

  gather(): ValueColumns {
    return this.#spare.pop() ?? new ValueColumns(this.#core.series);
  }

  release(values: ValueColumns): void {
    values.clear();
    if (this.#spare.length < spareBatches) this.#spare.push(values);
  }

  identify(values: ValueColumns): Promise<void> {
    return this.#write(() => this.#identity.judge(values));
  }

  async forget(): Promise<void> {
    await this.#writing.run(async () => {
      if ((await this.#core.database.revive()) || this.#mustLoad) await this.#load();
      this.#identity.drop();
    });
  }

  commit(batch: HistoryBatch & { values?: ValueColumns }): Promise<void> {
    return this.#write(async () => {
      const { values = this.gather() } = batch;
      const stored = values.rowsOf("stored");
      const last = stored.at(-1);
      const lastSequence = last === undefined ? this.#identity.lastSequence : values.sequence[last];
      const unsaved = [...this.#core.series.unsaved];
      try {
        await this.#core.database.write(
          async (connection) => {
            await appendSeries(connection, unsaved);
            await appendRows(connection, "readings", values, stored);
            await appendRows(connection, "conflicts", values, values.rowsOf("conflict"));
            await appendLedger(connection, batch.ledger);
            const replaying = batch.position <= this.#position;
            await writeQuarantine(connection, batch.quarantine, batch.resolved, replaying);
            if (this.#ledgerRows > compactAfterRows) await compactLedger(connection);
            if (this.isNew) await connection.run("update meta set value = 0 where key = 'rebuild_until'");
            await connection.run(
              `update meta set value = case key when 'position' then ${batch.position} else ${lastSequence} end where key in ('position', 'last_sequence')`,
            );
          },
          undefined,
          batch.meanwhile,
        );
      } catch (cause) {
        throw new ObiegError(
          "history-commit",
          `the history can't be written: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause, retryable: true },
        );
      }
      this.#core.series.saved(unsaved.length);
      this.#ledgerRows = this.#ledgerRows > compactAfterRows ? 0 : this.#ledgerRows + batch.ledger.length;
      this.#identity.keep();
      this.#position = batch.position;
      if (this.isNew) this.#rebuildUntil = 0;
    });
  }

  after(sequence: number, limit: number): Promise<StoredValues> {
    const { database, series, options } = this.#core;
    return database.read((connection) => readAfter(connection, series, sequence, limit, options.lateAfterMs));
  }

  readings(query: ReadingsQuery): Promise<Page<StoredReading>> {
    return readReadings(this.#core, query);
  }

  series(query: SeriesQuery): Promise<SeriesPoint[]> {
    return readSeries(this.#core, query);
  }

  counter(query: CounterQuery): Promise<CounterPage> {
    return readCounter(this.#core, query);
  }

  latest(devices?: string[]): Promise<StoredReading[]> {
    return readLatest(this.#core, devices);
  }

  heard(): Promise<Map<string, number>> {
    return readHeard(this.#core);
  }

  ledger(query: LedgerQuery): Promise<Page<LedgerAccount>> {
    return readAccounts(this.#core, query);
  }

  ledgerTotals(day: string): Promise<LedgerTotals> {
    return readTotals(this.#core, day);
  }

  quarantine(query: QuarantineQuery): Promise<Page<QuarantineEntry>> {
    return this.#core.database.read((connection) => readQuarantine(connection, query));
  }

  quarantinedNames(query: NamesQuery): Promise<Page<QuarantinedName>> {
    return this.#core.database.read((connection) => readNames(connection, query));
  }

  async maintain(nowMs: number): Promise<MaintenanceReport> {
    const report = await this.#upkeep.run(nowMs, () => this.lastSequence);
    this.#ledgerRows = 0;
    return report;
  }

  holdFor(consumer: string, sequence: number): void {
    this.#upkeep.hold(consumer, sequence);
  }

  backup(dir: string): Promise<void> {
    return this.#upkeep.exclusive(() => this.#core.database.using(() => backUp(this.#core, dir)));
  }

  /**
   * Loads a made-up past (the demo's) straight into history, beside the journal: sealed days marked as demo, recent ones hot.
   * Its rows have no sequence: sinks and rules don't see them. Gives the number of rows.
   * Throws `bulk-overlap` when one of the days is sealed already.
   */
  bulkLoad(runs: AsyncIterable<BulkRun> | Iterable<BulkRun>): Promise<number> {
    const load = (): Promise<number> => this.#core.database.using(() => loadBulk(this.#core, runs));
    return this.#upkeep.exclusive(() => this.#write(load));
  }

  /** Values that came with another number for an identity already stored, oldest first, at most `limit`. */
  conflicts(query: { fromMs: number; toMs: number; limit: number }): Promise<StoredReading[]> {
    return readConflicts(this.#core, query);
  }

  async status(): Promise<HistoryStatus> {
    const { database, files } = this.#core;
    return database.read(async (connection) => {
      const days = await readDays(connection);
      const [row] = await rowsOf(connection, "select count(*)::double as n from readings");
      return {
        hotRows: numberOf(row?.["n"]),
        sealedDays: days.length,
        sealedBytes: days.reduce((sum, day) => sum + day.bytes, 0),
        faults: await files.faultsOf(days),
        upkeep: this.upkeepFault,
      };
    });
  }

  get upkeepFault(): HistoryStatus["upkeep"] {
    return this.#upkeep.fault;
  }

  async close(): Promise<void> {
    await this.#upkeep.exclusive(() => this.#writing.run(() => this.#core.database.close()));
  }

  /** Runs `body` alone. What was gathered while a load is owed has series of another table: it is refused until the next `forget`. */
  #write<T>(body: () => Promise<T>): Promise<T> {
    return this.#writing.run(async () => {
      if (this.#mustLoad) throw broughtBack();
      return body();
    });
  }

  /** Reads what memory holds of the database: series, their newest values, position and sequence. Owed until it succeeds. */
  async #load(): Promise<void> {
    this.#mustLoad = true;
    const { database, series, options } = this.#core;
    // On a reader's connection: a backup may be on the one for upkeep.
    const meta = await database.read(async (connection) => {
      this.#ledgerRows = await countPartial(connection);
      const found = await readMeta(connection);
      await series.load(connection);
      return found;
    });
    this.#position = meta.get("position") ?? 0;
    this.#rebuildUntil = meta.get("rebuild_until") ?? 0;
    const find = (asked: readonly Asked[]): Promise<Found> => findStored(this.#core, asked);
    this.#identity = new Identity(
      find,
      options.lateAfterMs,
      meta.get("last_sequence") ?? 0,
      this.#rebuildUntil,
    );
    this.#mustLoad = false;
  }
}

/**
 * Opens the embedded history in a data folder, making it when the folder is new.
 * Throws `history-open` (damaged or in use), `history-format` (written by a newer version), `history-time-zone` (its days are another zone's).
 */
export async function openHistory(options: HistoryOptions): Promise<EmbeddedHistory> {
  mkdirSync(join(options.dir, "history"), { recursive: true });
  const complete = {
    hotDays: 2,
    holdDays: 30,
    untilMsOf: () => undefined,
    quarantineDays: Number.POSITIVE_INFINITY,
    futureSkewMs: 300_000,
    memoryLimit: "100MB",
    onTorn: () => undefined,
    ...options,
  };
  const database = await Database.open(options.dir, complete.memoryLimit, complete.onTorn);
  try {
    return await EmbeddedHistory.open({
      database,
      series: new SeriesTable(),
      files: new SealedFiles(options.dir),
      zone: new Zone(options.timeZone),
      options: complete,
    });
  } catch (error) {
    await database.close();
    throw error;
  }
}
