import { Temporal } from "temporal-polyfill";

/** A step of the calendar in local time. */
export type CalendarStep = "hour" | "day" | "week" | "month" | "year";

/** A local day: its name and its half-open range in epoch milliseconds (23, 24 or 25 hours). */
export interface LocalDay {
  day: string;
  fromMs: number;
  toMs: number;
}

const keptDays = 5_000;

/** Civil time of one IANA zone: which local day an instant belongs to, and where steps of the calendar begin. */
export class Zone {
  readonly name: string;
  readonly #days = new Map<string, LocalDay>();
  /** The same days by their first moment: the way from a day to the next. */
  readonly #starts = new Map<number, LocalDay>();
  #recent: LocalDay | undefined;

  /** Throws RangeError when the zone isn't known. */
  constructor(name: string) {
    this.name = name;
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
  }

  /** The local day that holds an instant (epoch milliseconds). */
  at(timeMs: number): LocalDay {
    const recent = this.#recent;
    if (recent && timeMs >= recent.fromMs && timeMs < recent.toMs) return recent;
    const begun = this.#starts.get(timeMs);
    if (begun) return begun;
    return this.day(this.#zoned(timeMs).toPlainDate().toString());
  }

  /** The day `YYYY-MM-DD`. Throws RangeError when it is no date. */
  day(day: string): LocalDay {
    let found = this.#days.get(day);
    if (!found) {
      const date = Temporal.PlainDate.from(day);
      found = {
        day,
        fromMs: date.toZonedDateTime(this.name).epochMilliseconds,
        toMs: date.add({ days: 1 }).toZonedDateTime(this.name).epochMilliseconds,
      };
      if (this.#days.size >= keptDays) {
        this.#days.clear();
        this.#starts.clear();
      }
      this.#days.set(day, found);
      // A day that a zone left out has no moment of its own.
      if (found.fromMs < found.toMs) this.#starts.set(found.fromMs, found);
    }
    this.#recent = found;
    return found;
  }

  /** The days that touch a half-open range, oldest first. */
  days(fromMs: number, toMs: number): LocalDay[] {
    const days: LocalDay[] = [];
    for (let at = fromMs; at < toMs;) {
      const day = this.at(at);
      days.push(day);
      at = day.toMs;
    }
    return days;
  }

  /**
   * Where steps of the calendar begin: the last start at or before `fromMs`, then each one before `toMs`, then the first at or after it.
   * Weeks begin on Monday (ISO 8601). Hours are hours of elapsed time from local midnight: 23 or 25 on the days that change.
   */
  edges(step: CalendarStep, fromMs: number, toMs: number): number[] {
    const edges: number[] = [];
    if (step === "hour") {
      for (const day of this.days(fromMs, Math.max(toMs, fromMs + 1))) {
        for (let at = day.fromMs; at < day.toMs; at += 3_600_000) edges.push(at);
        if (day.toMs >= toMs) edges.push(day.toMs);
      }
      const first = edges.findLastIndex((edge) => edge <= fromMs);
      const last = edges.findIndex((edge) => edge >= toMs);
      return edges.slice(Math.max(0, first), last === -1 ? undefined : last + 1);
    }
    let date = this.#startOf(step, this.#zoned(fromMs).toPlainDate());
    for (;;) {
      const at = date.toZonedDateTime(this.name).epochMilliseconds;
      edges.push(at);
      if (at >= toMs) return edges;
      date = date.add({ [`${step}s`]: 1 });
    }
  }

  #startOf(step: CalendarStep, date: Temporal.PlainDate): Temporal.PlainDate {
    if (step === "week") return date.subtract({ days: date.dayOfWeek - 1 });
    if (step === "month") return date.with({ day: 1 });
    if (step === "year") return date.with({ month: 1, day: 1 });
    return date;
  }

  #zoned(timeMs: number): Temporal.ZonedDateTime {
    return Temporal.Instant.fromEpochMilliseconds(timeMs).toZonedDateTimeISO(this.name);
  }
}
