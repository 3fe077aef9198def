import { join } from "node:path";
import type { FileSystem, JournalFile } from "./file-system.js";
import { segmentHeader, segmentHeaderBytes, segmentName } from "./segment.js";

/** A segment as the writer keeps it in mind. */
export interface Segment {
  path: string;
  firstSequence: number;
  lastSequence: number;
  bytes: number;
}
/** Makes the segment that begins with a sequence, on the disk with its name; an empty one left by a failed start is replaced. */
export async function createSegment(
  fs: FileSystem,
  dir: string,
  firstSequence: number,
  repaired = false,
): Promise<{ segment: Segment; file: JournalFile }> {
  const path = join(dir, segmentName(firstSequence));
  await fs.remove(path).catch(() => undefined);
  const file = await fs.open(path, "create");
  try {
    await file.write(segmentHeader({ firstSequence, repaired }), 0);
    await file.datasync();
    await fs.syncFolder(dir);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  const segment = { path, firstSequence, lastSequence: firstSequence - 1, bytes: segmentHeaderBytes };
  return { segment, file };
}
