import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";

/** The LMDB environment of the works: registry, users, positions, rule state, alerts, outbox, audit. */
export interface StateStore {
  /** A named table; keys are strings or numbers, values anything that msgpack carries. */
  table<V, K extends string | number = string>(name: string): Database<V, K>;
  /**
   * Runs `body` (synchronous `put`/`remove` calls on tables of this store) as one transaction.
   * Guarantee: resolved means durable on disk (awaits LMDB's flush, not only its commit); a `body` that throws leaves nothing.
   */
  transaction<T>(body: () => T): Promise<T>;
  /** Copies a consistent image into an existing folder while running. */
  backup(dir: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens (or makes) the environment in `dir`. Throws LMDB's error when the folder can't be used.
 * Each commit is synced before it counts (no overlapping sync): what is read after a start then never hangs on whether
 * the machine was started anew in between.
 */
export function openState(dir: string): StateStore {
  mkdirSync(dir, { recursive: true });
  const root: RootDatabase = open({
    path: join(dir, "works.mdb"),
    maxDbs: 32,
    noSubdir: true,
    overlappingSync: false,
  });
  return {
    table: (name) => root.openDB({ name }),
    async transaction(body) {
      const result = await root.childTransaction(body);
      await root.flushed;
      return result;
    },
    async backup(target) {
      await root.backup(join(target, "works.mdb"), true);
    },
    close: () => root.close(),
  };
}
