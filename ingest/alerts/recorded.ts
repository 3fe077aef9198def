/** What holding back works with. */
export interface RecordedParts<T> {
  /** Commits nothing; resolved means that whatever was committed before it is on disk. */
  commit(): Promise<void>;
  tell(recorded: T): void;
  /** Calls back once after so many milliseconds; gives the way to call it off. */
  timer: (delayMs: number, done: () => void) => () => void;
}

const againMs = 1_000;

/**
 * Holds back what was recorded inside a transaction until that is on disk.
 * Guarantee: told once, in the order of recording; while the disk takes nothing it is asked again each second.
 */
export class Recorded<T> {
  readonly #parts: RecordedParts<T>;
  #waiting: T[] = [];
  /** How many were told. */
  #told = 0;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: RecordedParts<T>) {
    this.#parts = parts;
  }

  /** How many were recorded so far: what {@link reached} takes once a transaction that is under way now is on disk. */
  get count(): number {
    return this.#told + this.#waiting.length;
  }

  /** Takes what the caller's transaction records. */
  add(recorded: T): void {
    this.#waiting.push(recorded);
    // After the caller's transaction: an empty one behind it is durable only once that one is.
    setImmediate(() => this.#commit());
  }

  /** Tells of the first `count` that were recorded: they are on disk. */
  reached(count: number): void {
    while (this.#told < count) {
      const [first] = this.#waiting.splice(0, 1);
      this.#told += 1;
      if (first !== undefined) this.#parts.tell(first);
    }
    if (this.#waiting.length === 0) this.#rest();
  }

  /** Tells of nothing more by itself. */
  close(): void {
    this.#isClosed = true;
    this.#rest();
  }

  #commit(): void {
    const { count } = this;
    if (this.#isClosed || count === this.#told) return;
    this.#parts
      .commit()
      .then(
        () => this.reached(count),
        () => this.#again(),
      )
      .catch(() => undefined);
  }

  #again(): void {
    if (this.#isClosed || this.#cancelTimer || this.#waiting.length === 0) return;
    this.#cancelTimer = this.#parts.timer(againMs, () => {
      this.#cancelTimer = undefined;
      this.#commit();
    });
  }

  #rest(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
