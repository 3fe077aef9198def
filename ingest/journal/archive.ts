import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, gunzip } from "node:zlib";
import { type JournalMessage, ObiegError } from "../../devices/index.js";
import type { FileSystem, JournalFile } from "./file-system.js";
import { findRecord, messagesIn } from "./record.js";
import { formatVersion, segmentHeaderBytes } from "./segment.js";

const gunzipAsync = promisify(gunzip);
const dayMs = 86_400_000;
const chunkBytes = 2 ** 16;

/** Where used segments go: compressed, one file a segment, `{first}-{last}.journal.gz`. */
export interface Archive {
  /** Bytes of the archive, and of segments that wait to enter it. */
  readonly bytes: number;
  readonly waitingBytes: number;
  /** Takes a segment that nobody writes any more; works in the background, one at a time. */
  take(segment: { path: string; firstSequence: number; lastSequence: number; bytes: number }): void;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** How an archive is opened. */
export interface ArchiveOptions {
  dir: string;
  fs: FileSystem;
  maxDays: number;
  maxBytes: number;
  clock(): number;
  log: { warn(facts: object, message: string): void };
}

interface ArchiveFile {
  name: string;
  path: string;
  firstSequence: number;
  lastSequence: number;
}

async function listArchive(fs: FileSystem, dir: string): Promise<ArchiveFile[]> {
  return (await fs.list(dir))
    .filter((name) => /^\d{16}-\d{16}\.journal\.gz$/.test(name))
    .sort()
    .map((name) => ({
      name,
      path: join(dir, name),
      firstSequence: Number(name.slice(0, 16)),
      lastSequence: Number(name.slice(17, 33)),
    }));
}

async function readWhole(file: JournalFile, bytes: number): Promise<Buffer> {
  const whole = Buffer.alloc(bytes);
  try {
    await file.read(whole, 0);
  } finally {
    await file.close();
  }
  return whole;
}

/** The first `bytes` of a file, piece by piece: never more than a piece of it in memory. */
async function* piecesOf(file: JournalFile, bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes;) {
    const piece = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - at));
    const got = await file.read(piece, at);
    if (got === 0) return;
    at += got;
    yield piece.subarray(0, got);
  }
}

const pad = (sequence: number): string => String(sequence).padStart(16, "0");

/** Opens the archive of a data folder. At its bounds the oldest files go first; what can't be archived is let go with a warning. */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const { dir, fs, log } = options;
  await fs.makeFolder(dir);
  let bytes = 0;
  for (const file of await listArchive(fs, dir)) bytes += (await fs.stat(file.path)).size;
  let waitingBytes = 0;
  let work = Promise.resolve();
  const used: Parameters<Archive["take"]>[0][] = [];

  /** In order, each on the disk before the next: a power cut must never leave a hole between segments. */
  const removeUsed = async (): Promise<void> => {
    for (let oldest = used[0]; oldest; oldest = used[0]) {
      await fs.remove(oldest.path);
      await fs.syncFolder(dirname(oldest.path));
      waitingBytes -= oldest.bytes;
      used.shift();
    }
  };
  const prune = async (): Promise<void> => {
    for (const file of await listArchive(fs, dir)) {
      const { size, modifiedMs } = await fs.stat(file.path);
      if (bytes <= options.maxBytes && modifiedMs > options.clock() - options.maxDays * dayMs) return;
      await fs.remove(file.path);
      bytes -= size;
    }
  };
  const compress = async (segment: Parameters<Archive["take"]>[0]): Promise<void> => {
    const name = `${pad(segment.firstSequence)}-${pad(segment.lastSequence)}.journal.gz`;
    const temporary = join(dir, `${name}.new`);
    await fs.remove(temporary).catch(() => undefined);
    let packed = 0;
    try {
      const source = await fs.open(segment.path, "read");
      const file = await fs.open(temporary, "create");
      try {
        await pipeline(
          piecesOf(source, segment.bytes),
          createGzip({ level: constants.Z_BEST_SPEED }),
          async (pieces: AsyncIterable<Buffer>) => {
            for await (const piece of pieces) {
              await file.write(piece, packed);
              packed += piece.length;
            }
          },
        );
        await file.datasync();
      } finally {
        await source.close();
        await file.close();
      }
      await fs.rename(temporary, join(dir, name));
    } catch (error) {
      await fs.remove(temporary).catch(() => undefined);
      throw error;
    }
    await fs.syncFolder(dir);
    bytes += packed;
  };

  return {
    get bytes() {
      return bytes;
    },
    get waitingBytes() {
      return waitingBytes;
    },
    take(segment) {
      waitingBytes += segment.bytes;
      work = work.then(async () => {
        try {
          await prune();
          await compress(segment);
          await prune();
        } catch (error) {
          log.warn({ err: error, file: segment.path }, "a used segment can't be archived; it is let go");
        }
        used.push(segment);
        await removeUsed().catch((error: unknown) =>
          log.warn({ err: error, file: used[0]?.path }, "a used segment stays for now"),
        );
      });
    },
    close: () => work,
  };
}

/** Reads archived messages back, oldest first, from a sequence on. Throws `archive-damaged`, `archive-version` naming the file. */
export async function* readArchive(
  fs: FileSystem,
  dir: string,
  fromSequence = 1,
): AsyncGenerator<JournalMessage> {
  for (const file of await listArchive(fs, dir)) {
    if (file.lastSequence < fromSequence) continue;
    const raw = await unpack(fs, file);
    for (let at = segmentHeaderBytes; at < raw.length;) {
      const record = findRecord(raw, at);
      if (typeof record === "string") throw damaged(file, `its bytes are wrong at ${at}`);
      for (const message of messagesIn(raw, record)) if (message.sequence >= fromSequence) yield message;
      at = record.end;
    }
  }
}

const damaged = ({ path }: ArchiveFile, why: string): ObiegError =>
  new ObiegError(
    "archive-damaged",
    `${path} is damaged (${why}): copy it back from a copy of the data folder, or move it away: its messages are then left out`,
    { detail: { file: path } },
  );

async function unpack(fs: FileSystem, file: ArchiveFile): Promise<Buffer> {
  const source = await fs.open(file.path, "read");
  const packed = await readWhole(source, await source.size());
  const raw = await gunzipAsync(packed).catch((error: Error) => {
    throw damaged(file, error.message);
  });
  const version = raw.toString("latin1", 3, 4);
  if (raw.length < segmentHeaderBytes || raw.toString("latin1", 0, 3) !== "OBJ")
    throw damaged(file, "it doesn't begin as a segment");
  if (version !== formatVersion) {
    throw new ObiegError(
      "archive-version",
      `${file.path} is written in format ${version}, this obieg reads format ${formatVersion}: move it away, or read it with the obieg that wrote it`,
    );
  }
  return raw;
}
