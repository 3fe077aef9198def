/** Runs bodies one after another, in the order of asking. */
export class Lock {
  #tail: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as `body` does, after all earlier bodies have ended. */
  run<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(body);
    this.#tail = result.catch(() => {});
    return result;
  }
}
