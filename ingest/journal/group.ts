import type { RawRun } from "../../devices/index.js";
import { recordBytes, writeRecord } from "./record.js";

/** Told when a run is durable, with the sequence of its last message, or why it isn't. */
export type Done = (error: Error | undefined, sequence: number) => void;

/** Bytes that a group has room for at first. */
export const groupBytes = 2 ** 20;
/** A larger buffer isn't kept for another group. */
const spareBytes = 2 ** 23;

/** Runs that are written and synced together, as records. */
export class Group {
  readonly firstSequence: number;
  lastSequence: number;
  #bytes: Buffer<ArrayBuffer>;
  #used = 0;
  readonly #dones: { done: Done; sequence: number }[] = [];

  constructor(firstSequence: number, bytes = Buffer.allocUnsafeSlow(groupBytes)) {
    this.firstSequence = firstSequence;
    this.lastSequence = firstSequence - 1;
    this.#bytes = bytes;
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** Bytes of its records. */
  get used(): number {
    return this.#used;
  }

  /** Its records. */
  get records(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Its memory, for another group once this one is written; undefined when that isn't worth it. */
  get spare(): Buffer<ArrayBuffer> | undefined {
    return this.#bytes.length <= spareBytes ? this.#bytes : undefined;
  }

  /** Adds a run as a record. `durable`: the last sequence that is synced by now. */
  add(run: RawRun, durable: number, done: Done): void {
    const needed = this.#used + recordBytes(run);
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#used);
      this.#bytes = larger;
    }
    const first = this.lastSequence + 1;
    this.#used = writeRecord(this.#bytes, this.#used, run, first, first - durable);
    this.lastSequence += run.count;
    this.#dones.push({ done, sequence: this.lastSequence });
  }

  /** Tells each run, in order and once, that it is durable. */
  succeed(): void {
    for (const { done, sequence } of this.#dones.splice(0)) done(undefined, sequence);
  }

  /** Tells each run that wasn't told yet, in order, that it isn't. */
  fail(error: Error): void {
    for (const { done } of this.#dones.splice(0)) done(error, 0);
  }
}
