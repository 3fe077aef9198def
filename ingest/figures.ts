import { Counter, Gauge, Registry } from "prom-client";
import type { Alerts } from "./alerts/port.js";
import type { Intake } from "./intake.js";
import type { JournalStatus } from "./journal/port.js";
import type { History, IdentifiedValue, QuarantineEntry, Sink } from "./stores/port.js";
import type { UplinkFigures } from "./uplinks.js";
import { type ThreadStatus, threadStatus } from "./thread-status.js";

/** How the front door stands, as it tells the works each second. */
export interface DoorStatus {
  thread: ThreadStatus;
  journal: JournalStatus;
  broker: {
    connections: number;
    received: number;
    acknowledged: number;
    /** QoS 0 messages let go under pressure. */
    shed: number;
    /** Messages slowed down, as their client publishes too fast. */
    slowed: number;
    inflightBytes: number;
    /** Connections and messages refused, by reason. */
    refused: Record<string, number>;
  };
}

/** What figures are made of. */
export interface FigureSources {
  door: () => DoorStatus | undefined;
  intake: () => Intake["status"];
  sinks: readonly Sink[];
  alerts: Pick<Alerts, "counts">;
  history: Pick<History, "upkeepFault">;
  /** Frames of LoRaWAN devices. */
  uplinks: () => Iterable<[device: string, figures: UplinkFigures]>;
  clock: () => number;
}

const rateWindowMs = 10_000;

/** Counts what the pipeline does, and tells it as Prometheus text. Counters run from the start of the process. */
export class Figures {
  readonly #register = new Registry();
  readonly #sources: FigureSources;
  readonly #values: Counter<"verdict">;
  readonly #quarantined: Counter<"reason">;
  /** Messages processed, second by second, for the rate of the overview. */
  readonly #seconds = new Map<number, number>();

  constructor(sources: FigureSources) {
    this.#sources = sources;
    const registers = [this.#register];
    this.#values = new Counter({
      name: "obieg_values_total",
      help: "values identified, by verdict (values)",
      labelNames: ["verdict"],
      registers,
    });
    this.#quarantined = new Counter({
      name: "obieg_quarantined_total",
      help: "quarantine entries made, by reason (entries)",
      labelNames: ["reason"],
      registers,
    });
    this.#fromDoor();
    this.#fromWorks();
    this.#fromProcess();
  }

  /** Counts a committed batch. */
  committed(
    messages: number,
    values: Iterable<IdentifiedValue>,
    quarantined: readonly QuarantineEntry[],
  ): void {
    const counts = { stored: 0, duplicate: 0, conflict: 0, restored: 0 };
    for (const { verdict } of values) counts[verdict] += 1;
    for (const verdict of ["stored", "duplicate", "conflict", "restored"] as const)
      this.#values.inc({ verdict }, counts[verdict]);
    for (const { reason } of quarantined) this.#quarantined.inc({ reason });
    const second = Math.floor(this.#sources.clock() / 1_000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + messages);
    for (const old of this.#seconds.keys()) if (old < second - 60) this.#seconds.delete(old);
  }

  /** Messages a second, averaged over the last ten whole seconds. */
  messagesPerSecond(): number {
    const now = Math.floor(this.#sources.clock() / 1_000);
    let sum = 0;
    for (const [second, messages] of this.#seconds) {
      if (second < now && second >= now - rateWindowMs / 1_000) sum += messages;
    }
    return Math.round((sum / rateWindowMs) * 10_000) / 10;
  }

  /** Prometheus text, format 0.0.4. */
  text(): Promise<string> {
    return this.#register.metrics();
  }

  #ask(name: string, help: string, ask: () => number | undefined): void {
    const collect = function (this: Gauge): void {
      this.set(ask() ?? 0);
    };
    this.#register.registerMetric(new Gauge({ name, help, registers: [], collect }));
  }

  #fromDoor(): void {
    const { door } = this.#sources;
    this.#ask("obieg_connections", "open MQTT connections", () => door()?.broker.connections);
    this.#ask(
      "obieg_messages_received_total",
      "messages received by the broker",
      () => door()?.broker.received,
    );
    this.#ask(
      "obieg_messages_acknowledged_total",
      "messages acknowledged: each is on disk",
      () => door()?.broker.acknowledged,
    );
    this.#ask("obieg_messages_shed_total", "QoS 0 messages let go under pressure", () => door()?.broker.shed);
    this.#ask(
      "obieg_messages_slowed_total",
      "messages that had to wait, as their client publishes too fast",
      () => door()?.broker.slowed,
    );
    this.#ask(
      "obieg_inflight_bytes",
      "bytes received and not yet on disk",
      () => door()?.broker.inflightBytes,
    );
    this.#ask("obieg_journal_bytes", "bytes of the journal", () => door()?.journal.bytes);
    this.#ask("obieg_journal_max_bytes", "bound of the journal, bytes", () => door()?.journal.maxBytes);
    this.#ask("obieg_archive_bytes", "bytes of the archive", () => door()?.journal.archiveBytes);
    this.#register.registerMetric(
      new Gauge({
        name: "obieg_messages_refused_total",
        help: "messages and connections refused, by reason",
        labelNames: ["reason"],
        registers: [],
        collect() {
          for (const [reason, count] of Object.entries(door()?.broker.refused ?? {}))
            this.set({ reason }, count);
        },
      }),
    );
  }

  #fromProcess(): void {
    const { door } = this.#sources;
    const threads = (): [name: string, status: ThreadStatus][] => {
      const known = door()?.thread;
      return [...(known ? [["door", known] as [string, ThreadStatus]] : []), ["works", threadStatus()]];
    };
    this.#ask("obieg_resident_bytes", "resident memory of the process, bytes", () =>
      process.memoryUsage.rss(),
    );
    this.#register.registerMetric(
      new Gauge({
        name: "obieg_heap_bytes",
        help: "heap in use, garbage included, by thread (bytes)",
        labelNames: ["thread"],
        registers: [],
        collect() {
          for (const [thread, { heapBytes }] of threads()) this.set({ thread }, heapBytes);
        },
      }),
    );
    this.#register.registerMetric(
      new Gauge({
        name: "obieg_active_resources",
        help: "timers, sockets and the like, by thread and Node's name (count)",
        labelNames: ["thread", "type"],
        registers: [],
        collect() {
          this.reset();
          for (const [thread, { resources }] of threads())
            for (const [type, count] of Object.entries(resources)) this.set({ thread, type }, count);
        },
      }),
    );
  }

  #fromWorks(): void {
    const { intake, sinks, alerts, history } = this.#sources;
    const lag = (): number => intake().durable - intake().position;
    this.#ask("obieg_pipeline_lag_messages", "messages on disk and not yet processed", lag);
    this.#ask(
      "obieg_upkeep_failing",
      "1 while the upkeep of the history doesn't do all that is due, else 0",
      () => (history.upkeepFault ? 1 : 0),
    );
    this.#ask("obieg_alerts_raised_total", "alerts raised", () => alerts.counts.raised);
    this.#ask("obieg_alerts_resolved_total", "alerts resolved", () => alerts.counts.resolved);
    this.#ask("obieg_deliveries_total", "alerts delivered to channels", () => alerts.counts.delivered);
    this.#ask("obieg_deliveries_dead_total", "deliveries given up", () => alerts.counts.dead);
    this.#ask("obieg_outbox_entries", "deliveries that wait", () => alerts.counts.waiting);
    const bySink = (name: string, help: string, ask: (sink: Sink) => number): void => {
      this.#register.registerMetric(
        new Gauge({
          name,
          help,
          labelNames: ["sink"],
          registers: [],
          collect() {
            for (const sink of sinks) this.set({ sink: sink.name }, ask(sink));
          },
        }),
      );
    };
    const { uplinks } = this.#sources;
    // Without the devices' names: who may read the figures may not know them.
    this.#ask(
      "obieg_uplinks_lost_total",
      "LoRaWAN uplinks lost by the gaps of the frame counter, of all devices (uplinks)",
      () => [...uplinks()].reduce((sum, [, { lost }]) => sum + lost, 0),
    );
    bySink(
      "obieg_sink_lag_values",
      "values stored and not yet written to the sink",
      (sink) => sink.status.lag,
    );
    bySink("obieg_sink_written_total", "values written to the sink", (sink) => sink.status.written);
    bySink("obieg_sink_offended_total", "values that the sink refused", (sink) => sink.status.offended);
    const values = this.#values;
    this.#register.registerMetric(
      new Gauge({
        name: "obieg_values_stored_total",
        help: "values stored",
        registers: [],
        async collect() {
          const { values: counts } = await values.get();
          this.set(counts.find(({ labels }) => labels.verdict === "stored")?.value ?? 0);
        },
      }),
    );
  }
}
