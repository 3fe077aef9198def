import { closeSync, fstatSync, openSync, writeSync } from "node:fs";

const chunk = Buffer.alloc(65_536);

/**
 * Keeps room for LMDB's next commits inside its own file, by writing zeros behind its last page: a commit that meets a full disk
 * corrupts the memory of the process (lmdb 3.5), so it must never meet one.
 * As much room as the file's pages take, and at least `leastBytes`: a commit may copy them all.
 */
export class Headroom {
  readonly #file: string;
  readonly #leastBytes: number;
  #allocated = 0;

  constructor(file: string, leastBytes: number) {
    this.#file = file;
    this.#leastBytes = leastBytes;
  }

  /** Looks after the room behind the first `usedBytes`. Gives why there is none; undefined when a commit may go on. */
  lack(usedBytes: number): string | undefined {
    const wanted = Math.max(this.#leastBytes, usedBytes);
    if (this.#allocated - usedBytes >= wanted) return undefined;
    try {
      this.#extend(usedBytes + wanted + this.#leastBytes);
      return undefined;
    } catch (error) {
      // The disk is full: what was put by lasts a while.
      if (this.#allocated - usedBytes >= wanted / 2) return undefined;
      return error instanceof Error ? error.message : String(error);
    }
  }

  #extend(bytes: number): void {
    const handle = openSync(this.#file, "r+");
    try {
      this.#allocated = fstatSync(handle).size;
      while (this.#allocated < bytes)
        this.#allocated += writeSync(handle, chunk, 0, chunk.length, this.#allocated);
    } finally {
      closeSync(handle);
    }
  }
}

/** Bytes that LMDB's pages take, by its own count. */
export function usedBytesOf(root: { getStats(): object }): number {
  const { lastPageNumber, pageSize } = root.getStats() as { lastPageNumber: number; pageSize: number };
  return (lastPageNumber + 1) * pageSize;
}
