import { setTimeout as pause } from "node:timers/promises";
import { ObiegError } from "../../devices/index.js";
import { Lock } from "./lock.js";

/** Before each try in a turn of its own; what may still be beside it are commits. */
const pausesMs = [0, 100, 400];

/**
 * DuckDB's binding gives no type with an error, only its words: those of a statement, and of a commit that was taken back.
 * What it calls fatal is another matter: its instance is to be opened anew.
 */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error &&
  /^(Out of Memory Error: |TransactionContext Error: Failed to commit: failed to (pin|allocate) |TransactionContext Error: Failed to commit: could not allocate )/.test(
    error.message,
  );

/** `history-memory`: what needs more than there is. `limit` as it is configured ("100MB"). */
export const memoryFault = (limit: string, cause: unknown): ObiegError =>
  new ObiegError(
    "history-memory",
    `the history's memory (${limit}) isn't enough for this: ask for less, or raise history.memory`,
    { cause, retryable: true },
  );

/**
 * Who uses the database's memory beside whom: everyone beside everyone, until somebody finds it taken. What failed so is done
 * anew in a turn of its own, up to three times, while nothing else that came by `share` runs. Then it is `history-memory`.
 */
export class MemoryTurns {
  readonly #limit: string;
  readonly #lock = new Lock();
  readonly #sharing = new Set<Promise<void>>();
  /** The end of the last turn that was asked for. */
  #turn: Promise<void> | undefined;

  /** `limit`: the database's memory as it is configured, for the words of the error. */
  constructor(limit: string) {
    this.#limit = limit;
  }

  /** Runs a body beside others, after the turns that were asked for; it must not come by here again. Throws `history-memory`. */
  async share<T>(body: () => Promise<T>): Promise<T> {
    while (this.#turn) await this.#turn;
    const use = body();
    const ended = endOf(use);
    this.#sharing.add(ended);
    void ended.then(() => this.#sharing.delete(ended));
    return use.catch((error: unknown) => this.#anew(body, error));
  }

  /** Runs a body at once, whoever has a turn: a commit, which takes little and which nothing should hold up. Throws `history-memory`. */
  precede<T>(body: () => Promise<T>): Promise<T> {
    return body().catch((error: unknown) => this.#anew(body, error));
  }

  async #anew<T>(body: () => Promise<T>, error: unknown): Promise<T> {
    let cause = error;
    for (const pauseMs of pausesMs) {
      if (!isOutOfMemory(cause)) throw cause;
      await pause(pauseMs);
      try {
        return await this.#alone(body);
      } catch (again) {
        cause = again;
      }
    }
    if (!isOutOfMemory(cause)) throw cause;
    throw memoryFault(this.#limit, cause);
  }

  async #alone<T>(body: () => Promise<T>): Promise<T> {
    const use = this.#lock.run(async () => {
      await Promise.all(this.#sharing);
      return body();
    });
    const turn = endOf(use);
    this.#turn = turn;
    try {
      return await use;
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
    }
  }
}

const endOf = (use: Promise<unknown>): Promise<void> =>
  use.then(
    () => undefined,
    () => undefined,
  );
