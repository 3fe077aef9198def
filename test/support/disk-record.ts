import { readFileSync } from "node:fs";

/** What a process did to its disk, or told somebody; `at` orders all of them. */
export type DiskEvent = { at: number } & (
  | { do: "create" | "remove" | "folder"; path: string }
  | { do: "rename"; path: string; to: string }
  | { do: "write"; path: string; offset: number; bytes: Buffer; isSynced: boolean }
  | { do: "truncate"; path: string; size: number }
  /** Covers what was done before `since`, when the call began. */
  | { do: "sync"; path: string; since: number }
  | { do: "sent"; bytes: Buffer }
);

/** System calls that {@link readRecord} understands; strace is to write them down with `-f -y -xx`. */
export const recordedCalls =
  "openat,lseek,write,writev,pwrite64,pwritev,pwritev2,sendmsg,ftruncate,truncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,fallocate,copy_file_range,msync,sync_file_range";

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll("\\x", ""), "hex");
const texts = (text: string): string[] =>
  [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = ""]) => unhex(hex).toString());
const dataOf = (text: string): Buffer =>
  Buffer.concat([...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = ""]) => unhex(hex)));
/** Number and name of the file that a call is about. */
const handleOf = (args: string): { fd: number; path: string } => {
  const found = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/.exec(args);
  return { fd: Number(found?.[1] ?? -1), path: unhex(found?.[2] ?? "").toString() };
};

/** A system call with its arguments and result, and the lines at which it began and ended. */
interface Call {
  name: string;
  args: string;
  result: string;
  began: number;
  ended: number;
}

function* callsOf(text: string): Generator<Call> {
  const under = new Map<string, { text: string; at: number }>();
  let at = 0;
  for (const line of text.split("\n")) {
    at += 1;
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    const open = /^(.*) <unfinished \.\.\.>$/s.exec(rest);
    if (open) {
      under.set(thread, { text: open[1] ?? "", at });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(rest);
    const begun = resumed ? under.get(thread) : undefined;
    const whole = begun ? begun.text + (resumed?.[1] ?? "") : rest;
    const parts = /^(\w+)\((.*)\)\s+= (.*)$/s.exec(whole);
    if (parts)
      yield {
        name: parts[1] ?? "",
        args: parts[2] ?? "",
        result: parts[3] ?? "",
        began: begun?.at ?? at,
        ended: at,
      };
  }
}

/**
 * Reads what strace wrote down of a process: events on files under `folder`, and what went out through sockets.
 * Throws for a call on such a file that the record has no word for.
 */
export function readRecord(file: string, folder: string): DiskEvent[] {
  const events: DiskEvent[] = [];
  const positions = new Map<number, { offset: number; isAppending: boolean; isSynced: boolean }>();
  const sizes = new Map<string, number>();
  const known = new Set<string>();
  const isOurs = (path: string): boolean => path.startsWith(`${folder}/`) && !path.endsWith("(deleted)");
  for (const { name, args, result, began, ended } of callsOf(readFileSync(file, "latin1"))) {
    if (result.startsWith("-1")) continue;
    const count = Number.parseInt(result, 10);
    const { fd, path } = handleOf(args);
    const wrote = (offset: number, bytes: Buffer): void => {
      const isSynced = positions.get(fd)?.isSynced ?? false;
      sizes.set(path, Math.max(sizes.get(path) ?? 0, offset + count));
      events.push({ at: ended, do: "write", path, offset, bytes: bytes.subarray(0, count), isSynced });
    };
    if (name === "openat") {
      const [opened = ""] = texts(args);
      const flags = args.slice(args.lastIndexOf('"'));
      if (!isOurs(opened)) continue;
      const isSynced = /O_D?SYNC/.test(flags);
      positions.set(count, { offset: 0, isAppending: flags.includes("O_APPEND"), isSynced });
      if (!known.has(opened) && flags.includes("O_CREAT"))
        events.push({ at: ended, do: "create", path: opened });
      if (flags.includes("O_CREAT")) known.add(opened);
      if (flags.includes("O_TRUNC")) events.push({ at: ended, do: "truncate", path: opened, size: 0 });
    } else if (path.startsWith("socket:") || path.startsWith("TCP:")) {
      if (/^(write|writev|sendmsg)$/.test(name))
        events.push({ at: began, do: "sent", bytes: dataOf(args.slice(args.indexOf(">"))) });
    } else if (name.startsWith("rename")) {
      const [from = "", to = ""] = texts(args);
      if (!isOurs(from)) continue;
      known.delete(from);
      known.add(to);
      events.push({ at: ended, do: "rename", path: from, to });
    } else if (name.startsWith("unlink")) {
      const [gone = ""] = texts(args);
      if (!isOurs(gone)) continue;
      known.delete(gone);
      events.push({ at: ended, do: "remove", path: gone });
    } else if (name.startsWith("mkdir")) {
      const [made = ""] = texts(args);
      if (isOurs(made) || made === folder) events.push({ at: ended, do: "folder", path: made });
    } else if (!isOurs(path) && path !== folder) continue;
    else if (name === "lseek") {
      const position = positions.get(fd);
      if (position) position.offset = count;
    } else if (name.startsWith("pwrite")) {
      const offset = Number((name === "pwritev2" ? /, (\d+), \w+$/ : /, (\d+)$/).exec(args)?.[1]);
      wrote(offset, dataOf(args.slice(args.indexOf(">"))));
    } else if (/^writev?$/.test(name)) {
      const position = positions.get(fd) ?? { offset: 0, isAppending: false, isSynced: false };
      if (position.isAppending) position.offset = sizes.get(path) ?? 0;
      wrote(position.offset, dataOf(args.slice(args.indexOf(">"))));
      position.offset += count;
    } else if (name === "ftruncate") {
      const size = Number(/, (\d+)$/.exec(args)?.[1]);
      sizes.set(path, size);
      events.push({ at: ended, do: "truncate", path, size });
    } else if (/^f(data)?sync$/.test(name)) events.push({ at: ended, do: "sync", path, since: began });
    else if (name !== "msync") throw new Error(`${name} on ${path} isn't in the record's words`);
  }
  return events.sort((a, b) => a.at - b.at);
}
