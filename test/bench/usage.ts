import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;

/** CPU seconds of a process of ours by what used them. */
export interface CpuShares {
  /** The main thread: MQTT and journal. */
  door: number;
  /** The works' thread: decode to alerts, API. */
  works: number;
  /** Everything else: DuckDB, disk, garbage collection. */
  others: number;
  total: number;
}

/** Fields of a `stat` after the name, from the third on. */
function statOf(path: string): number[] {
  const stat = readFileSync(path, "utf8");
  return stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
}

/**
 * CPU seconds that each thread of a process has used so far. Threads that ended count only in `total`.
 * The works' thread is the first that lowered its priority, or else the busiest beside the main one.
 * Source: proc(5), /proc/PID/stat (14 utime, 15 stime, 19 nice).
 */
export function cpuOf(pid: number): CpuShares {
  const secondsOf = (fields: readonly number[]): number =>
    ((fields[11] ?? 0) + (fields[12] ?? 0)) / ticksPerSecond;
  const threads = readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b)
    .map((id) => {
      const fields = statOf(`/proc/${pid}/task/${id}/stat`);
      return { id, seconds: secondsOf(fields), nice: fields[16] ?? 0 };
    });
  const beside = threads.filter(({ id }) => id !== pid);
  const works = beside.find(({ nice }) => nice > 0) ?? beside.toSorted((a, b) => b.seconds - a.seconds).at(0);
  const total = secondsOf(statOf(`/proc/${pid}/stat`));
  const door = threads.find(({ id }) => id === pid)?.seconds ?? 0;
  return { door, works: works?.seconds ?? 0, others: total - door - (works?.seconds ?? 0), total };
}

/** The difference of two readings, each part times `scale`. */
export function cpuBetween(before: CpuShares, after: CpuShares, scale = 1): CpuShares {
  const of = (part: keyof CpuShares): number => (after[part] - before[part]) * scale;
  return { door: of("door"), works: of("works"), others: of("others"), total: of("total") };
}

/** Resident memory of a process, MB: now, and the largest so far. */
export function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_000;
  return { now: of("VmRSS"), peak: of("VmHWM") };
}
