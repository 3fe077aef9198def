import { type FileSystem, type JournalFile, nodeFileSystem } from "../../ingest/journal/index.js";

/** The machine's file system, with faults that a test turns on and off. */
export interface FaultyDisk extends FileSystem {
  /** Bytes that may still be written; a write that needs more leaves what fits and fails as a full disk does. */
  room: number;
  /** While true, every fdatasync fails. */
  failsSync: boolean;
  /** While true, every read fails. */
  failsRead: boolean;
}

const fault = (code: string, text: string): Error => Object.assign(new Error(`${code}: ${text}`), { code });

/** Opens a disk that works until it is told not to. */
export function openFaultyDisk(): FaultyDisk {
  const disk: FaultyDisk = {
    ...nodeFileSystem,
    room: Number.POSITIVE_INFINITY,
    failsSync: false,
    failsRead: false,
    async open(path, mode) {
      const file = await nodeFileSystem.open(path, mode);
      const wrapped: JournalFile = {
        async write(bytes, position) {
          const fits = Math.min(bytes.length, disk.room);
          disk.room -= fits;
          if (fits > 0) await file.write(bytes.subarray(0, fits), position);
          if (fits < bytes.length) throw fault("ENOSPC", "no space left on device, write");
        },
        async read(into, position) {
          if (disk.failsRead) throw fault("EIO", "i/o error, read");
          return file.read(into, position);
        },
        async datasync() {
          if (disk.failsSync) throw fault("EIO", "i/o error, fdatasync");
          await file.datasync();
        },
        truncate: (length) => file.truncate(length),
        size: () => file.size(),
        close: () => file.close(),
      };
      return wrapped;
    },
    freeBytes: async () => disk.room,
  };
  return disk;
}
