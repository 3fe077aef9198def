import { type JournalMessage, ObiegError } from "../../devices/index.js";
import { type FileSystem, type JournalFile, nodeFileSystem } from "./file-system.js";
import type { JournalReader } from "./port.js";
import { messagesIn } from "./record.js";
import { listSegments, readHeader, SegmentCursor, type SegmentName } from "./segment.js";

interface OpenSegment {
  segment: SegmentName;
  file: JournalFile;
  cursor: SegmentCursor;
  repaired: boolean;
}

/** Memory that is used in turns: what one turn took is given out again in the turn after the next. */
class Windows {
  #now: Buffer[] = [];
  #before: Buffer[] = [];
  #used = 0;

  turn(): void {
    [this.#now, this.#before] = [this.#before, this.#now];
    this.#used = 0;
  }

  take(bytes: number): Buffer {
    const kept = this.#now[this.#used];
    const window = kept && kept.length >= bytes ? kept : Buffer.allocUnsafeSlow(bytes);
    this.#now[this.#used] = window;
    this.#used += 1;
    return window;
  }
}

class SegmentReader implements JournalReader {
  readonly #dir: string;
  readonly #fs: FileSystem;
  #last: number;
  #open: OpenSegment | undefined;
  readonly #windows = new Windows();

  constructor(dir: string, fs: FileSystem, after: number) {
    this.#dir = dir;
    this.#fs = fs;
    this.#last = after;
  }

  async read(durableSequence: number, maxMessages: number, maxBytes: number): Promise<JournalMessage[]> {
    const messages: JournalMessage[] = [];
    try {
      await this.#readInto(messages, durableSequence, maxMessages, maxBytes);
    } catch (error) {
      // What was read before the fault is given first; asked again, the fault is met again.
      if (messages.length === 0) throw error;
    }
    return messages;
  }

  async #readInto(
    messages: JournalMessage[],
    durableSequence: number,
    maxMessages: number,
    maxBytes: number,
  ): Promise<void> {
    let bytes = 0;
    this.#windows.turn();
    // Bytes that were read before they were durable may have been cut and written anew since.
    this.#open?.cursor.refresh();
    while (this.#last < durableSequence && messages.length < maxMessages && bytes < maxBytes) {
      const current = (this.#open ??= await this.#seek());
      if (!current) break;
      const found = await current.cursor.next();
      if (typeof found === "string") {
        if (!(await this.#turnPage(current, found))) break;
        continue;
      }
      if (found.lastSequence <= this.#last) continue;
      if (found.lastSequence > durableSequence) break;
      if (found.firstSequence > this.#last + 1 && !current.repaired) throw this.#damage(current);
      bytes += found.end - found.start;
      for (const message of messagesIn(current.cursor.buffer, found))
        if (message.sequence > this.#last) messages.push(message);
      this.#last = found.lastSequence;
    }
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }

  /** Opens the segment that holds the next message; undefined when there is none. */
  async #seek(): Promise<OpenSegment | undefined> {
    const segments = await listSegments(this.#fs, this.#dir);
    const segment = segments.findLast(({ firstSequence }) => firstSequence <= this.#last + 1) ?? segments[0];
    return segment && this.#enter(segment);
  }

  async #enter(segment: SegmentName): Promise<OpenSegment> {
    const file = await this.#fs.open(segment.path, "read");
    const found = await readHeader(file).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    const header = found?.version === undefined ? found : undefined;
    const entered = {
      segment,
      file,
      cursor: new SegmentCursor(file, (bytes) => this.#windows.take(bytes)),
      repaired: header?.repaired ?? false,
    };
    if (header) {
      if (segment.firstSequence > this.#last + 1 && header.repaired) this.#last = segment.firstSequence - 1;
      if (segment.firstSequence <= this.#last + 1 || this.#open !== undefined) return entered;
    }
    await file.close();
    throw header ? this.#gone(segment) : this.#damage(entered);
  }

  /** At the end of a segment: on to the next one. A message that is durable must stand in one of them. */
  async #turnPage(current: OpenSegment, found: "end" | "broken"): Promise<boolean> {
    const segments = await listSegments(this.#fs, this.#dir);
    const next = segments.find(({ firstSequence }) => firstSequence > current.segment.firstSequence);
    if (
      found === "broken" ||
      !next ||
      (next.firstSequence !== this.#last + 1 && !(await this.#isRepaired(next)))
    ) {
      throw this.#damage(current);
    }
    const entered = await this.#enter(next);
    await current.file.close();
    this.#open = entered;
    return true;
  }

  async #isRepaired(segment: SegmentName): Promise<boolean> {
    const file = await this.#fs.open(segment.path, "read");
    try {
      const header = await readHeader(file);
      return header?.version === undefined && header?.repaired === true;
    } finally {
      await file.close();
    }
  }

  #gone({ path, firstSequence }: SegmentName): ObiegError {
    return new ObiegError(
      "journal-damaged",
      `messages ${this.#last + 1} to ${firstSequence - 1} should stand before ${path}: copy the missing segments back from a copy of the data folder, or accept that they are lost: stop obieg, then obieg journal repair`,
    );
  }

  #damage(current: OpenSegment): ObiegError {
    return new ObiegError(
      "journal-damaged",
      `${current.segment.path} is damaged at byte ${current.cursor.position}: message ${this.#last + 1} can't be read. Stop obieg, then: obieg journal repair`,
    );
  }
}

/** Opens the journal of a folder for reading, after a sequence. Reads by the files alone, beside the writer. */
export function openJournalReader(options: { dir: string; after: number; fs?: FileSystem }): JournalReader {
  return new SegmentReader(options.dir, options.fs ?? nodeFileSystem, options.after);
}

/** First sequence that stands in the segments of a journal; undefined when it has none. */
export async function firstInJournal(
  dir: string,
  fs: FileSystem = nodeFileSystem,
): Promise<number | undefined> {
  return (await listSegments(fs, dir))[0]?.firstSequence;
}
