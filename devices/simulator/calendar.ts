import { ObiegError } from "../error.js";

/** Quarter of an hour, the grid of every daily curve, in milliseconds. */
export const slotMs = 900_000;
const dayMs = 86_400_000;
const epochMs = Date.UTC(2020, 0, 1);

/** A local day of 23, 24 or 25 hours. */
export interface Day {
  /** Days since 2020-01-01. */
  index: number;
  startMs: number;
  endMs: number;
  /** 0 is Monday. */
  weekday: number;
  /** True on Sundays and Polish public holidays. */
  free: boolean;
  /** Share of the year gone by, 0 to 1. */
  yearShare: number;
  /** Wall-clock quarter of an hour (0 to 95) of each quarter of an hour since the day began. */
  quarters: Uint8Array;
}

/** Local days by number and by instant. */
export interface Calendar {
  day(index: number): Day;
  at(timeMs: number): Day;
}

/**
 * Makes the local days of a time zone (IANA name), from 2020 on.
 * Throws `simulator-time-zone` for a name that isn't one; its `at` throws `simulator-time` before 2020.
 */
export function createCalendar(timeZone: string): Calendar {
  const format = formatOf(timeZone);
  const offsetAt = (timeMs: number): number => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = (
      format.format(timeMs).match(/\d+/g) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(timeMs / 60_000) * 60_000;
  };
  const starts: number[] = [];
  const startOf = (index: number): number => {
    while (starts.length <= index) {
      const midnight = epochMs + starts.length * dayMs;
      const near = midnight - offsetAt(midnight - 43_200_000);
      starts.push(midnight - offsetAt(near));
    }
    return starts[index] ?? Number.NaN;
  };
  const ordinary = Uint8Array.from({ length: 96 }, (_, slot) => slot);
  const days = new Map<number, Day>();
  const calendar: Calendar = {
    day(index) {
      const known = days.get(index);
      if (known) return known;
      const startMs = startOf(index);
      const endMs = startOf(index + 1);
      const date = new Date(epochMs + index * dayMs);
      const weekday = (date.getUTCDay() + 6) % 7;
      const length = Math.round((endMs - startMs) / slotMs);
      const made: Day = {
        index,
        startMs,
        endMs,
        weekday,
        free: weekday === 6 || isHoliday(date),
        yearShare: (date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / (365.25 * dayMs),
        quarters: length === 96 ? ordinary : wallQuarters(startMs, length, offsetAt),
      };
      days.set(index, made);
      return made;
    },
    at(timeMs) {
      let index = Math.floor((timeMs - epochMs) / dayMs);
      if (!(index >= 1))
        throw new ObiegError("simulator-time", "the simulator knows no time before 2020-01-02");
      if (timeMs < startOf(index)) index -= 1;
      else if (timeMs >= startOf(index + 1)) index += 1;
      return calendar.day(index);
    },
  };
  return calendar;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
  } catch (cause) {
    throw new ObiegError("simulator-time-zone", `no time zone ${timeZone}; write one such as Europe/Warsaw`, {
      cause,
    });
  }
}

function wallQuarters(startMs: number, length: number, offsetAt: (timeMs: number) => number): Uint8Array {
  const first = offsetAt(startMs);
  return Uint8Array.from({ length }, (_, slot) => {
    const timeMs = startMs + slot * slotMs;
    return (slot + Math.round((offsetAt(timeMs) - first) / slotMs) + 96) % 96;
  });
}

/** Source: Polish act of 18 January 1951 on days off work (24 December since 2025). */
function isHoliday(date: Date): boolean {
  const year = date.getUTCFullYear();
  const code = (date.getUTCMonth() + 1) * 100 + date.getUTCDate();
  if ([101, 106, 501, 503, 815, 1101, 1111, 1225, 1226].includes(code)) return true;
  if (code === 1224 && year >= 2025) return true;
  const sinceEaster = Math.round((date.getTime() - easterMs(year)) / dayMs);
  return sinceEaster === 1 || sinceEaster === 60;
}

/** Easter Sunday at midnight UTC. Source: the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8). */
function easterMs(year: number): number {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = b - Math.floor(b / 4) - Math.floor((8 * b + 13) / 25);
  const h = (19 * a + d + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const n = h + l - 7 * m + 114;
  return Date.UTC(year, Math.floor(n / 31) - 1, (n % 31) + 1);
}
