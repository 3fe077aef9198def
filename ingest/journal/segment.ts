import { join } from "node:path";
import type { FileSystem, JournalFile } from "./file-system.js";
import { findRecord, type FoundRecord, maxRecordBytes } from "./record.js";

/** Bytes of a segment before its first record. */
export const segmentHeaderBytes = 16;
/** Version of the format that this program writes and reads. */
export const formatVersion = "2";
const magic = "OBJ";
const chunkBytes = 2 ** 20;

/** A segment by its name: `{first sequence, 16 digits}.journal`. */
export interface SegmentName {
  path: string;
  name: string;
  firstSequence: number;
}

/** Name of the segment that begins with a sequence. */
export function segmentName(firstSequence: number): string {
  return `${String(firstSequence).padStart(16, "0")}.journal`;
}

/** The segments of a folder, in order. Other files are none of ours. */
export async function listSegments(fs: FileSystem, dir: string): Promise<SegmentName[]> {
  const names = (await fs.list(dir)).filter((name) => /^\d{16}\.journal$/.test(name)).sort();
  return names.map((name) => ({ name, path: join(dir, name), firstSequence: Number(name.slice(0, 16)) }));
}

/** What stands at the head of a segment. `repaired`: sequences may be missing in it or just before it. */
export interface SegmentHeader {
  firstSequence: number;
  repaired: boolean;
}

/** The head of a segment as bytes. */
export function segmentHeader({ firstSequence, repaired }: SegmentHeader): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  header.write(magic + formatVersion, "latin1");
  header.writeUInt32LE(repaired ? 1 : 0, 4);
  header.writeDoubleLE(firstSequence, 8);
  return header;
}

/** Reads a segment's head; the `version` of another format, or undefined when it isn't a head at all. */
export async function readHeader(
  file: JournalFile,
): Promise<(SegmentHeader & { version?: undefined }) | { version: string } | undefined> {
  const header = Buffer.alloc(segmentHeaderBytes);
  const got = await file.read(header, 0);
  if (got < segmentHeaderBytes || header.toString("latin1", 0, 3) !== magic) return undefined;
  const version = header.toString("latin1", 3, 4);
  if (version !== formatVersion) return { version };
  return { firstSequence: header.readDoubleLE(8), repaired: (header.readUInt32LE(4) & 1) === 1 };
}

/** A window over a segment's bytes that moves forward; records come out of it one after another. */
export class SegmentCursor {
  readonly #file: JournalFile;
  readonly #allocate: (bytes: number) => Buffer;
  #buffer: Buffer = Buffer.alloc(0);
  #bufferAt: number;
  #offset = 0;

  /** `allocate` makes the windows: at least so many bytes each. */
  constructor(file: JournalFile, allocate = (bytes: number): Buffer => Buffer.allocUnsafe(bytes)) {
    this.#file = file;
    this.#allocate = allocate;
    this.#bufferAt = segmentHeaderBytes;
  }

  /** File offset of the next record. */
  get position(): number {
    return this.#bufferAt + this.#offset;
  }

  /** The window that records point into; valid until the next call of {@link next}. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Forgets the window: what stands after {@link position} is read again from the file. */
  refresh(): void {
    this.#bufferAt = this.position;
    this.#offset = 0;
    this.#buffer = Buffer.alloc(0);
  }

  /** The next record; `end` when the file stops at or inside it, `broken` when its bytes are wrong. */
  async next(): Promise<FoundRecord | "end" | "broken"> {
    const found = findRecord(this.#buffer, this.#offset);
    if (found !== "short") {
      if (found !== "broken") this.#offset = found.end;
      return found;
    }
    if (!(await this.#fill())) return "end";
    return this.next();
  }

  /** Reads on, so that at least one more byte is in the window; false at the end of the file. */
  async #fill(): Promise<boolean> {
    const rest = this.#buffer.subarray(this.#offset);
    const wanted = rest.length >= 4 ? Math.min(rest.readUInt32LE(0), maxRecordBytes) : 0;
    const next = this.#allocate(Math.max(chunkBytes, wanted, rest.length + 1));
    rest.copy(next);
    const position = this.position;
    const got = await this.#file.read(next.subarray(rest.length), position + rest.length);
    this.#bufferAt = position;
    this.#offset = 0;
    this.#buffer = next.subarray(0, rest.length + got);
    return got > 0;
  }
}

/** Whole records anywhere after `position`, found byte by byte: what damage left readable. */
export async function* salvage(
  file: JournalFile,
  position: number,
): AsyncGenerator<{ record: FoundRecord; bytes: Buffer }> {
  const size = await file.size();
  const bytes = Buffer.alloc(Math.max(0, size - position));
  const got = await file.read(bytes, position);
  const whole = bytes.subarray(0, got);
  for (let at = 0; at < whole.length;) {
    const record = findRecord(whole, at);
    if (typeof record === "string") at += 1;
    else {
      yield { record, bytes: whole };
      at = record.end;
    }
  }
}
