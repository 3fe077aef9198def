import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a receiver of line protocol has taken. */
export interface Received {
  requests: number;
  /** Lines. */
  points: number;
  /** Fields of all lines. */
  values: number;
  /** Most requests that were under way at once. */
  atOnce: number;
  /** First request and last answer, epoch milliseconds; 0 before. */
  firstMs: number;
  lastMs: number;
  cpuSeconds: number;
}

/** A receiver that runs. */
export interface Receiver {
  url: string;
  counts(): Promise<Received>;
  stop(): Promise<void>;
}

/** Starts a receiver of line protocol in a process of its own; port 0 takes a free one. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const child = fork(fileURLToPath(new URL("./receiver-process.js", import.meta.url)), { execArgv: [] });
  const answer = async (asked: object | string): Promise<unknown> => {
    const answered = once(child, "message");
    child.send(asked);
    return (await answered)[0] as unknown;
  };
  const taken = (await answer({ port })) as number;
  return {
    url: `http://127.0.0.1:${taken}`,
    counts: async () => (await answer("counts")) as Received,
    async stop() {
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}
