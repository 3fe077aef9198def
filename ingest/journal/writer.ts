import type { Logger } from "pino";
import { ObiegError, type RawRun } from "../../devices/index.js";
import { type Archive, openArchive } from "./archive.js";
import { type FileSystem, type JournalFile, nodeFileSystem } from "./file-system.js";
import { type Done, Group, groupBytes } from "./group.js";
import type { JournalStatus, JournalWriter } from "./port.js";
import { recordBytes } from "./record.js";
import { damageOf, scanJournal, type SegmentScan, scanSegment } from "./recovery.js";
import { createSegment, type Segment } from "./active-segment.js";
import { segmentHeaderBytes } from "./segment.js";

/** How a journal is opened. Sizes in bytes. */
export interface JournalOptions {
  dir: string;
  archiveDir: string;
  segmentBytes: number;
  /** Bound of all segments together; at it, `journal-full`. */
  maxBytes: number;
  archive: { maxDays: number; maxBytes: number };
  fs?: FileSystem;
  clock(): number;
  /** Runs `body` after `ms`; gives the way to call it off. */
  later?: (body: () => void, ms: number) => () => void;
  log: Pick<Logger, "info" | "warn" | "error">;
}

const maxPendingBytes = 64 * 2 ** 20;
const recoverAfterMs = 1_000;

const timeout = (body: () => void, ms: number): (() => void) => {
  const timer = setTimeout(body, ms).unref();
  return () => clearTimeout(timer);
};

/**
 * Cuts the torn end of the last segment, and syncs what stays: a process that died may have written it without syncing it,
 * and records made from now on will say that it is durable.
 */
async function settle(fs: FileSystem, last: SegmentScan, log: JournalOptions["log"]): Promise<void> {
  const file = await fs.open(last.segment.path, "append");
  try {
    if (last.end < last.size) {
      log.warn({ file: last.segment.path, bytes: last.size - last.end }, "cut the torn end of the journal");
      await file.truncate(last.end);
    }
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The journal's writing half: segment files, one write and one fdatasync a group. See port.ts for what it promises. */
export class Journal implements JournalWriter {
  readonly #options: JournalOptions;
  readonly #fs: FileSystem;
  readonly #archive: Archive;
  readonly #segments: Segment[];
  #file: JournalFile;
  #filling: Group;
  #spare: Buffer<ArrayBuffer> | undefined;
  #durable: number;
  #trimmed: number;
  #writing: Promise<void> | undefined;
  /** Why nothing can be written; at the bound there is none, as that ends by itself. */
  #fault: JournalStatus["fault"];
  /** Size of the message that was refused last at the bound: while it doesn't fit, the journal is full. */
  #refusedBytes = 0;
  #callOff: (() => void) | undefined;
  #closed = false;

  private constructor(
    options: JournalOptions,
    fs: FileSystem,
    archive: Archive,
    segments: Segment[],
    file: JournalFile,
  ) {
    // At the bound there is always a segment that ends, so that the archive can take it.
    this.#options = { ...options, segmentBytes: Math.min(options.segmentBytes, options.maxBytes / 4) };
    this.#fs = fs;
    this.#archive = archive;
    this.#segments = segments;
    this.#file = file;
    this.#durable = segments.at(-1)?.lastSequence ?? 0;
    this.#trimmed = (segments[0]?.firstSequence ?? 1) - 1;
    this.#filling = new Group(this.#durable + 1);
  }

  /** Opens the journal of a folder: makes it, or checks it and cuts a torn tail. Throws `journal-damaged`, `journal-version`. */
  static async open(options: JournalOptions): Promise<Journal> {
    const fs = options.fs ?? nodeFileSystem;
    await fs.makeFolder(options.dir);
    const archive = await openArchive({ ...options, dir: options.archiveDir, fs, ...options.archive });
    const scans = await scanJournal(fs, options.dir);
    const damage = damageOf(scans);
    if (damage) throw damage;
    const last = scans.at(-1);
    if (last && last.end < segmentHeaderBytes) {
      await fs.remove(last.segment.path);
      scans.pop();
    } else if (last) await settle(fs, last, options.log);
    const segments = scans.map((scan) => ({
      path: scan.segment.path,
      firstSequence: scan.firstSequence,
      lastSequence: scan.lastSequence,
      bytes: scan.end,
    }));
    const active = segments.at(-1);
    if (active) {
      await fs.syncFolder(options.dir);
      return new Journal(options, fs, archive, segments, await fs.open(active.path, "append"));
    }
    const { segment, file } = await createSegment(fs, options.dir, last?.firstSequence ?? 1);
    return new Journal(options, fs, archive, [segment], file);
  }

  get durableSequence(): number {
    return this.#durable;
  }

  get status(): JournalStatus {
    return {
      bytes: this.#bytes(),
      maxBytes: this.#options.maxBytes,
      durableSequence: this.#durable,
      trimmedSequence: this.#trimmed,
      archiveBytes: this.#archive.bytes,
      fault: this.#fault ?? (this.#fits(this.#refusedBytes) ? undefined : this.#full()),
    };
  }

  append(run: RawRun, done: Done): void {
    const bytes = recordBytes(run);
    const refusal = this.#refusal(bytes);
    if (refusal) {
      done(refusal, 0);
      return;
    }
    this.#filling.add(run, this.#durable, done);
    this.#writing ??= this.#write();
  }

  trim(sequence: number): void {
    if (sequence <= this.#trimmed) return;
    this.#trimmed = Math.min(sequence, this.#durable);
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0];
      if (!oldest || oldest.lastSequence > this.#trimmed) break;
      this.#segments.shift();
      this.#archive.take(oldest);
    }
  }

  /** Goes on at a later sequence than it would: history knows messages that the journal has lost. */
  async skipTo(sequence: number): Promise<void> {
    await this.#writing;
    if (sequence <= this.#durable) return;
    this.#options.log.warn(
      { journal: this.#durable, history: sequence },
      "the journal ends before what history holds, so its end is damaged or was moved away (a restored backup has none): what was acknowledged after that and not processed is lost",
    );
    const { segment, file } = await createSegment(this.#fs, this.#options.dir, sequence + 1, true);
    await this.#file.close();
    this.#file = file;
    this.#segments.push(segment);
    this.#durable = sequence;
    this.#filling = new Group(sequence + 1);
    this.trim(sequence);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#callOff?.();
    await this.#writing;
    await this.#archive.close();
    await this.#file.close();
  }

  #bytes(): number {
    let sum = this.#archive.waitingBytes;
    for (const segment of this.#segments) sum += segment.bytes;
    return sum;
  }

  #refusal(bytes: number): ObiegError | undefined {
    if (this.#closed) return new ObiegError("journal-closed", "the journal is closed", { retryable: true });
    const fault = this.#fault ?? (this.#fits(bytes) ? undefined : this.#full());
    if (!fault) return undefined;
    if (!this.#fault) this.#refusedBytes = bytes;
    return new ObiegError(fault.code, fault.message, { retryable: true });
  }

  #fits(bytes: number): boolean {
    const pending = this.#filling.used + bytes;
    return pending <= maxPendingBytes && this.#bytes() + pending <= this.#options.maxBytes;
  }

  #full(): NonNullable<JournalStatus["fault"]> {
    const message = `the journal is at its bound of ${this.#options.maxBytes} bytes: the works are behind`;
    return { code: "journal-full", message };
  }

  /** Writes group after group until none waits. Appends of this turn of the loop travel together. */
  async #write(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#filling.isEmpty) {
      const group = this.#filling;
      this.#filling = new Group(group.lastSequence + 1, this.#spare);
      this.#spare = undefined;
      try {
        await this.#commit(group);
      } catch (error) {
        this.#poison(error as Error, group);
        break;
      }
      this.#spare = group.spare;
    }
    this.#writing = undefined;
  }

  async #commit(group: Group): Promise<void> {
    const segment = this.#segments.at(-1);
    if (!segment) throw new ObiegError("journal-closed", "the journal has no segment");
    await this.#file.write(group.records, segment.bytes);
    await this.#file.datasync();
    segment.bytes += group.used;
    segment.lastSequence = this.#durable = group.lastSequence;
    group.succeed();
    if (segment.bytes >= this.#options.segmentBytes) await this.#rotate();
  }

  async #rotate(): Promise<void> {
    const { segment, file } = await createSegment(this.#fs, this.#options.dir, this.#durable + 1);
    const before = this.#file;
    this.#file = file;
    this.#segments.push(segment);
    await before.close();
  }

  /** Nothing of a failed group is acknowledged, nor anything after it until the journal was reopened and checked. */
  #poison(error: Error, group: Group): void {
    const message = `the journal can't be written (${error.message}): nothing is acknowledged until it can`;
    this.#fault = { code: "journal-poisoned", message };
    this.#options.log.error({ err: error }, message);
    const refusal = new ObiegError("journal-poisoned", message, { retryable: true, cause: error });
    const refused = [group, this.#filling];
    this.#filling = new Group(this.#durable + 1);
    for (const one of refused) one.fail(refusal);
    this.#scheduleRecovery();
  }

  #scheduleRecovery(): void {
    if (this.#closed) return;
    this.#callOff = (this.#options.later ?? timeout)(() => {
      this.#writing = this.#recover().finally(() => {
        this.#writing = this.#filling.isEmpty ? undefined : this.#write();
      });
    }, recoverAfterMs);
  }

  /** Cuts what was refused, and goes on in a new segment: a file whose sync failed once isn't trusted again. */
  async #recover(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (!segment) return;
    try {
      await this.#file.close().catch(() => undefined);
      const free = await this.#fs.freeBytes(this.#options.dir);
      if (free < groupBytes) throw new Error(`no room: ${free} bytes are free, ${groupBytes} are needed`);
      const isEmpty = segment.lastSequence < segment.firstSequence;
      if (!isEmpty) await this.#cut(segment);
      const before = this.#segments.at(isEmpty ? -2 : -1);
      const hasGap = before !== undefined && before.lastSequence < this.#durable;
      const made = await createSegment(this.#fs, this.#options.dir, this.#durable + 1, hasGap);
      this.#file = made.file;
      if (isEmpty) this.#segments.pop();
      this.#segments.push(made.segment);
      this.#fault = undefined;
      this.#options.log.info({ sequence: this.#durable }, "the journal takes messages again");
    } catch (error) {
      this.#options.log.warn({ err: error }, "the journal still can't be written");
      this.#scheduleRecovery();
    }
  }

  /** Cuts a segment back to what was acknowledged, and reads that again. Throws when it isn't whole. */
  async #cut(segment: Segment): Promise<void> {
    const file = await this.#fs.open(segment.path, "append");
    try {
      await file.truncate(segment.bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    const name = { path: segment.path, name: "", firstSequence: segment.firstSequence };
    const damage = damageOf([await scanSegment(this.#fs, name, true)]);
    if (damage) throw damage;
  }
}

/** Opens the journal of a data folder for writing. Throws `journal-damaged`, `journal-version`. */
export function openJournal(options: JournalOptions): Promise<Journal> {
  return Journal.open(options);
}
