import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  statfs,
  unlink,
} from "node:fs/promises";

/** An open file, as the journal needs it. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position`; gives how many bytes there were. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Resolved means that data and size are on the disk. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Port of the file system: what the journal asks of it, so that tests can let it fail or forget. */
export interface FileSystem {
  /** `read` an existing file, `append` to an existing one, or `create` one that must not exist. */
  open(path: string, mode: "read" | "append" | "create"): Promise<JournalFile>;
  list(dir: string): Promise<string[]>;
  /** Size in bytes and time of the last change, epoch milliseconds. */
  stat(path: string): Promise<{ size: number; modifiedMs: number }>;
  makeFolder(dir: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Keeps a file's bytes under a second name, which must not exist: on the disk once its folder is synced. */
  keepAs(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Bytes that may still be written in the file system of `dir`. */
  freeBytes(dir: string): Promise<number>;
  /** Resolved means that names made, changed or removed in `dir` are on the disk. */
  syncFolder(dir: string): Promise<void>;
}

/** Of file systems without second names. */
const unlinked = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

const flags = { read: "r", append: "r+", create: "wx+" } as const;

class NodeFile implements JournalFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The file system of the machine. */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) => new NodeFile(await open(path, flags[mode], 0o600)),
  list: (dir) => readdir(dir),
  async stat(path) {
    const { size, mtimeMs } = await stat(path);
    return { size, modifiedMs: mtimeMs };
  },
  async makeFolder(dir) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  },
  rename,
  async keepAs(from, to) {
    try {
      await link(from, to);
    } catch (error) {
      if (!unlinked.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
      await copyFile(from, to);
      const handle = await open(to, "r+");
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }
  },
  remove: unlink,
  async freeBytes(dir) {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize;
  },
  async syncFolder(dir) {
    const handle = await open(dir, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
