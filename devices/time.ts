const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))$/;

/**
 * Reads a date and time with its offset; gives epoch milliseconds (finer digits are cut), or NaN when it isn't one.
 * Source: RFC 3339, section 5.6; a leap second is not taken.
 */
export function parseTime(text: string): number {
  const found = rfc3339.exec(text);
  if (!found) return Number.NaN;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1) return Number.NaN;
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return Number.NaN;
  const ms = Number((found[7] ?? "").padEnd(3, "0").slice(0, 3));
  const offsetHours = Number(found[10] ?? 0);
  const offsetMinutes = Number(found[11] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return Number.NaN;
  const offset = (offsetHours * 60 + offsetMinutes) * (found[9] === "-" ? -1 : 1);
  return Date.UTC(year, month - 1, day, hour, minute, second, ms) - offset * 60_000;
}
