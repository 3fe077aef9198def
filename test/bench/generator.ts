import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Workload } from "./workload.js";

/** Who the load publishes as. */
export const login = { user: "load", password: "secret of the load" };

/** What a load is. */
export interface Load {
  port: number;
  connections: number;
  workload: Workload;
  /** Messages that may wait for their PUBACK on a connection. */
  window: number;
  /** Messages a second of all connections together; as fast as they are acknowledged without it. */
  perSecond?: number;
  user: string;
  password: string;
}

/** What a load did. */
export interface LoadReport {
  acknowledged: number;
  /** When the first message left, epoch milliseconds. */
  startedMs: number;
  perSecond: number;
  /** From writing to PUBACK, milliseconds. */
  p50: number;
  p99: number;
  /** CPU seconds of the generator from the first message to the last PUBACK. */
  cpuSeconds: number;
}

/**
 * Runs a load in a process of its own over ten connections; resolves once all is acknowledged.
 * Throws when a connection is refused or cut off.
 */
export async function runLoad(port: number, workload: Workload, perSecond?: number): Promise<LoadReport> {
  const load: Load = {
    ...login,
    port,
    workload,
    connections: 10,
    window: 1_000,
    ...(perSecond === undefined ? {} : { perSecond }),
  };
  const child = fork(fileURLToPath(new URL("./generator-process.js", import.meta.url)), { execArgv: [] });
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`the generator ended with ${String(code)}`);
  });
  const answered = once(child, "message");
  child.send(load);
  const [report] = (await Promise.race([answered, exited])) as [LoadReport];
  exited.catch(() => undefined);
  return report;
}
