import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { ObiegError } from "../devices/index.js";

/** Below so many free bytes a start that failed is laid on the disk. */
const startBytes = 2 ** 20;

/** What a start that failed is told as: `disk-full` when the disk has no room, else the error itself. */
export function startFault(dir: string, error: unknown): unknown {
  try {
    const { bavail, bsize } = statfsSync(dir);
    if (bavail * bsize >= startBytes) return error;
  } catch {
    return error;
  }
  const why = error instanceof Error ? error.message : String(error);
  return new ObiegError(
    "disk-full",
    `there is no room in ${dir}: free some megabytes, then start again; what was acknowledged is kept (${why})`,
    { cause: error, retryable: true },
  );
}

/** Tells programs of this user where the running process is found. Gives the way to take it back. */
export function writeRunFile(file: string, run: { http: string; token: string }): () => void {
  writeFileSync(file, JSON.stringify({ pid: process.pid, ...run }), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}
