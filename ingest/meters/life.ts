import { isDeepStrictEqual } from "node:util";
import { ObiegError } from "../../devices/index.js";
import type { Reading } from "./reading.js";
import type { Register } from "./register.js";

/** What every entry of a life says of itself. */
interface Entry {
  /** Names the entry: the same id again is the same entry. */
  id: string;
  /** When it was written down, epoch milliseconds. */
  recordedMs: number;
  who: string;
  why: string;
}

/** An amount that a person adds (or takes away, when negative) over a half-open range. */
export interface Correction extends Entry {
  kind: "corrected";
  fromMs: number;
  toMs: number;
  /** In the unit of the amounts. */
  amount: number;
}

/** What happens to a meter; written once, never changed: a wrong entry is withdrawn by another. Times are epoch milliseconds, start and final readings in units of the register. */
export type LifeEntry =
  | (Entry & { kind: "installed"; timeMs: number; register: Register; start?: number })
  | (Entry & { kind: "exchanged"; timeMs: number; register: Register; final?: number; start?: number })
  | (Entry & { kind: "removed"; timeMs: number; final?: number })
  | (Entry & { kind: "withdrawn"; entry: string })
  | Correction;

/** The time during which one register counted, half-open, with the readings of the protocols at its ends. */
export interface Span {
  register: Register;
  fromMs: number;
  /** Infinity while it counts. */
  toMs: number;
  start?: Reading;
  final?: Reading;
  /** True when it replaced the register of the span before. */
  exchanged: boolean;
}

/** A life, read. */
export interface Life {
  spans: Span[];
  corrections: Correction[];
}

/** Reads a life from its entries, in whatever order and however often they are given. Throws `meter-life` when they contradict one another, `meter-register` when a figure is impossible. */
export function readLife(entries: readonly LifeEntry[]): Life {
  const byId = new Map<string, LifeEntry>();
  for (const entry of entries) {
    const known = byId.get(entry.id);
    if (known && !isDeepStrictEqual(known, entry)) refuse(entry, "another entry has that id");
    byId.set(entry.id, entry);
  }
  const withdrawn = new Set<string>();
  for (const entry of byId.values()) if (entry.kind === "withdrawn") withdrawn.add(entry.entry);
  const spans: Span[] = [];
  const corrections: Correction[] = [];
  const standing = [...byId.values()]
    .filter(({ id }) => !withdrawn.has(id))
    .sort(
      (a, b) =>
        timeOf(a) - timeOf(b) || rank(a) - rank(b) || a.recordedMs - b.recordedMs || (a.id < b.id ? -1 : 1),
    );
  for (const entry of standing) {
    if (entry.kind === "withdrawn") continue;
    if (entry.kind === "corrected") {
      checkCorrection(entry);
      corrections.push(entry);
    } else turn(spans, entry);
  }
  return { spans, corrections };
}

/** At one moment a register ends before another begins. */
const rank = ({ kind }: LifeEntry): number => (kind === "removed" ? 0 : 1);

function timeOf(entry: LifeEntry): number {
  if (entry.kind === "withdrawn") return entry.recordedMs;
  return entry.kind === "corrected" ? entry.fromMs : entry.timeMs;
}

/** Ends the register that counts, begins the next. */
function turn(spans: Span[], entry: Exclude<LifeEntry, { kind: "corrected" | "withdrawn" }>): void {
  const last = spans.at(-1);
  const counting = last && last.toMs === Number.POSITIVE_INFINITY ? last : undefined;
  if (entry.kind === "installed" ? counting : !counting)
    refuse(entry, counting ? "a register counts already" : "no register counts at that time");
  if (last && entry.timeMs <= last.fromMs)
    refuse(entry, "it would end a register at the time of its beginning");
  if (last && entry.timeMs < last.toMs && counting) {
    counting.toMs = entry.timeMs;
    if (entry.kind !== "installed" && entry.final !== undefined)
      counting.final = protocol(counting.register, entry, entry.final);
  }
  if (entry.kind === "removed") return;
  checkRegister(entry.register, entry.id);
  spans.push({
    register: entry.register,
    fromMs: entry.timeMs,
    toMs: Number.POSITIVE_INFINITY,
    exchanged: entry.kind === "exchanged",
    ...(entry.start === undefined ? {} : { start: protocol(entry.register, entry, entry.start) }),
  });
}

/** A reading that stands in a protocol: it comes before whatever a device says of the same moment. */
function protocol(register: Register, entry: { id: string; timeMs: number }, value: number): Reading {
  if (value < 0 || value >= (register.modulus ?? Number.POSITIVE_INFINITY))
    throw new ObiegError("meter-register", `Entry ${entry.id}: the register can't show ${value}.`);
  return { timeMs: entry.timeMs, value, sequence: -1, entry: entry.id };
}

function checkRegister(register: Register, id: string): void {
  const positive = (figure: number | undefined) =>
    figure === undefined || (Number.isFinite(figure) && figure > 0);
  for (const name of ["multiplier", "resolution", "modulus", "maxRate", "backflow"] as const)
    if (!positive(register[name]))
      throw new ObiegError("meter-register", `Entry ${id}: ${name} must be a number above 0.`);
}

function checkCorrection(entry: Correction): void {
  if (!(entry.toMs > entry.fromMs) || !Number.isFinite(entry.amount))
    refuse(entry, "a correction needs a range and a number");
}

function refuse({ id, kind }: LifeEntry, what: string): never {
  throw new ObiegError("meter-life", `Entry ${id} (${kind}): ${what}.`);
}
