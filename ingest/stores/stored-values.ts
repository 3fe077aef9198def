import type { IdentifiedValue, SeriesName, StoredValues } from "./port.js";

/** Columns of stored values; row `i` of each belongs together. */
export interface StoredRows {
  series: readonly StoredSeries[];
  timeMs: Float64Array;
  receivedMs: Float64Array;
  value: Float64Array;
  message: Float64Array;
  sequence: Float64Array;
}

/** A series, as far as its values need it. */
export interface StoredSeries extends SeriesName {
  readonly newest: { timeMs: number } | undefined;
}

/** Values that were read back from history, as columns: of many, objects would be copied by every collection of garbage. */
export class StoredColumns implements StoredValues {
  readonly series: readonly StoredSeries[];
  readonly timeMs: Float64Array;
  readonly value: Float64Array;
  readonly #rows: StoredRows;
  readonly #lateAfterMs: number;

  constructor(rows: StoredRows, lateAfterMs: number) {
    this.series = rows.series;
    this.timeMs = rows.timeMs;
    this.value = rows.value;
    this.#rows = rows;
    this.#lateAfterMs = lateAfterMs;
  }

  get count(): number {
    return this.series.length;
  }

  get lastSequence(): number {
    return this.#rows.sequence[this.count - 1] ?? 0;
  }

  at(row: number): IdentifiedValue {
    const { series, timeMs, receivedMs, value, message, sequence } = this.#rows;
    const { device, quantity, attributes, newest } = series[row] as StoredSeries;
    const [time, received] = [timeMs[row] as number, receivedMs[row] as number];
    return {
      device,
      quantity,
      attributes,
      timeMs: time,
      value: value[row] as number,
      receivedMs: received,
      message: message[row] as number,
      sequence: sequence[row] as number,
      verdict: "stored",
      late: received - time > this.#lateAfterMs || time < (newest?.timeMs ?? time),
    };
  }

  *[Symbol.iterator](): Generator<IdentifiedValue> {
    for (let row = 0; row < this.count; row += 1) yield this.at(row);
  }
}
