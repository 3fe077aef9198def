import { parseTime } from "./time.js";

/** Reads what devices write of time. */
export interface LocalClock {
  /**
   * Epoch milliseconds of a date and time: with an offset as it says, without one in the clock's zone. A date alone is its midnight.
   * Of an hour that exists twice the reading nearest to `nearMs` is meant; in one that doesn't exist the clock runs on as before.
   * NaN when the text isn't a time.
   */
  read(text: string, nearMs: number): number;
}

const dayMs = 86_400_000;
/** Quarters of an hour whose offset is remembered: asking the calendar for one takes as long as decoding a dozen messages. */
const maxKnown = 1_000;

/** Opens the clock of an IANA time zone. */
export function openLocalClock(timeZone: string): LocalClock {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  const known = new Map<number, number>();
  /** How far the zone is ahead of UTC; zones change on a quarter of an hour. */
  const aheadMs = (ms: number): number => {
    const at = Math.floor(ms / 900_000);
    const before = known.get(at);
    if (before !== undefined) return before;
    const parts = Object.fromEntries(
      format.formatToParts(at * 900_000).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    if (known.size >= maxKnown) known.clear();
    const ahead = Date.UTC(year, month - 1, day, hour, minute, second) - at * 900_000;
    known.set(at, ahead);
    return ahead;
  };
  return {
    read(text, nearMs) {
      const whole = text.length === 10 ? `${text}T00:00:00` : text.length === 16 ? `${text}:00` : text;
      const exact = parseTime(whole);
      if (!Number.isNaN(exact)) return exact;
      const naive = parseTime(`${whole}Z`);
      if (Number.isNaN(naive)) return Number.NaN;
      const before = naive - aheadMs(naive - dayMs);
      const after = naive - aheadMs(naive + dayMs);
      const fits = [before, after].filter((ms) => ms + aheadMs(ms) === naive);
      const [one = before, other = one] = fits;
      return Math.abs(other - nearMs) < Math.abs(one - nearMs) ? other : one;
    },
  };
}
