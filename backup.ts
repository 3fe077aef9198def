import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { ObiegError } from "./devices/index.js";
import { type JournalReport, verifyJournal } from "./ingest/journal/index.js";
import type { BackupReport } from "./ingest/index.js";
import type { History } from "./ingest/stores/port.js";
import type { StateStore } from "./ingest/stores/state.js";

const manifestName = "backup.json";
const manifestSchema = z.object({
  format: z.literal(1),
  madeAt: z.iso.datetime(),
  /** Journal sequence that the history holds; the journal's later messages are processed when the copy is started. */
  position: z.int().nonnegative(),
  files: z.array(z.object({ path: z.string(), bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
});
type Manifest = z.output<typeof manifestSchema>;

/** What a backup is made of. */
export interface BackupParts {
  state: StateStore;
  history: Pick<History, "backup" | "position">;
  dataDir: string;
  /** Copies the broker's sessions into an existing folder. */
  sessions: (dir: string) => Promise<void>;
}

/** What was found of a backup. */
export interface BackupVerdict extends BackupReport {
  madeAt: string;
  position: number;
  journal: JournalReport;
  /** What isn't as it was written; empty: the backup is whole. */
  faults: { path: string; message: string }[];
}

const codeOf = ({ code = "", message }: NodeJS.ErrnoException): string => code || message;

async function filesUnder(dir: string): Promise<string[]> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function synced(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function copyJournal(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of (await readdir(from)).sort()) {
    await copyFile(join(from, name), join(to, name));
    await synced(join(to, name));
  }
  await synced(to);
}

/** Makes a folder and those above it, one by one: Node's recursive mkdir never returns where the kernel says ENOENT, as in /proc. */
async function makeFolder(dir: string): Promise<void> {
  const make = (): Promise<string> => mkdir(dir, { mode: 0o700 }).then(() => "made", codeOf);
  let code = await make();
  if (code === "ENOENT" && dirname(dir) !== dir) {
    await makeFolder(dirname(dir));
    code = await make();
  }
  if (code !== "made" && code !== "EEXIST") throw new Error(code);
}

/** Makes sure of an empty folder outside of the data; nothing is touched before it is known to be one. */
async function takeEmptyFolder(dir: string, dataDir: string): Promise<void> {
  if (!relative(resolve(dataDir), resolve(dir)).startsWith(".."))
    throw new ObiegError("backup-folder", `${dir} lies in the data folder: name one elsewhere`);
  const names = await makeFolder(resolve(dir))
    .then(() => readdir(dir))
    .catch((cause: Error) => {
      throw new ObiegError("backup-folder", `${dir} can't be used: ${cause.message}`, { cause });
    });
  if (names.length > 0) throw new ObiegError("backup-not-empty", `${dir} isn't empty: name a new folder`);
  await chmod(dir, 0o700);
}

/**
 * Copies a consistent image of a running service's data into an empty folder: first the state, then the history, then the journal,
 * each as new as the one before or newer, so that a start on the copy catches up by itself. The journal must not be trimmed meanwhile.
 * Throws `backup-folder`, `backup-not-empty`, `backup-copy`, `sealed-day-damaged`.
 * Guarantee: when it resolves, everything that was acknowledged before the call is in the copy, on disk, with checksums.
 */
export async function makeBackup(parts: BackupParts, dir: string, nowMs: number): Promise<BackupReport> {
  await takeEmptyFolder(dir, parts.dataDir);
  await mkdir(join(dir, "state"), { mode: 0o700 });
  await parts.state.backup(join(dir, "state"));
  await parts.sessions(join(dir, "state"));
  const { position } = parts.history;
  await parts.history.backup(dir);
  await copyJournal(join(parts.dataDir, "journal"), join(dir, "journal"));
  const files: Manifest["files"] = [];
  for (const path of await filesUnder(dir)) {
    await synced(path);
    files.push({ path: relative(dir, path), bytes: (await stat(path)).size, sha256: await digest(path) });
  }
  const manifest: Manifest = { format: 1, madeAt: new Date(nowMs).toISOString(), position, files };
  await writeFile(join(dir, manifestName), JSON.stringify(manifest, null, 1));
  await synced(join(dir, manifestName));
  await synced(dir);
  return { dir, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, manifestName);
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new ObiegError("backup-unreadable", `${path}: ${why}: name a folder that obieg backup made`, {
      cause,
    });
  }
}

/** Reads every byte of a backup and compares it with what was written. Changes nothing. Throws `backup-unreadable`. */
export async function verifyBackup(
  dir: string,
  onFile: (path: string) => void = () => undefined,
): Promise<BackupVerdict> {
  const manifest = await readManifest(dir);
  const faults: BackupVerdict["faults"] = [];
  for (const { path, bytes, sha256 } of manifest.files) {
    onFile(path);
    const file = join(dir, path);
    if (!existsSync(file)) faults.push({ path, message: "is missing" });
    else if ((await stat(file)).size !== bytes) faults.push({ path, message: `should have ${bytes} bytes` });
    else if ((await digest(file)) !== sha256) faults.push({ path, message: "its bytes changed" });
  }
  const known = new Set([manifestName, ...manifest.files.map(({ path }) => path)]);
  for (const path of await filesUnder(dir))
    if (!known.has(relative(dir, path)))
      faults.push({ path: relative(dir, path), message: "wasn't written by the backup" });
  const journal = await verifyJournal(join(dir, "journal"));
  for (const { kind, file, detail } of journal.faults)
    if (kind !== "torn") faults.push({ path: join("journal", basename(file)), message: detail });
  return {
    dir,
    files: manifest.files.length,
    bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0),
    madeAt: manifest.madeAt,
    position: manifest.position,
    journal,
    faults,
  };
}
