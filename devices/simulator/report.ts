import type { Fate } from "./fault.js";
import { createLatency } from "./latency.js";

/** Counts of a device, or of the whole fleet. Guarantee: sent = readings - dropped + duplicated, once the run has ended. */
export interface Counts {
  /** Readings that were due, whatever became of them. */
  readings: number;
  /** Readings handed to a connection, whatever messages they are; what is sent again after a lost connection counts once. */
  sent: number;
  /** Of these all messages are answered with a PUBACK. */
  acknowledged: number;
}

/** What a fleet did. */
export interface FleetReport extends Counts {
  unacknowledged: number;
  dropped: number;
  duplicated: number;
  late: number;
  skewed: number;
  garbage: number;
  /** Numbers in the readings sent, once each, without garbage. */
  values: number;
  connections: number;
  reconnects: number;
  /** What brokers said when they wouldn't have a connection back. */
  refusals: string[];
  elapsedMs: number;
  /** Acknowledged publications a second. */
  perSecond: number;
  /** From publication to PUBACK, milliseconds. */
  acknowledgeMs: { p50: number; p99: number; max: number };
  byDevice: Record<string, Counts>;
}

/** Keeps a fleet's accounts. */
export interface Tally {
  readonly total: Counts;
  reading(device: string, fate: Fate, values: number): void;
  sent(device: string): void;
  acknowledged(device: string, afterMs: number): void;
  report(run: Pick<FleetReport, "connections" | "reconnects" | "refusals" | "elapsedMs">): FleetReport;
}

/** Opens the accounts of a fleet. */
export function createTally(): Tally {
  const total: Counts = { readings: 0, sent: 0, acknowledged: 0 };
  const devices = new Map<string, Counts>();
  const fates: Record<Fate, number> = { plain: 0, drop: 0, duplicate: 0, late: 0, skew: 0, garbage: 0 };
  const latency = createLatency();
  let values = 0;
  const count = (device: string, what: keyof Counts): void => {
    let counts = devices.get(device);
    if (!counts) devices.set(device, (counts = { readings: 0, sent: 0, acknowledged: 0 }));
    counts[what] += 1;
    total[what] += 1;
  };
  return {
    total,
    reading(device, fate, carried) {
      count(device, "readings");
      fates[fate] += 1;
      if (fate !== "drop" && fate !== "garbage") values += carried;
    },
    sent: (device) => count(device, "sent"),
    acknowledged(device, afterMs) {
      count(device, "acknowledged");
      latency.add(afterMs);
    },
    report: (run) => ({
      ...total,
      unacknowledged: total.sent - total.acknowledged,
      dropped: fates.drop,
      duplicated: fates.duplicate,
      late: fates.late,
      skewed: fates.skew,
      garbage: fates.garbage,
      values,
      ...run,
      perSecond: run.elapsedMs > 0 ? (total.acknowledged * 1_000) / run.elapsedMs : 0,
      acknowledgeMs: { p50: latency.quantile(0.5), p99: latency.quantile(0.99), max: latency.maxMs },
      byDevice: Object.fromEntries(devices),
    }),
  };
}
