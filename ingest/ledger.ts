import type { IdentifiedValue, LedgerDelta } from "./stores/port.js";

/** The device that a message counts under when no registered device can be named. */
export const unknownDevice = "(unknown)";

/** Adds up what a batch did to each device's account of each local day. */
export class LedgerBook {
  readonly #days = new Map<string, Map<string, LedgerDelta>>();
  readonly #dayOf: (timeMs: number) => string;
  /** The account that was asked for last: values of a message come one after another. */
  #last: LedgerDelta | undefined;

  constructor(dayOf: (timeMs: number) => string) {
    this.#dayOf = dayOf;
  }

  /** The account of `device` on the local day of receipt; counts are added to it in place. */
  account(device: string, receivedMs: number): LedgerDelta {
    const day = this.#dayOf(receivedMs);
    if (this.#last?.device === device && this.#last.day === day) return this.#last;
    let devices = this.#days.get(day);
    if (!devices) this.#days.set(day, (devices = new Map()));
    let delta = devices.get(device);
    if (!delta) {
      delta = {
        day,
        device,
        messages: { received: 0, decoded: 0, ignored: 0, quarantined: 0 },
        values: { decoded: 0, stored: 0, duplicate: 0, conflict: 0, quarantined: 0, late: 0 },
      };
      devices.set(device, delta);
    }
    this.#last = delta;
    return delta;
  }

  /** Counts identified values by their verdicts. */
  count(values: Iterable<IdentifiedValue>): void {
    for (const { device, receivedMs, verdict, late } of values) {
      const account = this.account(device, receivedMs).values;
      const counted = verdict === "restored" ? "stored" : verdict;
      account[counted] += 1;
      if (late && counted === "stored") account.late += 1;
    }
  }

  /** Everything added so far. */
  deltas(): LedgerDelta[] {
    return [...this.#days.values()].flatMap((devices) => [...devices.values()]);
  }
}

/**
 * Gives the local civil day (`YYYY-MM-DD`) of an instant; remembers the bounds of the last day, so that a run within it costs two comparisons.
 */
export function localDays(timeZone: string): (timeMs: number) => string {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  const hourMs = 3_600_000;
  let hour = Number.NaN;
  let day = "";
  return (timeMs) => {
    // Days begin on a quarter of an hour everywhere, so one look-up per quarter is exact.
    const quarter = Math.floor(timeMs / (hourMs / 4));
    if (quarter !== hour) {
      hour = quarter;
      day = format.format(quarter * (hourMs / 4));
    }
    return day;
  };
}
