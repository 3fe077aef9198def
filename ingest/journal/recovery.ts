import { ObiegError } from "../../devices/index.js";
import type { FileSystem } from "./file-system.js";
import {
  formatVersion,
  listSegments,
  readHeader,
  salvage,
  SegmentCursor,
  type SegmentName,
} from "./segment.js";

/** A place where the journal isn't whole. */
export interface JournalFault {
  file: string;
  /** Byte offset in the file. */
  offset: number;
  /** `torn` is the harmless end of an interrupted write; `other-version` was written by another obieg; the others are damage. */
  kind: "torn" | "broken-record" | "broken-header" | "missing-segment" | "other-version";
  detail: string;
}

/** What stands in one segment. */
export interface SegmentScan {
  segment: SegmentName;
  messages: number;
  firstSequence: number;
  lastSequence: number;
  /** Offset after the last whole record. */
  end: number;
  size: number;
  repaired: boolean;
  faults: JournalFault[];
}

/** Reads a segment from end to end. `isLast`: nothing was written after it, so its end may be torn. */
export async function scanSegment(
  fs: FileSystem,
  segment: SegmentName,
  isLast: boolean,
): Promise<SegmentScan> {
  const file = await fs.open(segment.path, "read");
  try {
    const size = await file.size();
    const header = await readHeader(file);
    const scan: SegmentScan = {
      segment,
      messages: 0,
      firstSequence: segment.firstSequence,
      lastSequence: segment.firstSequence - 1,
      end: 0,
      size,
      repaired: false,
      faults: [],
    };
    const fault = (kind: JournalFault["kind"], offset: number, detail: string): void => {
      scan.faults.push({ file: segment.path, offset, kind, detail });
    };
    if (header?.version !== undefined) {
      const versions = `format ${header.version}, this obieg reads format ${formatVersion}`;
      fault("other-version", 0, versions);
      return scan;
    }
    if (!header || header.firstSequence !== segment.firstSequence) {
      const torn = isLast && (await isTorn(file, 0, segment.firstSequence));
      fault(torn ? "torn" : "broken-header", 0, "the head of the segment isn't readable");
      return scan;
    }
    scan.repaired = header.repaired;
    const cursor = new SegmentCursor(file);
    for (;;) {
      scan.end = cursor.position;
      const found = await cursor.next();
      if (found === "end" && scan.end === size) return scan;
      const follows =
        typeof found === "object" &&
        (found.firstSequence === scan.lastSequence + 1 ||
          (scan.repaired && found.firstSequence > scan.lastSequence));
      if (follows) {
        scan.messages += found.lastSequence - found.firstSequence + 1;
        scan.lastSequence = found.lastSequence;
        continue;
      }
      const torn = isLast && (await isTorn(file, scan.end, scan.lastSequence + 1));
      fault(
        torn ? "torn" : "broken-record",
        scan.end,
        `after message ${scan.lastSequence} no whole record follows (${size - scan.end} bytes left)`,
      );
      return scan;
    }
  } finally {
    await file.close();
  }
}

/**
 * True when what stands from `position` on was never synced: no whole record after it says that `sequence` was durable
 * when it was written. (A power cut may keep later pages of a group and lose earlier ones.)
 */
async function isTorn(
  file: Parameters<typeof salvage>[0],
  position: number,
  sequence: number,
): Promise<boolean> {
  for await (const { record } of salvage(file, position)) {
    if (record.firstSequence > sequence && record.firstSequence - record.sinceDurable >= sequence)
      return false;
  }
  return true;
}

/** Reads the whole journal. */
export async function scanJournal(fs: FileSystem, dir: string): Promise<SegmentScan[]> {
  const segments = await listSegments(fs, dir);
  const scans: SegmentScan[] = [];
  for (const [index, segment] of segments.entries()) {
    const scan = await scanSegment(fs, segment, index === segments.length - 1);
    const before = scans.at(-1);
    if (
      before &&
      before.lastSequence + 1 !== scan.firstSequence &&
      !scan.repaired &&
      before.faults.length === 0
    ) {
      scan.faults.unshift({
        file: segment.path,
        offset: 0,
        kind: "missing-segment",
        detail: `messages ${before.lastSequence + 1} to ${scan.firstSequence - 1} should stand before it`,
      });
    }
    scans.push(scan);
  }
  return scans;
}

/** The error for the first damage that a scan found; undefined when all is whole or only torn. */
export function damageOf(scans: readonly SegmentScan[]): ObiegError | undefined {
  const faults = scans.flatMap((scan) => scan.faults).filter((fault) => fault.kind !== "torn");
  const first = faults[0];
  if (!first) return undefined;
  const foreign = faults.find(({ kind }) => kind === "other-version");
  if (foreign) {
    return new ObiegError(
      "journal-version",
      `${foreign.file} is written in ${foreign.detail}. Start the obieg that wrote it, and let it process all, or move the file away`,
      { detail: { faults } },
    );
  }
  return new ObiegError(
    "journal-damaged",
    `${first.file} is damaged at byte ${first.offset}: ${first.detail}. Restore it from a backup, or keep what is readable with: obieg journal repair`,
    { detail: { faults } },
  );
}
