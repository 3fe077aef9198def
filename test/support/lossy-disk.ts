import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { DiskEvent } from "./disk-record.js";

/** What becomes of unsynced writes: all are lost, all are kept, the first few are, or any page of any of them may be. */
export const losses = ["all", "none", "later", "pages"] as const;
export type Loss = (typeof losses)[number];

type Change = Extract<DiskEvent, { do: "write" | "truncate" }>;
type NameChange = Extract<DiskEvent, { do: "create" | "remove" | "rename" | "folder" }>;
const pageBytes = 4_096;

/** A file's content: what is on the disk for sure, and what is only on its way. */
class Content {
  #synced: Buffer = Buffer.alloc(0);
  pending: Change[] = [];

  sync(since: number): void {
    this.#synced = changed(
      this.#synced,
      this.pending.filter(({ at }) => at < since),
    );
    this.pending = this.pending.filter(({ at }) => at >= since);
  }

  after(loss: Loss, random: () => number): Buffer {
    return changed(this.#synced, this.#kept(loss, random));
  }

  #kept(loss: Loss, random: () => number): Change[] {
    if (loss === "all") return [];
    if (loss === "none") return this.pending;
    if (loss === "later") return this.pending.slice(0, Math.floor(random() * (this.pending.length + 1)));
    return this.pending.flatMap(pagesOf).filter(() => random() < 0.5);
  }
}

/** A file's bytes after some changes, as new bytes. */
function changed(bytes: Buffer, changes: readonly Change[]): Buffer {
  let size = bytes.length;
  let room = size;
  for (const change of changes) {
    size = change.do === "truncate" ? change.size : Math.max(size, change.offset + change.bytes.length);
    room = Math.max(room, size);
  }
  const next = Buffer.alloc(room);
  bytes.copy(next);
  for (const change of changes) {
    if (change.do === "write") change.bytes.copy(next, change.offset);
    else next.fill(0, change.size);
  }
  return next.subarray(0, size);
}

/** A write as the page cache holds it: pages that reach the disk each on its own. */
function pagesOf(change: Change): Change[] {
  if (change.do === "truncate") return [change];
  const pages: Change[] = [];
  for (let from = 0; from < change.bytes.length;) {
    const to = from + pageBytes - ((change.offset + from) % pageBytes);
    pages.push({ ...change, offset: change.offset + from, bytes: change.bytes.subarray(from, to) });
    from = to;
  }
  return pages;
}

/**
 * A disk that forgets: it takes the record of a process and can be rebuilt as a power cut would leave it.
 * Names change in order and are kept by a sync of their folder or of the file, as a journaling file system does it (ext4, xfs);
 * contents are kept by a sync of the file alone.
 */
export class LossyDisk {
  readonly #root: string;
  readonly #synced = new Map<string, Content>();
  readonly #names = new Map<string, Content>();
  #pending: { change: NameChange; content: Content }[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  apply(event: DiskEvent): void {
    if (event.do === "sent") return;
    if (event.do === "sync") return this.#sync(event.path, event.since);
    if (event.do === "write" || event.do === "truncate") {
      const content = this.#names.get(event.path);
      content?.pending.push(event);
      if (event.do === "write" && event.isSynced) this.#sync(event.path, event.at + 1);
      return;
    }
    const content = (event.do === "create" ? undefined : this.#names.get(event.path)) ?? new Content();
    renamed(this.#names, event, content);
    this.#pending.push({ change: event, content });
  }

  /** Writes the disk into a folder as a power cut now would leave it. */
  rebuild(into: string, loss: Loss, random: () => number): void {
    const names = new Map(this.#synced);
    const kept =
      loss === "all"
        ? 0
        : loss === "none"
          ? this.#pending.length
          : Math.floor(random() * (this.#pending.length + 1));
    for (const { change, content } of this.#pending.slice(0, kept)) renamed(names, change, content);
    mkdirSync(into, { recursive: true });
    for (const [path, content] of names) {
      const target = join(into, relative(this.#root, path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content.after(loss, random));
    }
  }

  #sync(path: string, since: number): void {
    this.#names.get(path)?.sync(since);
    const last = this.#pending.findLastIndex(({ change }) => {
      const touched = change.do === "rename" ? [change.path, change.to] : [change.path];
      return change.at < since && touched.some((name) => name === path || dirname(name) === path);
    });
    for (const { change, content } of this.#pending.splice(0, last + 1))
      renamed(this.#synced, change, content);
  }
}

function renamed(names: Map<string, Content>, change: NameChange, content: Content): void {
  if (change.do === "create") names.set(change.path, content);
  else if (change.do === "rename") names.set(change.to, content);
  if (change.do === "remove" || change.do === "rename") names.delete(change.path);
}
