import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { ObiegError } from "../../devices/index.js";
import { commitFault } from "./commit-fault.js";
import { checkStateFile, readEveryEntry, worksFault } from "./state-file.js";
import { Headroom, usedBytesOf } from "./headroom.js";

const headroomBytes = 2 ** 22;
/** Version of the tables in `works.mdb`. */
export const stateFormat = 1;

/** The LMDB environment of the works: registry, users, positions, rule state, alerts, outbox, audit. */
export interface StateStore {
  /** A named table; keys are strings or numbers, values anything that msgpack carries. */
  table<V, K extends string | number = string>(name: string): Database<V, K>;
  /**
   * Runs `body` (synchronous `put`/`remove` calls on tables of this store) as one transaction.
   * Guarantee: resolved means durable on disk (awaits LMDB's flush, not only its commit); a `body` that throws leaves nothing.
   * Throws `state-commit` (retryable; nothing of it stands) when the disk doesn't take it, else what `body` throws.
   */
  transaction<T>(body: () => T): Promise<T>;
  /**
   * Why the disk takes no transaction, `state-commit`: there is no room for one now, or the last one failed; undefined when neither is.
   */
  readonly fault: ObiegError | undefined;
  /** Copies a consistent image into an existing folder while running. */
  backup(dir: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens (or makes) the environment in `dir`. Throws `state-damaged`, `state-version`; LMDB's error when the folder can't be used.
 * Each commit is synced before it counts (no overlapping sync): what is read after a start then never hangs on whether
 * the machine was started anew in between.
 */
export function openState(dir: string): StateStore {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "works.mdb");
  checkStateFile(file, worksFault);
  const root: RootDatabase = open({
    path: file,
    maxDbs: 32,
    noSubdir: true,
    overlappingSync: false,
  });
  readEveryEntry(root, file, worksFault);
  settleVersion(root, file);
  const headroom = new Headroom(file, headroomBytes);
  const unwritable = (why: string, cause?: unknown): ObiegError =>
    new ObiegError("state-commit", `${file} can't be written: ${why}`, { retryable: true, cause });
  const noRoom = (): ObiegError | undefined => {
    const lack = headroom.lack(usedBytesOf(root));
    return lack === undefined ? undefined : unwritable(lack);
  };
  let failed: ObiegError | undefined;
  return {
    table: (name) => root.openDB({ name }),
    async transaction(body) {
      const lack = noRoom();
      if (lack) throw lack;
      try {
        const result = await root.childTransaction(body);
        await root.flushed;
        failed = undefined;
        return result;
      } catch (error) {
        const why = await commitFault(error);
        if (why === undefined) throw error;
        throw (failed = unwritable(why, error));
      }
    },
    get fault() {
      return noRoom() ?? failed;
    },
    async backup(target) {
      await root.backup(join(target, "works.mdb"), true);
    },
    close: () => root.close(),
  };
}

/** Marks a new environment with its version, and refuses another one. */
function settleVersion(root: RootDatabase, file: string): void {
  const names = [...root.getKeys()];
  const meta = root.openDB<number, string>({ name: "meta" });
  const found = meta.get("format");
  if (found === stateFormat) return;
  if (found === undefined && names.length === 0) {
    meta.putSync("format", stateFormat);
    return;
  }
  throw new ObiegError(
    "state-version",
    `${file} has format ${found ?? 0}, this obieg reads format ${stateFormat}: start the obieg that wrote it, or copy a backup of this one's back`,
    { detail: { found: found ?? 0, supported: stateFormat } },
  );
}
