import type { Value } from "../../devices/index.js";
import type { IdentifiedValue, Values, Verdict } from "./port.js";
import type { Series, SeriesTable } from "./series-table.js";

const firstRoom = 4_096;
const verdicts: readonly Verdict[] = ["stored", "duplicate", "conflict", "restored"];
/** How a verdict is written in its column. */
export const verdictCodes = { stored: 0, duplicate: 1, conflict: 2, restored: 3 } as const;

/**
 * Values of a batch as columns; row `i` of each belongs together. Times in epoch milliseconds.
 * Objects that live as long as a batch would be copied by every collection of garbage meanwhile; columns aren't.
 */
export class ValueColumns implements Values {
  readonly series: Series[] = [];
  #count = 0;
  timeMs = new Float64Array(firstRoom);
  value = new Float64Array(firstRoom);
  receivedMs = new Float64Array(firstRoom);
  /** Journal sequence of the message that brought it. */
  message = new Float64Array(firstRoom);
  /** Order of storing; 0 unless stored. */
  sequence = new Float64Array(firstRoom);
  /** By {@link verdictCodes}; what `identify` says. */
  verdict = new Uint8Array(firstRoom);
  late = new Uint8Array(firstRoom);
  readonly #table: SeriesTable;

  constructor(table: SeriesTable) {
    this.#table = table;
  }

  get count(): number {
    return this.#count;
  }

  add({ device, quantity, attributes, timeMs, value }: Value, receivedMs: number, message: number): void {
    const row = this.#count;
    this.#count += 1;
    if (row === this.timeMs.length) this.#grow(row * 2);
    this.series[row] = this.#table.obtain(device, quantity, attributes);
    this.timeMs[row] = timeMs;
    this.value[row] = value;
    this.receivedMs[row] = receivedMs;
    this.message[row] = message;
  }

  /** Makes room for the next batch. */
  clear(): void {
    this.#count = 0;
  }

  /** Rows with a verdict, in order. */
  rowsOf(verdict: Verdict): Int32Array {
    const code = verdictCodes[verdict];
    const rows = new Int32Array(this.count);
    let found = 0;
    for (let row = 0; row < this.count; row += 1) if (this.verdict[row] === code) rows[found++] = row;
    return rows.subarray(0, found);
  }

  *[Symbol.iterator](): Generator<IdentifiedValue> {
    for (let row = 0; row < this.count; row += 1) yield this.#at(row);
  }

  #at(row: number): IdentifiedValue {
    const { device, quantity, attributes } = this.series[row] as Series;
    return {
      device,
      quantity,
      attributes,
      timeMs: this.timeMs[row] as number,
      value: this.value[row] as number,
      receivedMs: this.receivedMs[row] as number,
      message: this.message[row] as number,
      sequence: this.sequence[row] as number,
      verdict: verdicts[this.verdict[row] as number] as Verdict,
      late: this.late[row] === 1,
    };
  }

  #grow(room: number): void {
    const larger = (column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const next = new Float64Array(room);
      next.set(column);
      return next;
    };
    this.timeMs = larger(this.timeMs);
    this.value = larger(this.value);
    this.receivedMs = larger(this.receivedMs);
    this.message = larger(this.message);
    this.sequence = larger(this.sequence);
    const [verdict, late] = [this.verdict, this.late];
    this.verdict = new Uint8Array(room);
    this.verdict.set(verdict);
    this.late = new Uint8Array(room);
    this.late.set(late);
  }
}
