import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ObiegError } from "../../devices/index.js";
import { type HistoryCore, dayMs } from "./core.js";
import { checkDays, readDays, type SealedDay } from "./days.js";
import { compactLedger } from "./ledger-table.js";
import { Lock } from "./lock.js";
import type { HistoryStatus, MaintenanceReport } from "./port.js";
import { removeFile, sealDay } from "./seal.js";
import { namedFault, type SealOrder } from "./seal-order.js";
import { literals, numberOf, rowsOf, textOf } from "./sql.js";
import { Workshop } from "./workshop.js";
import type { LocalDay } from "./zone.js";

const sealedName = /^(\d{4}-\d{2}-\d{2})\.r(\d+)\.parquet$/;
const checkedARun = 20;

/** One run of upkeep: what it works on, and what became of it. */
interface Run {
  nowMs: number;
  /** Sealed days as they stand by now. */
  sealed: Map<string, SealedDay>;
  report: MaintenanceReport;
  /** What was wrong with the first day that couldn't be made. */
  fault: Error | undefined;
}

/** Seals days that have ended, reseals what late data touched, ends retention, folds partial sums. One run at a time. */
export class Upkeep {
  readonly #core: HistoryCore;
  readonly #workshop: Workshop;
  readonly #running = new Lock();
  readonly #holds = new Map<string, number>();
  #superseded: string[] = [];
  #checkFrom = 0;
  #fault: HistoryStatus["upkeep"];

  constructor(core: HistoryCore) {
    this.#core = core;
    this.#workshop = new Workshop(core);
  }

  /** Rows above a consumer's sequence stay hot (and readable by `after`) until it has passed them, at most `holdDays` from their receipt. */
  hold(consumer: string, sequence: number): void {
    this.#holds.set(consumer, sequence);
  }

  /** Runs `body` when no upkeep is under way, and holds upkeep off meanwhile. */
  exclusive<T>(body: () => Promise<T>): Promise<T> {
    return this.#running.run(body);
  }

  /** Why the last run didn't do all that was due; undefined when it did. */
  get fault(): HistoryStatus["upkeep"] {
    return this.#fault;
  }

  /**
   * Does what is due at `nowMs`. `lastSequence`: of the last committed value.
   * A day that can't be made stays as it is and keeps nothing else from being done; what was wrong with the first is thrown at the end.
   */
  async run(nowMs: number, lastSequence: () => number): Promise<MaintenanceReport> {
    const { database } = this.#core;
    const body = async (): Promise<MaintenanceReport> => {
      await database.write(compactLedger, database.keeper);
      const sealed = new Map((await readDays(database.keeper)).map((day) => [day.day, day]));
      const report = { sealedDays: [], resealedDays: [], expiredRows: 0 };
      const run: Run = { nowMs, sealed, report, fault: undefined };
      await this.#seal(run, lastSequence);
      await this.#expire(run);
      await this.#forgetQuarantine(nowMs);
      await this.#checkSome([...sealed.values()]);
      await this.#clean();
      if (run.fault) throw run.fault;
      return report;
    };
    try {
      const report = await this.exclusive(() => database.using(body).finally(() => this.#workshop.close()));
      this.#fault = undefined;
      return report;
    } catch (error) {
      const code = error instanceof ObiegError ? error.code : "history-upkeep";
      this.#fault = { code, message: (error as Error).message };
      throw error;
    }
  }

  /**
   * Removes what a crash has left: unfinished files, and revisions that no manifest names though the day's rows stand elsewhere.
   * A file that may be the only place of its rows is never touched. Throws `history-time-zone`.
   */
  async tidy(): Promise<void> {
    this.#workshop.close();
    const { database, options, zone } = this.#core;
    const days = await readDays(database.keeper);
    checkDays(days, zone);
    const named = new Set(days.map((day) => join(options.dir, day.file)));
    await this.#tidyChecksums(named);
    const standing = new Set(days.map((day) => day.day));
    for (const path of sealedFilesIn(join(options.dir, "history"))) {
      if (named.has(path)) continue;
      const name = sealedNameOf(path);
      if (name && !standing.has(name.day)) {
        const { fromMs, toMs } = zone.day(name.day);
        const [row] = await rowsOf(
          database.keeper,
          `select count(*)::double as n from readings where "time" >= ${fromMs} and "time" < ${toMs}`,
        );
        if (numberOf(row?.["n"]) === 0) continue;
      }
      await removeFile(path);
    }
  }

  /** Removes checksums whose file a crash has kept from being. A file that is gone but named keeps its checksum. */
  async #tidyChecksums(named: ReadonlySet<string>): Promise<void> {
    for (const path of sealedFilesIn(join(this.#core.options.dir, "history"), ".sha256")) {
      const file = path.slice(0, -".sha256".length);
      if (!named.has(file) && !existsSync(file)) await removeFile(file);
    }
  }

  /** Seals the days that are due; what is committed meanwhile waits for the next run, as it may be ahead of a consumer. */
  async #seal(run: Run, lastSequence: () => number): Promise<void> {
    const { sealed, nowMs, report } = run;
    const upTo = lastSequence();
    for (const day of await this.#dueDays(nowMs, upTo)) {
      const former = sealed.get(day.day);
      if (former && (await this.#core.files.check(former))) continue;
      const expired = await this.#expiredDevices(day, nowMs);
      const order = { day, former, upTo, expired, table: "readings", demo: former?.demo ?? false };
      if (!(await this.#make(run, order))) continue;
      if (sealed.has(day.day)) (former ? report.resealedDays : report.sealedDays).push(day.day);
    }
  }

  /** Makes the file of a day, which takes the place of the former one. False when it can't be: the day stays as it is. */
  async #make(run: Run, order: SealOrder): Promise<boolean> {
    const { day, former } = order;
    try {
      const { sealed, expiredRows } = await sealDay(this.#core, this.#workshop, order);
      run.report.expiredRows += expiredRows;
      if (former) this.#superseded.push(this.#core.files.pathOf(former));
      if (sealed) run.sealed.set(day.day, sealed);
      else run.sealed.delete(day.day);
      return true;
    } catch (error) {
      run.fault ??= namedFault(order, error as Error);
      return false;
    }
  }

  /** Days that have ended, and hold hot rows up to that sequence for which no consumer waits. */
  async #dueDays(nowMs: number, upTo: number): Promise<LocalDay[]> {
    const { database, zone, options } = this.#core;
    const before = sealedBefore(this.#core, nowMs);
    const held = Math.min(Number.MAX_SAFE_INTEGER, ...this.#holds.values());
    const rows = await database.keep((connection) =>
      rowsOf(
        connection,
        `select ("time" // 900000 * 900000)::double as t, (min(received) filter (where sequence > ${held}))::double as r from readings where "time" < ${before} and sequence <= ${upTo} group by 1 order by 1`,
      ),
    );
    /** Days by name, each with the first receipt of what a consumer waits for; infinite when none does. */
    const ended = new Map<string, { day: LocalDay; waitsSinceMs: number }>();
    for (const row of rows) {
      const day = zone.at(numberOf(row["t"]));
      const sinceMs = row["r"] === null ? Number.POSITIVE_INFINITY : numberOf(row["r"]);
      const waitsSinceMs = Math.min(ended.get(day.day)?.waitsSinceMs ?? sinceMs, sinceMs);
      ended.set(day.day, { day, waitsSinceMs });
    }
    const lapsedMs = nowMs - options.holdDays * dayMs;
    return [...ended.values()]
      .filter(({ waitsSinceMs }) => waitsSinceMs === Number.POSITIVE_INFINITY || waitsSinceMs < lapsedMs)
      .map(({ day }) => day);
  }

  async #expiredDevices(day: LocalDay, nowMs: number): Promise<string[]> {
    const { options, series } = this.#core;
    const devices = new Set([...series.all()].map(({ device }) => device));
    return [...devices].filter(
      (device) => day.toMs <= nowMs - options.retention(options.classOf(device)) * dayMs,
    );
  }

  /** Rewrites sealed days without the rows whose retention has ended. */
  async #expire(run: Run): Promise<void> {
    const { database, zone } = this.#core;
    for (const former of run.sealed.values()) {
      const day = zone.day(former.day);
      const expired = await this.#expiredDevices(day, run.nowMs);
      if (expired.length === 0) continue;
      const [row] = await rowsOf(
        database.keeper,
        `select count(*)::integer as n from day_devices where day = '${former.day}' and rows > 0 and device in ${literals(expired)}`,
      );
      if (numberOf(row?.["n"]) === 0 || (await this.#core.files.check(former))) continue;
      const order = { day, former, upTo: -1, expired, table: "readings", demo: former.demo };
      await this.#make(run, order);
    }
  }

  async #forgetQuarantine(nowMs: number): Promise<void> {
    const { database, options } = this.#core;
    if (!Number.isFinite(options.quarantineDays)) return;
    await database.write(async (connection) => {
      await connection.run(
        `delete from quarantine where received < ${nowMs - options.quarantineDays * dayMs}`,
      );
      await connection.run(
        "delete from quarantine_raw where message not in (select message from quarantine)",
      );
    }, database.keeper);
  }

  /** Reads some sealed files again each time, so that silent damage is found within a while. */
  async #checkSome(days: readonly SealedDay[]): Promise<void> {
    for (let i = 0; i < Math.min(checkedARun, days.length); i += 1) {
      const day = days[(this.#checkFrom + i) % days.length];
      if (day) await this.#core.files.check(day, true);
    }
    this.#checkFrom += checkedARun;
  }

  /** Removes superseded revisions once nobody reads a snapshot that may name them. */
  async #clean(): Promise<void> {
    if (this.#core.database.reading > 0) return;
    const files = this.#superseded;
    this.#superseded = [];
    for (const file of files) await removeFile(file);
  }
}

/** Days that end at or before this instant are due for sealing: `hotDays` after their end. */
export function sealedBefore({ zone, options }: HistoryCore, nowMs: number): number {
  return zone.at(zone.at(nowMs).fromMs - options.hotDays * dayMs - dayMs / 2).toMs;
}

/** Paths of all sealed files (and unfinished ones) under the folder. */
export function sealedFilesIn(history: string, suffix = ""): string[] {
  if (!existsSync(history)) return [];
  return readdirSync(history, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(`.parquet${suffix}`) || name.endsWith(`.parquet.tmp${suffix}`))
    .map((name) => join(history, name));
}

/** Day and revision that a sealed file's name tells; undefined for other names. */
export function sealedNameOf(path: string): { day: string; revision: number } | undefined {
  const match = sealedName.exec(path.slice(path.lastIndexOf("/") + 1));
  return match ? { day: textOf(match[1]), revision: Number(match[2]) } : undefined;
}
