import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { HistoryCore } from "./core.js";
import { appendSeries } from "./hot.js";
import { openInstance } from "./instance.js";
import { isOutOfMemory, memoryFault } from "./memory-turns.js";
import { seriesTable } from "./schema.js";
import { type Row, rowsInTurn, rowsOf } from "./sql.js";

let days = 0;

/**
 * A database of its own, in memory, with a folder for what it puts aside: where a day is brought into its sealed form.
 * Sorting takes what memory there is, and in the history's own database a commit would find none (README).
 */
export class Workshop {
  readonly #core: HistoryCore;
  readonly #dir: string;
  readonly #files: string;
  #instance: DuckDBInstance | undefined;
  #connection: DuckDBConnection | undefined;
  /** How many series its table holds. */
  #known = -1;

  constructor(core: HistoryCore) {
    this.#core = core;
    this.#dir = join(core.options.dir, "history.work");
    this.#files = join(this.#dir, "files");
  }

  /** Path of a file that is gone when the next day begins, or the workshop closes. No name comes twice: DuckDB keeps what it has read by name and second. */
  file(name: string): string {
    return join(this.#files, `${days}-${name}`);
  }

  /** Clears what was left of a day before, or of a crash. Its table `series` is the history's. */
  async begin(): Promise<void> {
    days += 1;
    if (!this.#connection) await this.#open();
    for (const name of readdirSync(this.#files)) rmSync(join(this.#files, name));
    const { series } = this.#core;
    if (this.#known === series.size) return;
    await this.run(`create or replace table ${seriesTable}`);
    await appendSeries(this.connection, [...series.all()]);
    this.#known = series.size;
  }

  async #open(): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true });
    mkdirSync(this.#files, { recursive: true });
    this.#instance = await openInstance(":memory:", {
      memory_limit: this.#core.options.memoryLimit,
      threads: "1",
      temp_directory: join(this.#dir, "spilled"),
      enable_external_file_cache: "false",
    });
    this.#connection = await this.#instance.connect();
    await this.run("set TimeZone = 'UTC'");
  }

  /** Its one connection, from `begin` to `close`. */
  get connection(): DuckDBConnection {
    if (!this.#connection) throw new Error("the workshop isn't open");
    return this.#connection;
  }

  /** Runs a statement. Throws `history-memory`. */
  async run(sql: string): Promise<void> {
    await this.rows(sql);
  }

  /** Runs a query and gives all its rows. Throws `history-memory`. */
  async rows(sql: string): Promise<Row[]> {
    try {
      return await rowsOf(this.connection, sql);
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  /** Runs a query and gives its rows some thousand at a time; nothing else runs here meanwhile. Throws `history-memory`. */
  async *rowsInTurn(sql: string): AsyncGenerator<Row[]> {
    try {
      yield* rowsInTurn(this.connection, sql);
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  #faultOf(error: unknown): unknown {
    return isOutOfMemory(error) ? memoryFault(this.#core.options.memoryLimit, error) : error;
  }

  close(): void {
    this.#connection?.closeSync();
    this.#instance?.closeSync();
    this.#connection = undefined;
    this.#instance = undefined;
    this.#known = -1;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
