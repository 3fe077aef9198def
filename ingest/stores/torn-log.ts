import { copyFileSync, existsSync, openSync, closeSync, fsyncSync, ftruncateSync, statSync } from "node:fs";

/** Told when the end of the database's log was cut. */
export type OnTorn = (facts: { file: string; kept: string; from: number; bytes: number }) => void;

/** Size and checksum of an entry; DuckDB names the byte after them. */
const entryHeadBytes = 16;
const tornAt = /Corrupt WAL file: entry at byte position (\d+)/;

/**
 * Cuts the end of a DuckDB log that a power cut has torn: pages of its last, unsynced transaction may be missing in the middle,
 * which DuckDB itself takes for damage. What was cut was never confirmed, so the journal still holds its messages.
 * Gives false when `error` is about something else. The log as it was is kept beside, as `.wal.torn`.
 */
export function cutTornLog(file: string, error: unknown, onTorn: OnTorn): boolean {
  const log = `${file}.wal`;
  const from = Number(tornAt.exec(error instanceof Error ? error.message : "")?.[1]) - entryHeadBytes;
  if (!Number.isSafeInteger(from) || from < 0 || !existsSync(log)) return false;
  const bytes = statSync(log).size - from;
  if (bytes <= 0) return false;
  const kept = `${log}.torn`;
  copyFileSync(log, kept);
  const handle = openSync(log, "r+");
  try {
    ftruncateSync(handle, from);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  onTorn({ file: log, kept, from, bytes });
  return true;
}
