import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { ObiegError } from "../../devices/index.js";
import { openInstance } from "./instance.js";
import { Lock } from "./lock.js";
import { MemoryTurns } from "./memory-turns.js";
import { cutTornLog, type OnTorn } from "./torn-log.js";

const readers = 2;

interface Opened {
  instance: DuckDBInstance;
  writer: DuckDBConnection;
  keeper: DuckDBConnection;
  idle: DuckDBConnection[];
}

/** `history-closed`: what can be tried again once the database was brought back. */
export const broughtBack = (): ObiegError =>
  new ObiegError("history-closed", "the history is being brought back", { retryable: true });

/**
 * The DuckDB file with its connections: one that writes (a transaction at a time), one for upkeep, and readers on snapshots of their own.
 * Guarantee: readers never wait for the writer, the writer never for readers.
 */
export class Database {
  readonly #file: string;
  readonly #memoryLimit: string;
  readonly #onTorn: OnTorn;
  readonly #writing = new Lock();
  readonly #turns: MemoryTurns;
  /** Called with a connection, or without one when there will be none. */
  #waiting: ((connection: DuckDBConnection | undefined) => void)[] = [];
  #opened: Opened | undefined;
  /** True from a write that invalidated it until it is reopened. */
  #isBroken = false;
  readonly #uses = new Set<Promise<void>>();
  #reading = 0;

  private constructor(dir: string, memoryLimit: string, onTorn: OnTorn) {
    this.#file = join(dir, "history.duckdb");
    this.#memoryLimit = memoryLimit;
    this.#turns = new MemoryTurns(memoryLimit);
    this.#onTorn = onTorn;
  }

  /** Opens `history.duckdb` in `dir`. `memoryLimit` as DuckDB writes it ("100MB"). Throws `history-open`. */
  static async open(dir: string, memoryLimit: string, onTorn: OnTorn): Promise<Database> {
    const database = new Database(dir, memoryLimit, onTorn);
    database.#opened = await database.#connect();
    return database;
  }

  /** The connection for upkeep; only `maintain`, `backup`, `bulkLoad` and opening use it, one after another. */
  get keeper(): DuckDBConnection {
    return this.#live.keeper;
  }

  /** How many readers are on a snapshot now. */
  get reading(): number {
    return this.#reading;
  }

  /**
   * Runs `body` in the one write transaction, on the writer or on `connection`; while the commit is on its way also
   * `meanwhile`, which must not throw. Both are run anew when the database's memory is taken by what else runs.
   * Guarantee: resolved means committed and synced; rejected means rolled back.
   */
  write<T>(
    body: (connection: DuckDBConnection) => Promise<T>,
    connection?: DuckDBConnection,
    meanwhile?: () => void,
  ): Promise<T> {
    return this.#turns.precede(() => this.#writeOnce(body, connection, meanwhile));
  }

  #writeOnce<T>(
    body: (connection: DuckDBConnection) => Promise<T>,
    connection: DuckDBConnection | undefined,
    meanwhile: (() => void) | undefined,
  ): Promise<T> {
    return this.#writing.run(async () => {
      const { writer } = this.#live;
      const on = connection ?? writer;
      await on.run("begin");
      try {
        const result = await body(on);
        const committed = on.run("commit");
        meanwhile?.();
        await committed;
        return result;
      } catch (error) {
        await on.run("rollback").catch(() => {});
        throw error;
      }
    });
  }

  /** Runs `body` on the connection for upkeep, outside of transactions; anew when the database's memory is taken. Throws `history-memory`. */
  keep<T>(body: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#turns.share(async () => body(this.keeper));
  }

  /** Runs `body` on one consistent snapshot; anew when the database's memory is taken (by sealing a full day). Throws `history-memory`. */
  read<T>(body: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#turns.share(() => this.#readOnce(body));
  }

  #readOnce<T>(body: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.using(async () => {
      const connection = await this.#take();
      this.#reading += 1;
      try {
        await connection.run("begin");
        try {
          return await body(connection);
        } finally {
          await connection.run("rollback").catch(() => {});
        }
      } finally {
        this.#reading -= 1;
        this.#give(connection);
      }
    });
  }

  /** Runs `body`, which uses a connection: the database isn't closed under it. */
  async using<T>(body: () => Promise<T>): Promise<T> {
    const use = body();
    const ended = use.then(
      () => undefined,
      () => undefined,
    );
    this.#uses.add(ended);
    try {
      return await use;
    } finally {
      this.#uses.delete(ended);
    }
  }

  /**
   * Brings a database back that a failed write has invalidated (disk full, I/O error); a healthy one is left alone.
   * What uses a connection meanwhile fails with `history-closed` and is waited for: closing one under a running query corrupts memory.
   * Gives true when it was reopened. Throws `history-open`.
   */
  async revive(): Promise<boolean> {
    if (!this.#isBroken && this.#opened) {
      await this.#writing.run(async () => {
        this.#isBroken = await this.#opened!.writer.run("select value from meta limit 1").then(
          () => false,
          () => true,
        );
      });
      if (!this.#isBroken) return false;
    }
    await this.#endUses();
    return this.#writing.run(async () => {
      this.#disconnect();
      this.#opened = await this.#connect();
      this.#isBroken = false;
      return true;
    });
  }

  /** Folds the log into the file and closes. */
  async close(): Promise<void> {
    await this.#writing.run(async () => {
      for (const refuse of this.#waiting.splice(0)) refuse(undefined);
      await this.#opened?.writer.run("checkpoint").catch(() => {});
      this.#disconnect();
    });
  }

  get #live(): Opened {
    if (!this.#opened || this.#isBroken) {
      throw new ObiegError("history-closed", "the history is closed or being brought back", {
        retryable: true,
      });
    }
    return this.#opened;
  }

  /** Sends away who waits for a connection, and waits until nobody uses one. */
  async #endUses(): Promise<void> {
    for (const refuse of this.#waiting.splice(0)) refuse(undefined);
    await Promise.all(this.#uses);
  }

  async #connect(): Promise<Opened> {
    try {
      const instance = await this.#instance();
      const connect = async (): Promise<DuckDBConnection> => {
        const connection = await instance.connect();
        await connection.run("set TimeZone = 'UTC'");
        return connection;
      };
      const writer = await connect();
      const keeper = await connect();
      const idle: DuckDBConnection[] = [];
      for (let i = 0; i < readers; i += 1) {
        const reader = await connect();
        await reader.run("create temp table asked(series INTEGER, time BIGINT)");
        idle.push(reader);
      }
      return { instance, writer, keeper, idle };
    } catch (cause) {
      throw new ObiegError(
        "history-open",
        `cannot open ${this.#file}: ${cause instanceof Error ? cause.message : String(cause)}. Stop what else uses it; if it is damaged: obieg history rebuild sets it aside, and the next start makes it again from the sealed days, the archive and the journal`,
        { cause, detail: { file: this.#file } },
      );
    }
  }

  async #instance(): Promise<DuckDBInstance> {
    const open = (): Promise<DuckDBInstance> =>
      openInstance(this.#file, {
        memory_limit: this.#memoryLimit,
        threads: "2",
        temp_directory: `${this.#file}.tmp`,
      });
    try {
      return await open();
    } catch (error) {
      if (!cutTornLog(this.#file, error, this.#onTorn)) throw error;
      return open();
    }
  }

  #disconnect(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    if (!opened) return;
    for (const connection of [opened.writer, opened.keeper, ...opened.idle]) connection.closeSync();
    opened.instance.closeSync();
  }

  async #take(): Promise<DuckDBConnection> {
    const free = this.#live.idle.pop();
    if (free) return free;
    const given = await new Promise<DuckDBConnection | undefined>((resolve) => {
      this.#waiting.push(resolve);
    });
    if (given) return given;
    throw broughtBack();
  }

  #give(connection: DuckDBConnection): void {
    const next = this.#isBroken ? undefined : this.#waiting.shift();
    if (next) next(connection);
    else this.#opened?.idle.push(connection);
  }
}
