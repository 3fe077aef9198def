import { getHeapStatistics } from "node:v8";

/** What a thread of this process holds. */
export interface ThreadStatus {
  /** Bytes of its own heap that are in use, garbage that wasn't collected yet included. */
  heapBytes: number;
  /** Timers, sockets and the like that keep its event loop busy, by Node's name for them. */
  resources: Record<string, number>;
}

/** How the thread that calls stands. */
export function threadStatus(): ThreadStatus {
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return { heapBytes: getHeapStatistics().used_heap_size, resources };
}
