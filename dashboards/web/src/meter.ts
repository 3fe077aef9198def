import { call, type Page } from "./call.ts";

/** How far an amount can be relied on. */
export type Mark = "measured" | "estimated" | "corrected" | "suspect";

/** What happened between two readings. */
export type Why =
  | "normal"
  | "gap"
  | "rollover"
  | "backflow"
  | "reset"
  | "jump"
  | "fall"
  | "new-epoch"
  | "exchange"
  | "turns-unknown"
  | "correction";

/** A register of a device; `to` null while it counts, `from` null when it always did. */
export interface Register {
  quantity: string;
  serial: string;
  assumed: boolean;
  multiplier: number;
  from: string | null;
  to: string | null;
}

/** What a device counts with. */
export interface Meter {
  parent: string | null;
  registers: Register[];
}

/** What flowed between two readings of a counter. */
export interface Interval {
  from: string;
  to: string;
  amount: number;
  unit: string;
  mark: Mark;
  why: Why;
  apart: number;
}

/** A device's registers, now and before. */
export const readMeter = (device: string): Promise<Meter> =>
  call("GET", `/devices/${encodeURIComponent(device)}/meter`);

/** What flowed since a time, oldest first. */
export const readIntervals = async (device: string, quantity: string, fromMs: number): Promise<Interval[]> =>
  (
    await call<Page<Interval>>("GET", `/devices/${encodeURIComponent(device)}/intervals`, {
      quantity,
      from: new Date(fromMs).toISOString(),
      limit: 1_000,
    })
  ).items;
