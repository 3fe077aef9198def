import { join } from "node:path";
import { type FileSystem, nodeFileSystem } from "./file-system.js";
import { type JournalFault, scanJournal, type SegmentScan } from "./recovery.js";
import { listSegments, readHeader, salvage, segmentHeader, segmentHeaderBytes } from "./segment.js";

/** How a journal stands. */
export interface JournalReport {
  segments: number;
  messages: number;
  bytes: number;
  firstSequence: number;
  lastSequence: number;
  /** What isn't whole; `torn` is cut by itself at the next start. */
  faults: JournalFault[];
}

/** What a repair did. */
export interface RepairReport {
  /** Segments that were rewritten with what is readable in them. */
  rewritten: string[];
  /** Where their bytes stand as they were. */
  kept: string[];
  /** Messages saved from behind the damage. */
  salvaged: number;
  /** The segment that the journal is taken to begin with, when this repair said so; what stood before it is given up. */
  begins?: string;
}

function report(scans: readonly SegmentScan[]): JournalReport {
  return {
    segments: scans.length,
    messages: scans.reduce((sum, scan) => sum + scan.messages, 0),
    bytes: scans.reduce((sum, scan) => sum + scan.size, 0),
    firstSequence: scans[0]?.firstSequence ?? 0,
    lastSequence: scans.at(-1)?.lastSequence ?? 0,
    faults: scans.flatMap((scan) => scan.faults),
  };
}

/** Reads every record of the journal in a folder and says what isn't whole. Changes nothing. */
export async function verifyJournal(dir: string, fs: FileSystem = nodeFileSystem): Promise<JournalReport> {
  return report(await scanJournal(fs, dir));
}

/**
 * Rewrites damaged segments with every record that is still whole; the bytes as they were are kept beside, as `.damaged`.
 * To be called while nobody writes. Guarantee: no whole record is lost, wherever it is cut; run twice, it changes nothing the second time.
 */
export async function repairJournal(dir: string, fs: FileSystem = nodeFileSystem): Promise<RepairReport> {
  const done: RepairReport = { rewritten: [], kept: [], salvaged: 0 };
  for (const scan of await scanJournal(fs, dir)) {
    if (scan.faults.some(({ kind }) => kind !== "torn" && kind !== "other-version"))
      await rewrite(fs, dir, scan, done);
  }
  const [first] = await listSegments(fs, dir);
  if (first && first.firstSequence > 1 && !(await isMarked(fs, first.path))) {
    await markGap(fs, first.path, first.firstSequence);
    done.begins = first.path;
  }
  return done;
}

async function rewrite(fs: FileSystem, dir: string, scan: SegmentScan, done: RepairReport): Promise<void> {
  const { path, firstSequence } = scan.segment;
  const later = (await listSegments(fs, dir)).find((segment) => segment.firstSequence > firstSequence);
  const source = await fs.open(path, "read");
  const temporary = `${path}.new`;
  await fs.remove(temporary).catch(() => undefined);
  const target = await fs.open(temporary, "create");
  let at = segmentHeaderBytes;
  let last = firstSequence - 1;
  try {
    await target.write(segmentHeader({ firstSequence, repaired: true }), 0);
    for await (const { record, bytes } of salvage(source, Math.min(segmentHeaderBytes, scan.size))) {
      if (record.firstSequence <= last || (later && record.firstSequence >= later.firstSequence)) continue;
      const record_ = bytes.subarray(record.start, record.end);
      await target.write(record_, at);
      at += record_.length;
      last = record.lastSequence;
      if (record.firstSequence > scan.lastSequence)
        done.salvaged += record.lastSequence - record.firstSequence + 1;
    }
    await target.datasync();
  } finally {
    await target.close();
    await source.close();
  }
  const kept = join(dir, `${scan.segment.name}.damaged`);
  // The segment has a name at any moment: a repair that is cut is done again.
  await fs.remove(kept).catch(() => undefined);
  await fs.keepAs(path, kept);
  await fs.syncFolder(dir);
  await fs.rename(temporary, path);
  await fs.syncFolder(dir);
  if (later) await markGap(fs, later.path, later.firstSequence);
  done.rewritten.push(path);
  done.kept.push(kept);
}

async function isMarked(fs: FileSystem, path: string): Promise<boolean> {
  const file = await fs.open(path, "read");
  try {
    const header = await readHeader(file);
    return header?.version !== undefined || header?.repaired === true;
  } finally {
    await file.close();
  }
}

/** Lets the segment after a repaired one begin where it does: sequences before it may be lost. */
async function markGap(fs: FileSystem, path: string, firstSequence: number): Promise<void> {
  const file = await fs.open(path, "append");
  try {
    await file.write(segmentHeader({ firstSequence, repaired: true }), 0);
    await file.datasync();
  } finally {
    await file.close();
  }
}
