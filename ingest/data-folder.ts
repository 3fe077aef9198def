import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ObiegError } from "../devices/index.js";

const lockName = "lock";
/** Below so many free bytes a start that failed is laid on the disk. */
const startBytes = 2 ** 20;

/** Start time of a process in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined when it doesn't run. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/**
 * Takes the data folder for this process; makes it when missing (readable by its owner alone).
 * Throws `data-folder-in-use` with the process id of the holder; a holder that no longer runs (killed, power cut) is no holder.
 */
export function lockDataFolder(dir: string): { release(): void } {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, lockName);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const handle = openSync(file, "wx", 0o600);
      writeSync(handle, `${process.pid} ${startOf(process.pid) ?? ""}\n`);
      closeSync(handle);
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const [pid = "", started = ""] = readFileSync(file, "utf8").trim().split(" ");
      const running = startOf(Number(pid));
      const held =
        running !== undefined && (started === "" || running === started) && Number(pid) !== process.pid;
      if (held || attempt > 2) {
        throw new ObiegError(
          "data-folder-in-use",
          `${dir} is in use by process ${pid}: stop it, or give another folder with --data`,
        );
      }
      rmSync(file, { force: true });
    }
  }
}

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
