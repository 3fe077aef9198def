import { Worker } from "node:worker_threads";
import type { Config } from "./config.js";
import type { DemoFleet } from "./devices/demo/index.js";
import { ObiegError } from "./devices/error.js";
import type { CredentialEntry, RawMessage } from "./devices/index.js";
import type { DoorStatus } from "./ingest/figures.js";

/** The works' thread, while it loads and after. */
export interface WorksThread {
  worker: Worker;
  /** Rejects when it dies; never resolves. */
  failed: Promise<never>;
}

/**
 * Of the works' heap, MB. What lives as long as a batch stands in columns, so a small young generation costs nothing, and V8
 * collects the old one the sooner the smaller its bound (measured: 60 MB less after a burst of a million messages than without).
 */
const worksHeap = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 384 };

/** Starts the works' thread: it loads, and waits for its call `start`. */
export function startWorksThread(): WorksThread {
  const worker = new Worker(new URL("./works.js", import.meta.url), { resourceLimits: worksHeap });
  const failed = new Promise<never>((_resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) =>
      reject(new ObiegError("works-stopped", `the works thread ended with code ${code}`)),
    );
  });
  failed.catch(() => undefined);
  return { worker, failed };
}

/** What the works are started with. */
export interface WorksOptions {
  config: Config;
  demo: boolean;
  adminPassword: string | undefined;
  adminToken: string | undefined;
  httpConnections: number;
  logLevel: Config["logLevel"];
  /** Last sequence of the journal that is on disk. */
  durableSequence: number;
}

/** What the works tell of their start. */
export interface WorksStarted {
  /** `http://127.0.0.1:8080` */
  http: string;
  login: { user: string; password: string } | undefined;
  /** What plays the demo city; undefined where the city is a real one. */
  demoFleet: DemoFleet | undefined;
  /** Journal sequence that history holds already. */
  position: number;
}

/** Calls that the works answer. */
export type WorksCalls = {
  /** Opens everything. */
  start: (options: WorksOptions) => Promise<WorksStarted>;
  durable: (sequence: number) => void;
  /** The front door listens: alerts may be published, devices may come. */
  doorReady: (nothing: undefined) => Promise<void>;
  stop: (nothing: undefined) => Promise<void>;
};

/** Calls that the front door answers. */
export type DoorCalls = {
  /** How far the works have come; what the journal may let go; the time that the archive is pruned by, epoch milliseconds. */
  processed: (sequence: number) => void;
  trim: (sequence: number) => void;
  settled: (timeMs: number) => void;
  credentials: (list: CredentialEntry[]) => void;
  publish: (message: {
    topic: string;
    payload: string | Uint8Array;
    qos: 0 | 1;
    retain: boolean;
  }) => Promise<void>;
  accept: (message: RawMessage) => Promise<number>;
  status: (nothing: undefined) => DoorStatus;
  /** Copies the broker's sessions into an existing folder. */
  backup: (dir: string) => Promise<void>;
};
