import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { type BrokerLimits, defaultLimits, keptPacketBytes } from "./broker/limits.js";
import type { Config } from "./config.js";
import { ObiegError } from "./devices/index.js";

/** What this process may use; `Infinity` where nothing bounds it. */
export interface Machine {
  /** Open file descriptors. */
  descriptors: number;
  /** Memory of the container, or of the machine, bytes. */
  memoryBytes: number;
}

/** The limits that fit into a machine. */
export interface Fit {
  broker: Partial<BrokerLimits>;
  httpConnections: number;
  /** What had to be made smaller, and what to do about it; empty when all fits. */
  warnings: string[];
}

const mebibyte = 2 ** 20;
/** Files of journal, history and state, sinks and webhooks. */
const ownDescriptors = 400;
const leastDescriptors = 600;
const httpConnections = 1_000;
const leastConnections = 100;
/** Both threads with nothing to do, without the history's database. Measured: 170 MB on Node 20, x64. */
const restBytes = 192 * mebibyte;
/** What the database lists of buffers that queries gave back, beyond its own limit, after hours of them (`ingest/stores/README.md`). */
const listedBytes = 60 * mebibyte;
/** What sealing a day takes for its time, beyond what then is free of the above. Measured: 75 to 100 MB in all. */
const sealingBytes = 40 * mebibyte;
/** An idle connection. Measured: 15 kB with 5,000. */
const connectionBytes = 16 * 1024;
/** Buffers of the front door that are bounded in bytes, all full at once. */
const buffers = [
  "inflightBytes",
  "partialBytes",
  "outgoingTotalBytes",
  "offlineBytes",
  "retainedBytes",
] as const;
const bufferBytes =
  buffers.reduce((sum, name) => sum + defaultLimits[name], 0) + defaultLimits.incoming * keptPacketBytes;

/** Memory that a container, or `memory` of the configuration, allows; the machine's where none does. */
function readMemory(configured: number | undefined): number {
  // 0 or more than there is: no container bounds it.
  const container = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(configured ?? Number.POSITIVE_INFINITY, container, totalmem());
}

/** Reads what this process may use: `RLIMIT_NOFILE`, the cgroup's memory (v1 and v2), the configuration's `limits.memory`. */
export function readMachine(config: Config): Machine {
  let limits = "";
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Not Linux: nothing is known, nothing is made smaller.
  }
  const open = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return {
    descriptors: open === undefined ? Number.POSITIVE_INFINITY : Number(open),
    memoryBytes: readMemory(config.limits.memory),
  };
}

const mib = (bytes: number): string => `${Math.ceil(bytes / mebibyte)} MiB`;

function fitDescriptors(
  wanted: number,
  { descriptors }: Machine,
): { mqtt: number; http: number; warning?: string } {
  const needed = wanted + httpConnections + ownDescriptors;
  if (descriptors >= needed) return { mqtt: wanted, http: httpConnections };
  const remedy = `allow ${needed} (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower limits.connections`;
  if (descriptors < leastDescriptors)
    throw new ObiegError(
      "descriptors-too-few",
      `this process may open ${descriptors} files, and needs at least ${leastDescriptors}: ${remedy}`,
    );
  const free = descriptors - ownDescriptors;
  const http = Math.min(httpConnections, Math.floor(free / 4));
  const mqtt = Math.min(wanted, free - http);
  const warning = `this process may open ${descriptors} files: at most ${mqtt} MQTT and ${http} HTTP connections; for all ${wanted}, ${remedy}`;
  return { mqtt, http, warning };
}

function fitMemory(
  wanted: number,
  databaseBytes: number,
  { memoryBytes }: Machine,
): { mqtt: number; share: number; warning?: string } {
  const fixed = restBytes + databaseBytes + listedBytes + sealingBytes;
  const grows = bufferBytes + wanted * connectionBytes;
  if (memoryBytes >= fixed + grows) return { mqtt: wanted, share: 1 };
  const remedy = `allow ${mib(fixed + grows)} (the container's memory limit, limits.memory), or lower history.memory or limits.connections`;
  const share = (memoryBytes - fixed) / grows;
  const mqtt = Math.floor(wanted * share);
  if (mqtt < Math.min(wanted, leastConnections) || share < 0.1)
    throw new ObiegError(
      "memory-too-small",
      `this process may use ${mib(memoryBytes)}, and needs at least ${mib(fixed + grows * 0.1)}: ${remedy}`,
    );
  const warning = `this process may use ${mib(memoryBytes)}: at most ${mqtt} MQTT connections, and smaller buffers; for all ${wanted}, ${remedy}`;
  return { mqtt, share, warning };
}

/**
 * Fits the limits of the front door into the machine.
 * Throws `descriptors-too-few`, `memory-too-small` when not even the least fits; both say what is needed and how it is given.
 */
export function fitToMachine(config: Config, machine: Machine): Fit {
  const wanted = config.limits.connections;
  const files = fitDescriptors(wanted, machine);
  const memory = fitMemory(files.mqtt, config.history.memory, machine);
  const smaller = [...buffers, "incoming" as const].map(
    (name) => [name, Math.floor(defaultLimits[name] * memory.share)] as const,
  );
  return {
    broker: { ...Object.fromEntries(smaller), connections: memory.mqtt },
    httpConnections: files.http,
    warnings: [files.warning, memory.warning].filter((one) => one !== undefined),
  };
}

/** Tells, second by second, whether the process has used nine tenths of its memory. */
export function watchMemory(memoryBytes: number): { isTight: () => boolean; stop(): void } {
  let tight = false;
  const timer = setInterval(() => {
    try {
      tight = process.memoryUsage.rss() > memoryBytes * 0.9;
    } catch {
      // The figure stands in a file, and no descriptor is left: what was known holds until the next second.
    }
  }, 1_000).unref();
  return { isTight: () => tight, stop: () => clearInterval(timer) };
}
