import { ObiegError, type RegistryView } from "../../devices/index.js";
import { InfluxBatches, type PartResult, type Tally } from "./influx-batches.js";
import { InfluxEncoder, type InfluxPoint } from "./influx-line.js";
import { InfluxWriter, type WriteResult } from "./influx-writer.js";
import type { History, OffendingValue, Page, Sink, StateStore, StoredValues } from "./port.js";

/** What the sink is given. */
export interface InfluxSinkOptions {
  url: string;
  token: string;
  org: string;
  bucket: string;
  history: Pick<History, "after" | "lastSequence" | "holdFor">;
  state: StateStore;
  registry: RegistryView;
  log: { warn(facts: object, message: string): void };
  /** True while the works have a backlog: the sink then gives way to them. */
  isBehind?: () => boolean;
  /** Most values a request; 20,000 unless given. */
  batchValues?: number;
  /** Longest wait for an answer, milliseconds; 10,000 unless given. */
  timeoutMs?: number;
  /** First and longest wait after a failure, milliseconds; 500 and 60,000 unless given. */
  firstDelayMs?: number;
  maxDelayMs?: number;
  clock?: () => number;
  random?: () => number;
  /** Calls back once after so many milliseconds, and gives the way to call it off. */
  timer?: (delayMs: number, done: () => void) => () => void;
}

interface SinkState {
  version: 1;
  position: number;
  written: number;
  offended: number;
}

const keptOffenders = 1_000;
const defaultBatchValues = 20_000;
/** Looks for news this often even when nobody wakes it. */
const newsDelayMs = 3_000;
/** While the works are behind, a batch is followed by a pause of so many times what it took: history goes first. */
const giveWay = 8;
function realTimer(delayMs: number, done: () => void): () => void {
  const timer = setTimeout(done, delayMs);
  return () => clearTimeout(timer);
}

class InfluxFeed implements Sink {
  readonly name = "influxdb";
  readonly #options: InfluxSinkOptions;
  readonly #batches: InfluxBatches;
  readonly #writer: InfluxWriter;
  readonly #states;
  readonly #offenders;
  #now: SinkState;
  #fault: string | undefined;
  #isStopped = false;
  #running: Promise<void> | undefined;
  /** Ends the present wait. */
  #rouse: (() => void) | undefined;
  #awaits: "news" | "delay" | undefined;
  /** True when history told of news since the last look. */
  #isNews = false;

  constructor(options: InfluxSinkOptions) {
    this.#options = options;
    const { url, token, org, bucket, timeoutMs = 10_000 } = options;
    this.#writer = new InfluxWriter({ url, token, org, bucket, timeoutMs });
    this.#batches = new InfluxBatches({
      encoder: new InfluxEncoder(options.registry),
      write: (part) => this.#send(part),
      untilProbed: () => this.#untilProbed(),
      clock: options.clock ?? Date.now,
    });
    this.#states = options.state.table<SinkState>("sinks");
    this.#offenders = options.state.table<OffendingValue, number>("sink-offenders");
    this.#now = this.#states.get(this.name) ?? { version: 1, position: 0, written: 0, offended: 0 };
    options.history.holdFor(this.name, this.#now.position);
  }

  get status(): Sink["status"] {
    const { position, written, offended } = this.#now;
    const lag = Math.max(0, this.#options.history.lastSequence - position);
    return { position, lag, written, offended, fault: this.#fault };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  wake(): void {
    this.#isNews = true;
    if (this.#awaits === "news") this.#rouse?.();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#writer.close();
    this.#rouse?.();
    await this.#running;
  }

  offenders({ limit, cursor }: { limit: number; cursor?: string }): Page<OffendingValue> {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
      throw new ObiegError("bad-cursor", "give next of the page before as cursor");
    const below = cursor === undefined ? {} : { start: Number(cursor) - 1 };
    const range = this.#offenders.getRange({ reverse: true, limit: limit + 1, ...below });
    const found = [...range].map(({ value }) => value);
    const items = found.slice(0, limit);
    return { items, next: found.length > limit ? String(items.at(-1)?.sequence) : undefined };
  }

  async #run(): Promise<void> {
    const { history, batchValues = defaultBatchValues, isBehind = () => false } = this.#options;
    let ahead: Promise<StoredValues | undefined> | undefined;
    let saving: Promise<void> | undefined;
    /** What the server has taken; saved a moment later. */
    let { position } = this.#now;
    let failures = 0;
    while (!this.#isStopped) {
      try {
        this.#isNews = false;
        const begunMs = performance.now();
        const values =
          (await ahead) ??
          (history.lastSequence > position ? await history.after(position, batchValues) : undefined);
        ahead = undefined;
        if (!values || values.count === 0) {
          await saving;
          await this.#wait("news", newsDelayMs);
          continue;
        }
        // The next batch is read while this one is on its way; never more than these two are held.
        const { lastSequence } = values;
        if (history.lastSequence > lastSequence)
          ahead = history.after(lastSequence, batchValues).catch(() => undefined);
        const tally = await this.#batches.write(values);
        if (!tally) break;
        // The position goes to the disk while the next batch is on its way: after a crash that one is written again.
        await saving;
        saving = this.#save(lastSequence, tally);
        saving.catch(() => undefined);
        position = lastSequence;
        failures = 0;
        if (isBehind()) await this.#wait("delay", Math.ceil((performance.now() - begunMs) * giveWay));
      } catch (error) {
        await saving?.catch(() => undefined);
        [ahead, saving] = [undefined, undefined];
        ({ position } = this.#now);
        failures += 1;
        this.#setFault(`inner fault: ${error instanceof Error ? error.message : "unknown"}`);
        await this.#wait("delay", this.#backoffMs(failures));
      }
    }
    await ahead;
    await saving?.catch(() => undefined);
  }

  /** Waits until a write without points is taken. False when stopped. */
  async #untilProbed(): Promise<boolean> {
    const result = await this.#persist(async () => {
      const answer = await this.#writer.probe();
      return answer.kind === "refused"
        ? { kind: "waits", fault: `every write is refused: ${answer.words}`, retryAfterMs: 0 }
        : answer;
    });
    return result !== undefined;
  }

  #send(part: readonly InfluxPoint[]): Promise<PartResult | undefined> {
    const lines = part.map((point) => point.line ?? "");
    return this.#persist(() => this.#writer.write(lines));
  }

  /** Tries until there is an answer about the points; undefined when stopped. */
  async #persist(attempt: () => Promise<WriteResult>): Promise<PartResult | undefined> {
    for (let failures = 1; !this.#isStopped; failures += 1) {
      const result = await attempt();
      if (this.#isStopped) return undefined;
      if (result.kind !== "waits") {
        this.#fault = undefined;
        return result;
      }
      this.#setFault(result.fault);
      const { maxDelayMs = 60_000 } = this.#options;
      const asked = Math.min(result.retryAfterMs, 60 * maxDelayMs);
      await this.#wait("delay", Math.max(asked, this.#backoffMs(failures)));
    }
    return undefined;
  }

  #setFault(fault: string): void {
    if (this.#fault !== fault) this.#options.log.warn({ sink: this.name }, fault);
    this.#fault = fault;
  }

  async #save(position: number, { accepted, offenders }: Tally): Promise<void> {
    const next: SinkState = {
      version: 1,
      position,
      written: this.#now.written + accepted,
      offended: this.#now.offended + offenders.length,
    };
    await this.#options.state.transaction(() => {
      void this.#states.put(this.name, next);
      for (const offender of offenders.slice(-keptOffenders)) {
        void this.#offenders.put(offender.sequence, offender);
      }
      if (offenders.length === 0) return;
      const old = [...this.#offenders.getKeys({ reverse: true, offset: keptOffenders })];
      for (const key of old) void this.#offenders.remove(key);
    });
    this.#now = next;
    this.#options.history.holdFor(this.name, position);
    const [first] = offenders;
    if (first) {
      this.#options.log.warn(
        { sink: this.name, refused: offenders.length, first },
        "values refused by InfluxDB, passed over",
      );
    }
  }

  #backoffMs(failures: number): number {
    const { firstDelayMs = 500, maxDelayMs = 60_000, random = Math.random } = this.#options;
    const most = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 30));
    return most / 2 + (most / 2) * random();
  }

  async #wait(what: "news" | "delay", delayMs: number): Promise<void> {
    if (this.#isStopped || (what === "news" && this.#isNews)) return;
    const { timer = realTimer } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = timer(delayMs, () => resolve());
      this.#awaits = what;
      this.#rouse = () => {
        cancel();
        resolve();
      };
    });
    this.#awaits = undefined;
    this.#rouse = undefined;
  }
}

/**
 * Feeds an InfluxDB (1.8, 2.x, 3.x) or VictoriaMetrics from history.
 * Guarantee: everything that history stored is written at least once, in order, or kept among the offenders; at most two batches in memory.
 */
export function openInfluxSink(options: InfluxSinkOptions): Sink {
  return new InfluxFeed(options);
}
