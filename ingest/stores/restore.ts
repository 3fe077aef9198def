import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { mkdir } from "node:fs/promises";
import { ObiegError } from "../../devices/index.js";
import { checksumFile, checksumOf } from "./checksum.js";
import { sha256Of } from "./days.js";
import { sync } from "./seal.js";
import { sealedFilesIn, sealedNameOf } from "./upkeep.js";

/** A sealed day of a folder, by its files alone. */
export interface SealedFile {
  /** Relative to the data folder. */
  file: string;
  day: string;
  /** What is wrong with it; undefined: it is what its checksum says. */
  fault: "damaged" | "missing" | "without-checksum" | undefined;
}

/** Reads every sealed day of a data folder and compares it with the checksum beside it. Changes nothing. */
export async function verifySealed(dir: string): Promise<SealedFile[]> {
  const found: SealedFile[] = [];
  for (const path of sealedPaths(dir)) {
    const day = sealedNameOf(path)?.day ?? "";
    found.push({ file: relative(dir, path), day, fault: await faultOf(path) });
  }
  return found;
}

/** Sealed days by their names and by their checksums' names: a file may be gone and its checksum left. */
function sealedPaths(dir: string): string[] {
  const history = join(dir, "history");
  const named = sealedFilesIn(history, ".sha256").map((path) => path.slice(0, -".sha256".length));
  return [...new Set([...sealedFilesIn(history), ...named])].filter((path) => sealedNameOf(path)).sort();
}

async function faultOf(path: string): Promise<SealedFile["fault"]> {
  if (!existsSync(path)) return "missing";
  const wanted = checksumOf(path);
  if (wanted === undefined) return "without-checksum";
  return (await sha256Of(path)) === wanted ? undefined : "damaged";
}

/** What was brought back, and what wasn't in the backup as it should be. */
export interface RestoreReport {
  restored: string[];
  missing: string[];
}

/**
 * Brings damaged and missing sealed days back from a backup; also beside a running service, which reads them at once.
 * Throws `backup-unreadable` when the folder holds no sealed days. Guarantee: a file is replaced only by one with the right checksum.
 */
export async function restoreSealed(dir: string, backup: string): Promise<RestoreReport> {
  if (!existsSync(join(backup, "history")))
    throw new ObiegError(
      "backup-unreadable",
      `${join(backup, "history")} isn't there: name a folder that obieg backup made`,
    );
  const report: RestoreReport = { restored: [], missing: [] };
  const here = await verifySealed(dir);
  const days = new Set(here.map(({ day }) => day));
  const gone = (await verifySealed(backup)).filter(({ day, fault }) => fault === undefined && !days.has(day));
  for (const { file, fault } of [...here, ...gone]) {
    const isGone = !here.some((one) => one.file === file);
    if (!isGone && fault !== "damaged" && fault !== "missing") continue;
    const source = join(backup, file);
    const target = join(dir, file);
    const wanted = checksumOf(target) ?? checksumOf(source);
    if (!existsSync(source) || (await sha256Of(source)) !== wanted) {
      report.missing.push(file);
      continue;
    }
    await mkdir(dirname(target), { recursive: true });
    copyFileSync(source, `${target}.restoring`);
    await sync(`${target}.restoring`);
    copyFileSync(checksumFile(source), checksumFile(target));
    renameSync(`${target}.restoring`, target);
    await sync(dirname(target));
    report.restored.push(file);
  }
  return report;
}

/** Puts `history.duckdb` out of the way, so that the next start makes it again. Gives where it stands now, nothing when there was none. */
export function setHistoryAside(dir: string): string[] {
  const kept: string[] = [];
  for (const name of ["history.duckdb", "history.duckdb.wal"]) {
    const path = join(dir, name);
    if (!existsSync(path)) continue;
    rmSync(`${path}.damaged`, { force: true });
    renameSync(path, `${path}.damaged`);
    kept.push(`${path}.damaged`);
  }
  return kept;
}
