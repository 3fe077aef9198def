import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { type InfluxSinkOptions, openInfluxSink } from "../ingest/stores/influx-sink.js";
import type { IdentifiedValue, Sink, StoredValues } from "../ingest/stores/port.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { freePort } from "./support/port.js";
import { storedOf } from "./support/stored.js";
import { startMs, temporaryFolder, TestRegistry } from "./rules-fixture.js";

/** How the fault server answers one write; "take" is 204. */
export type Answer =
  | "take"
  | "hang"
  | "close"
  | { status: number; body?: string; headers?: Record<string, string> };

/** A real HTTP server that keeps the lines that it takes. */
export class LineServer {
  readonly taken: string[] = [];
  /** Lines a request, in order of arrival. */
  readonly requests: string[][] = [];
  readonly paths = new Set<string>();
  /** `nth`: which request of its connection it is, from 1. */
  decide: (lines: readonly string[], nth: number) => Answer = () => "take";
  /** Waited for before each answer. */
  hold: () => Promise<void> = () => Promise.resolve();
  url = "";
  readonly #hung: ServerResponse[] = [];
  readonly #asked = new Map<object, number>();
  readonly #server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const raw = Buffer.concat(parts);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
      const lines = body
        .toString()
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"));
      this.paths.add(`${request.method} ${request.url} ${request.headers.authorization}`);
      this.requests.push(lines);
      const nth = (this.#asked.get(request.socket) ?? 0) + 1;
      this.#asked.set(request.socket, nth);
      void this.hold().then(() => this.#answer(this.decide(lines, nth), lines, response));
    });
  });

  #answer(answer: Answer, lines: readonly string[], response: ServerResponse): void {
    if (answer === "hang") this.#hung.push(response);
    else if (answer === "close") response.destroy();
    else if (answer === "take") {
      this.taken.push(...lines);
      response.writeHead(204).end();
    } else response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** How many connections asked for something. */
  get connections(): number {
    return this.#asked.size;
  }

  /** Cuts the connections of writes that were left without an answer. */
  cut(): void {
    for (const response of this.#hung.splice(0)) response.destroy();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

/** A history of values in memory, as far as a sink sees one. */
export class MemoryHistory {
  readonly values: IdentifiedValue[] = [];
  readonly holds: number[] = [];
  readonly reads: number[] = [];

  get lastSequence(): number {
    return this.values.length;
  }

  async after(sequence: number, limit: number): Promise<StoredValues> {
    this.reads.push(limit);
    return storedOf(this.values.slice(sequence, sequence + limit));
  }

  holdFor(_consumer: string, sequence: number): void {
    this.holds.push(sequence);
  }

  add(parts: Partial<IdentifiedValue> = {}): IdentifiedValue {
    const sequence = this.values.length + 1;
    const value: IdentifiedValue = {
      device: "bin-1",
      quantity: "fill_percent",
      attributes: "",
      timeMs: startMs + sequence * 1_000,
      value: sequence / 10,
      verdict: "stored",
      late: false,
      receivedMs: startMs,
      message: sequence,
      sequence,
      ...parts,
    };
    this.values.push(value);
    return value;
  }
}

/** A sink with a history, a state and a log of the test's own. */
export class SinkBench {
  readonly folder = temporaryFolder();
  readonly history = new MemoryHistory();
  readonly registry = new TestRegistry([{ id: "bin-1", class: "smart-bin" }]);
  readonly warnings: string[] = [];
  /** Waits that the sink asked for after failures, milliseconds. */
  readonly delays: number[] = [];
  state: StateStore = openState(this.folder.path);
  sink: Sink | undefined;

  open(url: string, options: Partial<InfluxSinkOptions> = {}): Sink {
    this.sink = openInfluxSink({
      url,
      token: "t0ken",
      org: "city",
      bucket: "obieg",
      history: this.history,
      state: this.state,
      registry: this.registry,
      log: { warn: (_facts, message) => this.warnings.push(message) },
      clock: () => startMs,
      random: () => 1,
      // Waits are noted and over at once, except the one for news.
      timer: (delayMs, done) => {
        if (delayMs === 3_000) return () => undefined;
        this.delays.push(delayMs);
        const timer = setTimeout(done, 2);
        return () => clearTimeout(timer);
      },
      firstDelayMs: 500,
      ...options,
    });
    return this.sink;
  }

  async reopenState(): Promise<void> {
    await this.sink?.stop();
    await this.state.close();
    this.state = openState(this.folder.path);
  }

  async end(): Promise<void> {
    await this.sink?.stop();
    await this.state.close();
    this.folder.remove();
  }
}

/** Looks until something holds; fails after 10 seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await pause(5);
  }
}

/** Debian's VictoriaMetrics on a free port, or on one given. */
export class VictoriaMetrics {
  readonly folder = temporaryFolder();
  url = "";
  #child: ChildProcess | undefined;
  #port = 0;

  async start(): Promise<this> {
    if (this.#port === 0) this.#port = await freePort();
    this.url = `http://127.0.0.1:${this.#port}`;
    this.#child = spawn(
      "/usr/bin/victoria-metrics",
      [
        `-storageDataPath=${this.folder.path}`,
        `-httpListenAddr=127.0.0.1:${this.#port}`,
        "-retentionPeriod=100y",
        "-memory.allowedBytes=64MB",
      ],
      { stdio: "ignore" },
    );
    await until("victoria-metrics answers", () =>
      fetch(`${this.url}/health`).then(
        (answer) => answer.ok,
        () => false,
      ),
    );
    return this;
  }

  /** Stops it; what it holds stays. */
  async halt(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  async end(): Promise<void> {
    await this.halt();
    this.folder.remove();
  }

  /** Everything it holds: labels, times and values of each series. */
  async exported(): Promise<{ metric: Record<string, string>; values: number[]; timestamps: number[] }[]> {
    await fetch(`${this.url}/internal/force_flush`);
    const match = encodeURIComponent('{device!=""}');
    const text = await (
      await fetch(`${this.url}/api/v1/export?match[]=${match}&start=2000-01-01T00:00:00Z`)
    ).text();
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }
}
