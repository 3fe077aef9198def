import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

/** The file beside a sealed day that holds its checksum, in the format of sha256sum(1). */
export function checksumFile(path: string): string {
  return `${path}.sha256`;
}

/** Writes the checksum beside a file. */
export function writeChecksum(path: string, sha256: string): void {
  writeFileSync(checksumFile(path), `${sha256}  ${basename(path)}\n`, { mode: 0o600 });
}

/** The checksum that stands beside a file, in hex; undefined when none does. */
export function checksumOf(path: string): string | undefined {
  if (!existsSync(checksumFile(path))) return undefined;
  return /^[0-9a-f]{64}/.exec(readFileSync(checksumFile(path), "utf8"))?.[0];
}

/** Puts a damaged file out of the way, as `.damaged`, where nothing takes it for a sealed day. */
export function setAside(path: string): void {
  renameSync(path, `${path}.damaged`);
  rmSync(checksumFile(path), { force: true });
}
