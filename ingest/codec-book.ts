import type { CodecMark, DeviceFields, Value } from "../devices/index.js";
import type { StateStore } from "./stores/state.js";

/** A value of a message in which a decoder might have made it, and whose did; undefined: none. */
export interface MadeValue {
  device: string;
  quantity: string;
  /** When the message that brought it was received, epoch milliseconds. */
  receivedMs: number;
  by: CodecMark | undefined;
}

/** Since when a series is made by which decoder: place in the list of marks, -1 for none. */
type Span = [fromMs: number, mark: number];

const maxSpans = 200;
const none = -1;

/** Which of a part's values its decoder made: those below the frame. */
export function madeOf(
  values: readonly Value[],
  { made }: Pick<DeviceFields, "made">,
  receivedMs: number,
): MadeValue[] {
  return values.map(({ device, quantity, path }) => ({
    device,
    quantity,
    receivedMs,
    by: made && path.startsWith(`${made.path}/`) ? made.by : undefined,
  }));
}

/**
 * Says of every stored reading which version of a decoder made it. A decoder is noted when it changes, by series and time of
 * receipt, so that a reading costs no bytes; what a replay brought is noted one by one.
 * Guarantee: what is noted is on disk before the values are; bounded to the newest 200 changes a series.
 */
export class CodecBook {
  readonly #state: StateStore;
  readonly #marks;
  readonly #spans;
  readonly #replayed;
  readonly #known: CodecMark[] = [];
  /** How many of them are on disk. */
  #saved = 0;
  readonly #bySeries = new Map<string, Span[]>();
  readonly #devices = new Set<string>();

  constructor(state: StateStore) {
    this.#state = state;
    this.#marks = state.table<CodecMark, number>("codec-marks");
    this.#spans = state.table<Span[], string>("codec-spans");
    this.#replayed = state.table<number, string>("codec-replayed");
    for (const { key, value } of this.#marks.getRange()) this.#known[key] = value;
    this.#saved = this.#known.length;
    for (const { key, value } of this.#spans.getRange()) this.#keep(key, value);
  }

  #keep(series: string, spans: Span[]): void {
    this.#bySeries.set(series, spans);
    this.#devices.add(series.slice(0, series.indexOf("\n")));
  }

  /** True for devices of which a decoder ever made a value. */
  isMade(device: string): boolean {
    return this.#devices.has(device);
  }

  /** Whose decoder made a stored reading; undefined when none did. */
  of(device: string, quantity: string, receivedMs: number): CodecMark | undefined {
    if (!this.#devices.has(device)) return undefined;
    const series = seriesOf(device, quantity);
    const replayed = this.#replayed.get(`${series}\n${receivedMs}`);
    const mark = replayed ?? effective(this.#bySeries.get(series), receivedMs);
    return mark === none ? undefined : this.#known[mark];
  }

  /** Notes who made values, in the order of their receipt; `isReplay`: they came later than their neighbours. */
  async note(made: readonly MadeValue[], isReplay = false): Promise<void> {
    const changed = new Map<string, Span[]>();
    const singles = new Map<string, number>();
    for (const { device, quantity, receivedMs, by } of made) {
      if (!by && !this.#devices.has(device) && !isReplay) continue;
      const series = seriesOf(device, quantity);
      const spans = changed.get(series) ?? this.#bySeries.get(series);
      const mark = by ? this.#indexOf(by) : none;
      if (effective(spans, receivedMs) === mark) continue;
      if (isReplay) singles.set(`${series}\n${receivedMs}`, mark);
      if (!isReplay || !spans) changed.set(series, isReplay ? [] : withSpan(spans ?? [], [receivedMs, mark]));
    }
    if (changed.size === 0 && singles.size === 0) return;
    await this.#state.transaction(() => {
      for (let index = this.#saved; index < this.#known.length; index += 1)
        void this.#marks.put(index, this.#known[index] as CodecMark);
      for (const [series, spans] of changed) void this.#spans.put(series, spans);
      for (const [key, mark] of singles) void this.#replayed.put(key, mark);
    });
    this.#saved = this.#known.length;
    for (const [series, spans] of changed) this.#keep(series, spans);
  }

  #indexOf({ model, version, hash }: CodecMark): number {
    const found = this.#known.findIndex(
      (one) => one.hash === hash && one.version === version && one.model === model,
    );
    return found === -1 ? this.#known.push({ model, version, hash }) - 1 : found;
  }
}

const seriesOf = (device: string, quantity: string): string => `${device}\n${quantity}`;

function effective(spans: readonly Span[] | undefined, receivedMs: number): number {
  return spans?.findLast(([fromMs]) => fromMs <= receivedMs)?.[1] ?? none;
}

function withSpan(spans: readonly Span[], span: Span): Span[] {
  const others = spans.filter(([fromMs]) => fromMs !== span[0]);
  return [...others, span].sort(([one], [other]) => one - other).slice(-maxSpans);
}
