/** Kinds of entries that a city file holds. */
export type EntryKind =
  | "city"
  | "place"
  | "device"
  | "credential"
  | "source"
  | "rule"
  | "channel"
  | "retention";

/** What a city file would change. */
export interface RegistryDiff {
  added: { kind: EntryKind; id: string }[];
  changed: { kind: EntryKind; id: string }[];
  removed: { kind: EntryKind; id: string }[];
}

/** One change, kept for good. */
export interface RegistryChange extends RegistryDiff {
  atMs: number;
  who: string;
}
