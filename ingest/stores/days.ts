import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import type { HistoryStatus } from "./port.js";
import { numberOf, rowsOf, textOf } from "./sql.js";
import type { Zone } from "./zone.js";

/** A sealed day as the manifest holds it. */
export interface SealedDay {
  day: string;
  revision: number;
  /** Relative to the data folder. */
  file: string;
  rows: number;
  bytes: number;
  sha256: string;
  /** Half-open range of the local day, epoch milliseconds. */
  fromMs: number;
  toMs: number;
  demo: boolean;
}

/** A fault of a sealed file, with what to do. */
export type SealedFault = HistoryStatus["faults"][number];

const columns = `day, revision, file, rows::double as "rows", bytes::double as bytes, sha256, start::double as start, until::double as until, demo`;

/** Reads the manifest: the sealed days that touch a range of event time, oldest first. */
export async function readDays(
  connection: DuckDBConnection,
  fromMs = Number.NEGATIVE_INFINITY,
  toMs = Number.POSITIVE_INFINITY,
): Promise<SealedDay[]> {
  const where = [
    ...(Number.isFinite(fromMs) ? [`until > ${fromMs}`] : []),
    ...(Number.isFinite(toMs) ? [`start < ${toMs}`] : []),
  ];
  const rows = await rowsOf(
    connection,
    `select ${columns} from days ${where.length > 0 ? `where ${where.join(" and ")}` : ""} order by start`,
  );
  return rows.map((row) => ({
    day: textOf(row["day"]),
    revision: numberOf(row["revision"]),
    file: textOf(row["file"]),
    rows: numberOf(row["rows"]),
    bytes: numberOf(row["bytes"]),
    sha256: textOf(row["sha256"]),
    fromMs: numberOf(row["start"]),
    toMs: numberOf(row["until"]),
    demo: row["demo"] === true,
  }));
}

/**
 * Makes sure that days were sealed in this zone, or in one with the same days.
 * Throws `history-time-zone` when none of them begins as it does there.
 */
export function checkDays(days: readonly SealedDay[], zone: Zone): void {
  const [first] = days;
  if (!first || days.some(({ day, fromMs }) => zone.day(day).fromMs === fromMs)) return;
  const began = new Date(first.fromMs).toISOString();
  throw new ObiegError(
    "history-time-zone",
    `none of the ${days.length} sealed days was sealed in the time zone ${zone.name} (${first.day} begins at ${began}): start with a city file (--city) whose city.timeZone is the one that they were sealed in`,
  );
}

/** SHA-256 of a file, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}

/**
 * Looks after the sealed files: each is checked against the manifest's checksum before its first use, and again when it changed on disk.
 * Guarantee: a damaged or missing file is never read as if it were whole.
 */
export class SealedFiles {
  readonly #dir: string;
  readonly #checked = new Map<string, string>();
  readonly #faults = new Map<string, SealedFault>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  pathOf(day: SealedDay): string {
    return join(this.#dir, day.file);
  }

  /** Paths of whole files. Throws `sealed-day-damaged` naming the first that isn't. */
  async require(days: readonly SealedDay[]): Promise<string[]> {
    for (const day of days) {
      const fault = await this.check(day);
      if (fault)
        throw new ObiegError(fault.code, fault.message, { detail: { file: fault.file, day: day.day } });
    }
    return days.map((day) => this.pathOf(day));
  }

  /** The days whose files are whole; the others become faults. */
  async whole(days: readonly SealedDay[]): Promise<SealedDay[]> {
    const whole: SealedDay[] = [];
    for (const day of days) if (!(await this.check(day))) whole.push(day);
    return whole;
  }

  /** Checks one day's file; `thorough` reads it again even when it looks unchanged. */
  async check(day: SealedDay, thorough = false): Promise<SealedFault | undefined> {
    const path = this.pathOf(day);
    const found = await stat(path).catch(() => undefined);
    if (!found) return this.#fault(day, "is missing");
    const mark = `${day.sha256} ${found.size} ${found.mtimeMs}`;
    if (thorough || this.#checked.get(day.file) !== mark) {
      if (found.size !== day.bytes)
        return this.#fault(day, `has ${found.size} bytes instead of ${day.bytes}`);
      const sha256 = await sha256Of(path).catch((error: unknown) => String(error));
      if (sha256 !== day.sha256) return this.#fault(day, "doesn't match its checksum");
      this.#checked.set(day.file, mark);
    }
    this.#faults.delete(day.file);
    return undefined;
  }

  /** Says that a file was written or checked just now. */
  async trust(day: SealedDay): Promise<void> {
    const found = await stat(this.pathOf(day));
    this.#checked.set(day.file, `${day.sha256} ${found.size} ${found.mtimeMs}`);
  }

  /** The faults among the given days: size and presence of all, and what reading has found. */
  async faultsOf(days: readonly SealedDay[]): Promise<SealedFault[]> {
    for (const day of days) {
      const found = await stat(this.pathOf(day)).catch(() => undefined);
      if (this.#faults.has(day.file) || found?.size !== day.bytes) await this.check(day);
    }
    const current = new Set(days.map((day) => day.file));
    return [...this.#faults.values()].filter((fault) => current.has(fault.file));
  }

  #fault(day: SealedDay, what: string): SealedFault {
    const fault: SealedFault = {
      file: day.file,
      code: "sealed-day-damaged",
      message: `${day.file} ${what}: take it from a backup (obieg history restore --from BACKUP), or make it again from the archive (obieg history rebuild); until then queries that need ${day.day} are refused`,
    };
    this.#faults.set(day.file, fault);
    return fault;
  }
}
