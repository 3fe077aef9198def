import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import type { RootDatabase } from "lmdb";
import { ObiegError } from "../../devices/index.js";

/** What is told of a file of LMDB that can't be used. */
export interface StateFault {
  code: "state-damaged" | "state-missing" | "sessions-damaged";
  /** What to do about it. */
  remedy: string;
}

/** Of `works.mdb`: it holds what nothing else does. */
export const worksFault: StateFault = {
  code: "state-damaged",
  remedy:
    "copy it back from a backup (its last changes of registry, users and alerts are lost; readings are not), or move it away and start with --city: rules, users and alerts begin anew",
};

/** Of `broker.mdb`: what is lost with it comes again by itself. */
export const sessionsFault: StateFault = {
  code: "sessions-damaged",
  remedy:
    "copy it back from a backup, or move it away: sessions, messages for clients that were away and retained messages begin anew",
};

const fault = ({ code, remedy }: StateFault, file: string, why: string): ObiegError =>
  new ObiegError(code, `${file} ${why}: ${remedy}`, { detail: { file } });

// Two pages begin an LMDB file, each with a header of 24 bytes and a meta: magic, version, address, size of the map (24 bytes), two
// trees of 48 bytes each (the first begins with the size of a page), last page, transaction.
const magic = 0xbeefc0de;
const magicAt = 24;
const pageSizeAt = 48;
const lastPageAt = 144;
const transactionAt = 152;
const headBytes = 65_536;

/**
 * Looks at a file before LMDB maps it: of one that is cut short, LMDB's reading would end the process.
 * Gives what is wrong with it; undefined when its head and its length are right, or when there is none.
 */
function faultOf(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const handle = openSync(file, "r");
  const head = Buffer.alloc(headBytes);
  try {
    const { size } = fstatSync(handle);
    if (size === 0) return undefined;
    const got = readSync(handle, head, 0, headBytes, 0);
    const pageBytes = head.readUInt32LE(pageSizeAt);
    const isWhole = got >= 2 * pageBytes && pageBytes >= 512 && pageBytes <= headBytes / 2;
    if (head.readUInt32LE(magicAt) !== magic || !isWhole || head.readUInt32LE(pageBytes + magicAt) !== magic)
      return "doesn't begin as LMDB's files do";
    const newest =
      head.readBigUInt64LE(transactionAt) >= head.readBigUInt64LE(pageBytes + transactionAt) ? 0 : pageBytes;
    const needed = (Number(head.readBigUInt64LE(newest + lastPageAt)) + 1) * pageBytes;
    return size < needed ? `has ${size} bytes instead of ${needed}` : undefined;
  } finally {
    closeSync(handle);
  }
}

/** Throws `state-damaged` or `sessions-damaged` when a file can't be LMDB's, with what to do. */
export function checkStateFile(file: string, of: StateFault): void {
  const why = faultOf(file);
  if (why !== undefined) throw fault(of, file, `is damaged (it ${why})`);
}

/** Throws `state-missing` when a folder that has taken messages has no state: it isn't made anew silently. */
export function requireStateFile(file: string, hasMessages: boolean): void {
  if (!hasMessages || existsSync(file)) return;
  const remedy =
    "copy it back from a backup (what changed since then in registry, users and alerts is lost; readings are not), or accept that it begins anew: obieg state renew, then start with --city";
  throw fault({ code: "state-missing", remedy }, file, "is missing although messages were taken here");
}

/** Reads every entry of every table. Throws as {@link checkStateFile} when one can't be read. */
export function readEveryEntry(root: RootDatabase, file: string, of: StateFault): void {
  try {
    // The names first: a table must not be opened while another read is under way.
    const names = [...root.getKeys()].filter((name) => typeof name === "string");
    for (const name of names) {
      for (const { value } of root.openDB({ name }).getRange()) void value;
    }
  } catch (cause) {
    throw fault(of, file, `is damaged (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}
