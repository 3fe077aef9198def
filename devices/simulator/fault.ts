import { ObiegError } from "../error.js";

/** What may go wrong with a reading on its way. */
export const faultKinds = ["drop", "duplicate", "late", "skew", "garbage"] as const;

/** One of {@link faultKinds}: never sent; sent twice; sent after later ones; with a wrong clock; unreadable. */
export type FaultKind = (typeof faultKinds)[number];

/** Probabilities, 0 to 1, at most 1 together: a reading has one fate. */
export type Faults = Partial<Record<FaultKind, number>>;

/** What becomes of a reading. */
export type Fate = FaultKind | "plain";

/**
 * Reads `drop,duplicate=0.1`: kinds with their probability, 0.02 where none is given.
 * Throws `simulator-faults` naming what is wrong.
 */
export function parseFaults(text: string): Faults {
  const faults: Faults = {};
  for (const part of text.split(",").filter((one) => one.trim() !== "")) {
    const [name = "", share = "0.02"] = part.split("=").map((one) => one.trim());
    const kind = faultKinds.find((one) => one === name);
    if (!kind)
      throw new ObiegError("simulator-faults", `no fault ${name}; there are ${faultKinds.join(", ")}`);
    faults[kind] = Number(share);
  }
  return checkFaults(faults);
}

/** Gives the faults back. Throws `simulator-faults` unless each is from 0 to 1 and all together at most 1. */
export function checkFaults(faults: Faults): Faults {
  const shares = Object.values(faults);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.every((share) => share >= 0 && share <= 1) && sum <= 1 + 1e-9) return faults;
  throw new ObiegError(
    "simulator-faults",
    "the probability of each fault is a number from 0 to 1, all together at most 1",
  );
}

/** Draws the fate of a reading. */
export function drawFate(faults: Faults, random: () => number): Fate {
  let rest = random();
  for (const kind of faultKinds) {
    rest -= faults[kind] ?? 0;
    if (rest < 0) return kind;
  }
  return "plain";
}

/** A clock that is wrong: half of them 10 min to 6 h ahead (refused as future), half 1 to 48 h behind; milliseconds to add. */
export function drawSkewMs(random: () => number): number {
  const ahead = random() < 0.5;
  const share = random();
  return Math.round(ahead ? 600_000 + share * 21_000_000 : -(3_600_000 + share * 169_000_000));
}

/** Spoils a payload: cut off, not text, wrong types, unknown or implausible quantities, empty, deeply nested. */
export function drawGarbage(payload: string, random: () => number): string | Buffer {
  const ways: readonly (() => string | Buffer)[] = [
    () => payload.slice(0, Math.max(1, Math.floor(payload.length * random()))),
    () => Buffer.from(Array.from({ length: 24 }, () => Math.floor(random() * 256))),
    () => '{"fill_percent": NaN}',
    () => '{"fill_percent": "full", "time": "yesterday"}',
    () => '{"flux_capacitor_gw": 1.21}',
    () => '{"temperature_celsius": 4000}',
    () => "",
    () => "[".repeat(2_000),
    () => '{"time": "1969-07-20T20:17:40Z", "temperature_celsius": 21.5}',
  ];
  return ways[Math.floor(random() * ways.length)]?.() ?? "";
}
