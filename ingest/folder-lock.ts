import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ObiegError } from "../devices/index.js";

const lockName = "lock";
/** A holder touches its lock so often; one that can't be seen from here is watched for some beats. */
const beatMs = 2_000;
const watchedMs = 3.5 * beatMs;
const lookMs = 250;

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** Start time of a process in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined when it doesn't run. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** In which numbers of processes a process id is meant: the boot, and the namespace of a container (pid_namespaces(7)). */
function worldOf(): string {
  try {
    const boot = read("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
    return `${readlinkSync("/proc/self/ns/pid")}@${boot}`;
  } catch {
    return "";
  }
}

function touchedMs(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/** Whether a lock is touched while it is watched, or gone; one that is old wasn't touched for long. */
async function isBeating(file: string): Promise<boolean> {
  const before = touchedMs(file);
  if (before === undefined || before < Date.now() - watchedMs) return false;
  for (let waitedMs = 0; waitedMs < watchedMs; waitedMs += lookMs) {
    await pause(lookMs);
    const now = touchedMs(file);
    if (now !== before) return now !== undefined;
  }
  return false;
}

/** The process id that holds a lock; undefined when nobody does. */
async function holderOf(file: string, world: string): Promise<string | undefined> {
  const [pid = "", started = "", where = ""] = (read(file) ?? "").trim().split(" ");
  if (where !== world) return (await isBeating(file)) ? `${pid} of another container or machine` : undefined;
  const running = startOf(Number(pid));
  const isHeld =
    running !== undefined && (started === "" || running === started) && Number(pid) !== process.pid;
  return isHeld ? pid : undefined;
}

/**
 * Takes the data folder for this process; makes it when missing (readable by its owner alone).
 * A holder that no longer runs (killed, power cut) is no holder; whether one in another container runs is watched for 7 s.
 * Throws `data-folder-in-use` with the process id of the holder.
 */
export async function lockDataFolder(dir: string): Promise<{ release(): void }> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, lockName);
  const world = worldOf();
  for (let attempt = 0; ; attempt += 1) {
    try {
      const handle = openSync(file, "wx", 0o600);
      writeSync(handle, `${process.pid} ${startOf(process.pid) ?? ""} ${world}\n`);
      closeSync(handle);
      return keep(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = await holderOf(file, world);
      if (holder !== undefined || attempt > 2) {
        throw new ObiegError(
          "data-folder-in-use",
          `${dir} is in use by process ${holder ?? "(unknown)"}: stop it, or give another folder with --data`,
        );
      }
      rmSync(file, { force: true });
    }
  }
}

/** Touches a lock that was taken until it is released. */
function keep(file: string): { release(): void } {
  const beat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Whoever took the folder away has a greater fault to show.
    }
  }, beatMs).unref();
  return {
    release: () => {
      clearInterval(beat);
      rmSync(file, { force: true });
    },
  };
}
