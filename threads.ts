import type { Config } from "./config.js";
import type { DemoFleet } from "./devices/demo/index.js";
import type { CredentialEntry, RawMessage } from "./devices/index.js";
import type { DoorStatus } from "./ingest/figures.js";

/** What the works thread is started with. */
export interface WorksOptions {
  config: Config;
  demo: boolean;
  adminPassword: string | undefined;
  adminToken: string | undefined;
  httpConnections: number;
  logLevel: Config["logLevel"];
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
  /** Opens everything; given how far the journal is durable. */
  start: (durableSequence: number) => Promise<WorksStarted>;
  durable: (sequence: number) => void;
  /** The front door listens: alerts may be published, devices may come. */
  doorReady: (nothing: undefined) => Promise<void>;
  stop: (nothing: undefined) => Promise<void>;
};

/** Calls that the front door answers. */
export type DoorCalls = {
  trim: (sequence: number) => void;
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
