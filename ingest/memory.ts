import type { Lessons, Past } from "../devices/index.js";
import type { StateStore } from "./stores/state.js";

/** One thing that was learned, who taught it first, and by which message it was changed last. */
interface Kept {
  value: unknown;
  user: string;
  at: number;
  bytes: number;
}

/** What takes the memory back by the batch that was put on disk last. */
interface Undo {
  /** History's positions before and after that batch. */
  from: number;
  to: number;
  before: [key: string, kept: Kept | null][];
}

interface Usage {
  entries: number;
  bytes: number;
}

/** What stands under a layer. */
interface Ground {
  get(key: string): Kept | undefined;
  usageOf(user: string): Usage;
  keysOf(user: string, into: Set<string>): void;
}

/** Bounds of what one credential may teach. */
export interface MemoryLimits {
  entries: number;
  bytes: number;
  /** Of one entry. */
  entryBytes: number;
}

const usual: MemoryLimits = { entries: 10_000, bytes: 16e6, entryBytes: 1e6 };
const nothing: Usage = { entries: 0, bytes: 0 };
/** How much of a bound is kept when something makes room: a tenth goes at once, so that not each lesson has to look for the oldest. */
const keptShare = 0.9;

/** What is used once an entry stands as `after` that stood as `before`; undefined: it doesn't. */
function changed({ entries, bytes }: Usage, before: Kept | undefined, after: Kept | undefined): Usage {
  return {
    entries: entries + Number(after !== undefined) - Number(before !== undefined),
    bytes: bytes + (after?.bytes ?? 0) - (before?.bytes ?? 0),
  };
}

/** What the messages of a batch teach, on top of what those before it taught. */
export class MemoryLayer {
  readonly changes = new Map<string, Kept | undefined>();
  /** The layer that it was made on; ground of its own once it is settled. */
  below: Ground;
  /** Sequence of its last message. */
  last = 0;
  readonly #limits: MemoryLimits;
  readonly #usage = new Map<string, Usage>();

  constructor(below: Ground, limits: MemoryLimits) {
    this.below = below;
    this.#limits = limits;
  }

  get(key: string): Kept | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.below.get(key);
  }

  usageOf(user: string): Usage {
    return this.#usage.get(user) ?? this.below.usageOf(user);
  }

  keysOf(user: string, into: Set<string>): void {
    this.below.keysOf(user, into);
    for (const [key, kept] of this.changes) {
      if (kept?.user === user) into.add(key);
      else into.delete(key);
    }
  }

  /** What the messages before this one taught. */
  past(sequence: number): Past {
    return { sequence, recall: (key) => this.get(key)?.value };
  }

  /** Takes what a message teaches; past the bound the tenth that its user taught longest ago makes room. */
  learn(lessons: Lessons, { user, sequence }: { user: string; sequence: number }): void {
    for (const [key, value] of lessons) {
      const before = this.get(key);
      const bytes = value === undefined ? 0 : key.length + JSON.stringify(value).length;
      const isKept = value !== undefined && bytes <= this.#limits.entryBytes;
      if (!isKept && !before) continue;
      const owner = before?.user ?? user;
      this.#put(key, isKept ? { value, user: owner, at: sequence, bytes } : undefined, before);
      if (isKept) this.#makeRoom(owner, key);
    }
  }

  #put(key: string, kept: Kept | undefined, before: Kept | undefined): void {
    const { user } = kept ?? before ?? { user: "" };
    this.#usage.set(user, changed(this.usageOf(user), before, kept));
    this.changes.set(key, kept);
  }

  #makeRoom(user: string, newest: string): void {
    const isOver = (share: number): boolean => {
      const { entries, bytes } = this.usageOf(user);
      return (
        entries > Math.ceil(share * this.#limits.entries) || bytes > Math.ceil(share * this.#limits.bytes)
      );
    };
    if (!isOver(1)) return;
    const keys = new Set<string>();
    this.keysOf(user, keys);
    const inOrder = [...keys]
      .filter((key) => key !== newest)
      .map((key) => ({ key, kept: this.get(key) }))
      .toSorted((a, b) => (a.kept?.at ?? 0) - (b.kept?.at ?? 0));
    for (const { key, kept } of inOrder) {
      if (!isOver(keptShare)) return;
      this.#put(key, undefined, kept);
    }
  }
}

/**
 * What formats keep of messages so that later ones can be read, in the tables `memory` (`{value, user, at, bytes}` by key) and
 * `memory-undo` (key `last`: `{from, to, before}`).
 * Guarantee: what stands on disk can be taken back by the batch that it was put there with, so that after a crash between the two
 * commits a message finds what it found before; what is of a later time than history and can't be taken back is forgotten.
 * Bounded: 10,000 entries and 16 MB a credential, 1 MB an entry; the tenth that a credential taught longest ago makes room.
 */
export class MemoryBook {
  readonly #state: StateStore;
  readonly #table;
  readonly #undo;
  readonly #limits: MemoryLimits;
  readonly #known = new Map<string, Kept>();
  readonly #usage = new Map<string, Usage>();
  readonly #ground: Ground;
  /** The layer that was settled last. */
  #tip: MemoryLayer;
  #newest: MemoryLayer;
  /** What stands on disk without being settled. */
  #staged: { layer?: MemoryLayer; to: number; keys: ReadonlySet<string> } | undefined;

  /** `position`: how far history holds the journal. */
  constructor(state: StateStore, position: number, limits: MemoryLimits = usual) {
    this.#state = state;
    this.#limits = limits;
    this.#table = state.table<Kept, string>("memory");
    this.#undo = state.table<Undo, string>("memory-undo");
    this.#ground = {
      get: (key) => this.#known.get(key),
      usageOf: (user) => this.#usage.get(user) ?? nothing,
      keysOf: (user, into) => {
        for (const [key, kept] of this.#known) if (kept.user === user) into.add(key);
      },
    };
    this.#tip = new MemoryLayer(this.#ground, limits);
    this.#newest = this.#tip;
    this.#load(position);
  }

  #load(position: number): void {
    for (const { key, value } of this.#table.getRange()) this.#keep(key, value);
    const undo = this.#undo.get("last");
    if (!undo || position >= undo.to) return;
    const back =
      position < undo.from ? [...this.#known.keys()].map((key) => [key, null] as const) : undo.before;
    for (const [key, kept] of back) this.#keep(key, kept ?? undefined);
    this.#staged = { to: Number.POSITIVE_INFINITY, keys: new Set(back.map(([key]) => key)) };
  }

  #keep(key: string, kept: Kept | undefined): void {
    const before = this.#known.get(key);
    const { user } = kept ?? before ?? { user: "" };
    this.#usage.set(user, changed(this.#usage.get(user) ?? nothing, before, kept));
    if (kept) this.#known.set(key, kept);
    else this.#known.delete(key);
  }

  /** What is remembered at the end of what is stored, for a message of the past. */
  past(sequence: number): Past {
    return { sequence, recall: (key) => this.#known.get(key)?.value };
  }

  /** Opens the layer of a batch that begins with a sequence: on the batch before it, stored or not. */
  open(first: number): MemoryLayer {
    return new MemoryLayer(this.#newest.last < first ? this.#newest : this.#tip, this.#limits);
  }

  /** Lets the next batch be understood on top of a layer. */
  close(layer: MemoryLayer, last: number): void {
    layer.last = last;
    this.#newest = layer;
  }

  /** True when everything that a layer was made on is settled. */
  isCurrent(layer: MemoryLayer): boolean {
    return layer.below === this.#tip;
  }

  /** Puts a layer on disk, with what takes it back; `from`: history's position before its batch. To be done before history takes the batch. */
  async stage(layer: MemoryLayer, from: number): Promise<void> {
    const left = this.#staged?.keys;
    if (layer.changes.size > 0 || (left && left.size > 0)) {
      const before = [...layer.changes.keys()].map((key): Undo["before"][number] => [
        key,
        this.#known.get(key) ?? null,
      ]);
      await this.#state.transaction(() => {
        for (const key of left ?? []) if (!layer.changes.has(key)) this.#write(key, this.#known.get(key));
        for (const [key, kept] of layer.changes) this.#write(key, kept);
        void this.#undo.put("last", { from, to: layer.last, before });
      });
    }
    this.#staged = { layer, to: layer.last, keys: new Set(layer.changes.keys()) };
  }

  #write(key: string, kept: Kept | undefined): void {
    void (kept ? this.#table.put(key, kept) : this.#table.remove(key));
  }

  /** Holds for good what history has taken up to a position. */
  settle(position: number): void {
    const { layer, to } = this.#staged ?? { to: Number.POSITIVE_INFINITY };
    if (!layer || to > position) return;
    for (const [key, kept] of layer.changes) this.#keep(key, kept);
    layer.below = this.#ground;
    this.#tip = layer;
    this.#staged = undefined;
  }
}
