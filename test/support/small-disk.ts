import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Why a small disk can't be had here; undefined when it can. Only root may mount one. */
export const noSmallDisk = process.getuid?.() === 0 ? undefined : "only root may mount a small disk";

/** A file system of a few megabytes, mounted at `dir`. */
export interface SmallDisk {
  dir: string;
  /** Bytes that may still be written. */
  free(): number;
  /** Writes until not one byte more fits, then makes room for `leave` bytes. */
  fill(leave?: number): void;
  /** Takes away what {@link fill} wrote. */
  empty(): void;
  /** Unmounts it; everything on it is gone. */
  remove(): void;
}

/** Mounts a tmpfs. Throws when the machine doesn't let root do that. */
export function mountSmallDisk(dir: string, megabytes: number): SmallDisk {
  mkdirSync(dir, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700`, "tmpfs", dir], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const filler = join(dir, "filler");
  const write = (piece: Buffer): void => {
    const handle = openSync(filler, "a");
    try {
      for (;;) writeSync(handle, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(handle);
    }
  };
  return {
    dir,
    free: () => {
      const { bavail, bsize } = statfsSync(dir);
      return bavail * bsize;
    },
    fill(leave = 0) {
      const reserve = join(dir, "reserve");
      if (leave > 0) {
        const handle = openSync(reserve, "w");
        writeSync(handle, Buffer.alloc(leave));
        closeSync(handle);
      }
      write(Buffer.alloc(65_536));
      write(Buffer.alloc(1));
      rmSync(reserve, { force: true });
    },
    empty: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync("umount", ["-l", dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
