import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Channel } from "../devices/index.js";
import {
  type Deliverer,
  type DeliveryLimits,
  type Inbox,
  openAlerts,
  startDeliverer,
} from "../ingest/alerts/index.js";
import type { AlertTransition, OutwardAlert } from "../ingest/alerts/port.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { startMs, temporaryFolder } from "./rules-fixture.js";

/** What a receiver saw of one request. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  alert: OutwardAlert;
}

/** Answers one request: a status with headers, or nothing at all, or a cut connection. */
export type Answer = { status: number; headers?: Record<string, string> } | "hang" | "close";

/** A real HTTP server that answers as told; 204 when it isn't. */
export class FaultServer {
  readonly received: Received[] = [];
  readonly answers: Answer[] = [];
  /** Decides by request; before `answers`. */
  decide: ((received: Received) => Answer | undefined) | undefined;
  url = "";
  readonly #hung = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      const received: Received = {
        headers: request.headers,
        body,
        alert: body === "" ? ({} as OutwardAlert) : (JSON.parse(body) as OutwardAlert),
      };
      this.received.push(received);
      this.#answer(this.decide?.(received) ?? this.answers.shift() ?? { status: 204 }, response);
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** `alert state` of what came, in order. */
  get story(): string[] {
    return this.received.map(({ alert }) => `${alert.device} ${alert.state}`);
  }

  #answer(answer: Answer, response: ServerResponse): void {
    if (answer === "hang") this.#hung.add(response);
    else if (answer === "close") response.destroy();
    else response.writeHead(answer.status, answer.headers).end();
  }
}

/** A secret of 32 bytes. */
export const secret = `whsec_${Buffer.from("obieg-obieg-obieg-obieg-obieg-32").toString("base64")}`;

/** A transition that raises, unless told otherwise. */
export function transition(parts: Partial<AlertTransition> = {}): AlertTransition {
  return {
    rule: "full",
    kind: "threshold",
    severity: "warning",
    state: "raised",
    device: "bin-1",
    place: "krakow/podgorze",
    quantity: "fill_percent",
    value: 91,
    limit: 80,
    unit: "%",
    sinceMs: startMs,
    atMs: startMs,
    title: { pl: "Pełny kosz", en: "Bin full" },
    message: { pl: "bin-1: 91 %", en: "bin-1: 91 %" },
    ...parts,
  };
}

/** Inbox and delivery with a clock of the test's own; timers fire only when the test moves time. */
export class AlertsBench {
  readonly folder = temporaryFolder();
  readonly server = new FaultServer();
  readonly published: { topic: string; payload: string; retain: boolean }[] = [];
  readonly warnings: string[] = [];
  publishFault: Error | undefined;
  channels: Channel[] = [];
  nowMs = startMs;
  /** While given, no transaction of the state begins: a full disk. */
  stateFault: Error | undefined;
  state: StateStore = this.#openState();
  alerts: Inbox;
  deliverer: Deliverer | undefined;
  #nextId = 0;
  #timers: { atMs: number; done: () => void }[] = [];
  readonly #maxOutboxEntries: number;
  readonly #limits: Partial<DeliveryLimits>;

  constructor(options: { maxOutboxEntries?: number; limits?: Partial<DeliveryLimits> } = {}) {
    this.#maxOutboxEntries = options.maxOutboxEntries ?? 1_000;
    this.#limits = options.limits ?? {};
    this.alerts = this.#open();
  }

  static async start(options: ConstructorParameters<typeof AlertsBench>[0] = {}): Promise<AlertsBench> {
    const bench = new AlertsBench(options);
    await bench.server.start();
    bench.channels = [{ id: "hook", kind: "webhook", url: bench.server.url, secret }];
    return bench;
  }

  #openState(): StateStore {
    const opened = openState(this.folder.path);
    const transaction: StateStore["transaction"] = async (body) => {
      if (this.stateFault) throw this.stateFault;
      return opened.transaction(body);
    };
    return { ...opened, transaction };
  }

  #open(): Inbox {
    return openAlerts(this.state, {
      idFactory: () => `a${(this.#nextId += 1)}`,
      clock: () => this.nowMs,
      channels: () => this.channels,
      maxOutboxEntries: this.#maxOutboxEntries,
      linkBase: "https://obieg.example",
      timer: (delayMs, done) => this.#timer(delayMs, done),
    });
  }

  deliver(): Deliverer {
    this.deliverer = startDeliverer({
      outbox: this.alerts.outbox,
      channels: () => this.channels,
      publish: async (topic, payload, retain) => {
        if (this.publishFault) throw this.publishFault;
        this.published.push({ topic, payload, retain });
      },
      fetch,
      clock: () => this.nowMs,
      random: () => 1,
      log: { warn: (_facts, message) => this.warnings.push(message) },
      timer: (delayMs, done) => this.#timer(delayMs, done),
      limits: this.#limits,
    });
    return this.deliverer;
  }

  #timer(delayMs: number, done: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, done };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Records; the disk is full from then on, until `stateFault` goes. */
  async recordAndFill(...transitions: AlertTransition[]): Promise<void> {
    await this.state.transaction(() => {
      this.alerts.record(transitions);
      this.stateFault = new Error("the disk is full");
    });
    await this.#turns();
  }

  async #turns(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
  }

  /** Records, and waits until the alerts are told of it. */
  async record(...transitions: AlertTransition[]): Promise<void> {
    await this.state.transaction(() => this.alerts.record(transitions));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await this.state.transaction(() => undefined);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  /** Moves time on and lets what is due be tried. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.nowMs);
    for (const timer of due) timer.done();
    await this.state.transaction(() => undefined).catch(() => undefined);
    await this.#turns();
    await this.deliverer?.settle();
  }

  async restart(): Promise<void> {
    await this.deliverer?.stop();
    this.alerts.close();
    await this.state.close();
    this.state = this.#openState();
    this.alerts = this.#open();
  }

  async end(): Promise<void> {
    await this.deliverer?.stop();
    await this.server.stop();
    this.alerts.close();
    await this.state.close();
    this.folder.remove();
  }
}
