import type { InfluxEncoder, InfluxPoint } from "./influx-line.js";
import type { WriteResult } from "./influx-writer.js";
import type { OffendingValue, StoredValues } from "./port.js";

/** What a server says about points. */
export type PartResult = Exclude<WriteResult, { kind: "waits" }>;

/** What one batch came to. */
export interface Tally {
  /** Values that the server took. */
  accepted: number;
  offenders: OffendingValue[];
}

/** What batches are written through. Both calls try until there is an answer. */
export interface BatchesOptions {
  encoder: InfluxEncoder;
  /** Undefined when stopped before. */
  write(part: readonly InfluxPoint[]): Promise<PartResult | undefined>;
  /** Waits until a write without points is taken. False when stopped before. */
  untilProbed(): Promise<boolean>;
  clock: () => number;
}

/** A batch while it is written. */
interface Progress extends Tally {
  /** True once a probe showed that settings are right though everything was refused. */
  isProbed: boolean;
  /** True once the server took a point that was tried: from then on nothing is passed over untried. */
  isMixed: boolean;
}

/** So many refusals in a batch without one point accepted, and the settings are suspected. */
const suspiciousRefusals = 32;
/** When all of a batch was refused so far, so many points of a part are tried, evenly spread with its last one, before it is passed over. */
const triedPoints = 8;

/** Writes batches whole; of a refused one the points that offend are found by halving, and the rest is written. */
export class InfluxBatches {
  readonly #options: BatchesOptions;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Writes a batch until nothing of it is owed; undefined when stopped before. */
  async write(values: StoredValues): Promise<Tally | undefined> {
    const progress: Progress = { accepted: 0, offenders: [], isProbed: false, isMixed: false };
    const points = this.#options.encoder.encode(values);
    const writable = points.filter((point) => point.line !== undefined);
    for (const point of points) {
      if (point.line === undefined) this.#offend(point, "a name that line protocol can't carry", progress);
    }
    const pending: InfluxPoint[][] = writable.length > 0 ? [writable] : [];
    for (let part = pending.pop(); part; part = pending.pop()) {
      const result = await this.#options.write(part);
      if (!result) return undefined;
      if (result.kind === "accepted") {
        progress.accepted += part.reduce((sum, { from, to }) => sum + to - from, 0);
        continue;
      }
      const halves = await this.#divide(part, result.words, progress);
      if (!halves) return undefined;
      pending.push(...halves);
    }
    return progress;
  }

  /** Splits what was refused; a single value is passed over. Halves come out last first. Undefined when stopped. */
  async #divide(
    part: readonly InfluxPoint[],
    words: string,
    progress: Progress,
  ): Promise<InfluxPoint[][] | undefined> {
    const [first] = part;
    if (!first) return [];
    const isAllRefused = progress.accepted === 0 && progress.offenders.length >= suspiciousRefusals;
    if (isAllRefused && !progress.isMixed) {
      if (!progress.isProbed && !(await this.#options.untilProbed())) return undefined;
      progress.isProbed = true;
      const isTaken = await this.#isAnyTaken(part);
      if (isTaken === undefined) return undefined;
      if (!isTaken) {
        // Settings are right and samples were refused point by point: the rest goes the same way.
        for (const point of part) this.#offend(point, words, progress);
        return [];
      }
      progress.isMixed = true;
    }
    if (part.length > 1) {
      const middle = part.length >> 1;
      return [part.slice(middle), part.slice(0, middle)];
    }
    if (first.to - first.from > 1) {
      return this.#options.encoder
        .single(first)
        .map((point) => [point])
        .reverse();
    }
    this.#offend(first, words, progress);
    return [];
  }

  /** Whether the server takes one of some points of a part, each tried alone, the last one first; undefined when stopped. */
  async #isAnyTaken(part: readonly InfluxPoint[]): Promise<boolean | undefined> {
    const tries = Math.min(triedPoints, part.length);
    for (let n = tries; n > 0; n -= 1) {
      const at = Math.ceil((n * part.length) / tries);
      const result = await this.#options.write(part.slice(at - 1, at));
      if (!result) return undefined;
      if (result.kind === "accepted") return true;
    }
    return false;
  }

  #offend(point: InfluxPoint, words: string, { offenders }: Progress): void {
    for (let row = point.from; row < point.to; row += 1) {
      const { sequence, device, quantity, timeMs, value } = point.values.at(row);
      offenders.push({ sequence, device, quantity, timeMs, value, words, atMs: this.#options.clock() });
    }
  }
}
