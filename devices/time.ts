const zero = 48;
const daysOf = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The number that `count` digits at `at` write; NaN when one isn't a digit. */
function digits(text: string, at: number, count: number): number {
  let number = 0;
  for (let i = at; i < at + count; i += 1) {
    const digit = text.charCodeAt(i) - zero;
    // Also true for what charCodeAt gives past the end.
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** Milliseconds that an offset at `at` (`Z`, `+01:00`) is ahead of UTC, when the text ends with it; else NaN. */
function offsetMs(text: string, at: number): number {
  const sign = text[at];
  if (sign === "Z" || sign === "z") return text.length === at + 1 ? 0 : Number.NaN;
  if ((sign !== "+" && sign !== "-") || text.length !== at + 6 || text[at + 3] !== ":") return Number.NaN;
  const hours = digits(text, at + 1, 2);
  const minutes = digits(text, at + 4, 2);
  if (!(hours <= 23 && minutes <= 59)) return Number.NaN;
  return (hours * 60 + minutes) * (sign === "-" ? -60_000 : 60_000);
}

/**
 * Reads a date and time with its offset; gives epoch milliseconds (finer digits are cut), or NaN when it isn't one.
 * Source: RFC 3339, section 5.6; a leap second is not taken.
 */
export function parseTime(text: string): number {
  const between = text[10];
  if (between !== "T" && between !== "t" && between !== " ") return Number.NaN;
  if (text[4] !== "-" || text[7] !== "-" || text[13] !== ":" || text[16] !== ":") return Number.NaN;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  if (!(hour <= 23 && minute <= 59 && second <= 59 && month >= 1 && day >= 1 && year >= 0)) return Number.NaN;
  if (day > (daysOf[month - 1] ?? 0)) return Number.NaN;
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0)))
    return Number.NaN;
  let end = 19;
  let ms = 0;
  if (text[end] === ".") {
    const from = (end += 1);
    while (digits(text, end, 1) >= 0) end += 1;
    if (end === from) return Number.NaN;
    ms = digits(text, from, Math.min(3, end - from)) * 10 ** Math.max(0, 3 - (end - from));
  }
  return Date.UTC(year, month - 1, day, hour, minute, second, ms) - offsetMs(text, end);
}
