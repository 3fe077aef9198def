/** What trimming works with. */
export interface TrimmingParts {
  /** How far history holds the journal. */
  position: () => number;
  /** Tells the front door how far the works have come. */
  processed: (position: number) => void;
  /** Lets the journal go up to there. */
  trim: (position: number) => void;
}

/** What the journal may let go: all that history holds, save while a backup copies. */
export class Trimming {
  readonly #parts: TrimmingParts;
  #holds = 0;

  constructor(parts: TrimmingParts) {
    this.#parts = parts;
  }

  /** Tells what may go now: after each batch, and at a start, as the process before may have come to its end in between. */
  tell(): void {
    const position = this.#parts.position();
    this.#parts.processed(position);
    if (this.#holds === 0) this.#parts.trim(position);
  }

  /** Keeps everything while `body` is under way; then what was kept may go, whether a batch comes or not. */
  async hold<T>(body: () => Promise<T>): Promise<T> {
    this.#holds += 1;
    try {
      return await body();
    } finally {
      this.#holds -= 1;
      this.tell();
    }
  }
}
