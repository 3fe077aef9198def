import fc from "fast-check";
import { expect, test } from "vitest";
import { parseTime } from "../devices/time.js";

const two = (n: number): string => String(n).padStart(2, "0");

test("reads every RFC 3339 time as the platform does, with any offset and any number of digits", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("1000-01-01"), max: new Date("9990-01-01"), noInvalidDate: true }),
      fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 }),
      fc.integer({ min: 0, max: 9 }),
      (date, offset, fineness) => {
        const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
        const ms = String(date.getUTCMilliseconds()).padStart(3, "0").padEnd(9, "7").slice(0, fineness);
        const sign = offset < 0 ? "-" : "+";
        const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
        const kept = Number(ms.padEnd(3, "0").slice(0, 3));
        const wanted = Math.floor(date.getTime() / 1_000) * 1_000 + kept;
        expect(parseTime(`${local}${ms === "" ? "" : `.${ms}`}${zone}`)).toBe(wanted);
      },
    ),
    { seed: 20261125 },
  );
});

test("gives NaN for what isn't a time", () => {
  const wrong = [
    "",
    "x",
    "2026-11-25",
    "2026-11-25T10:00:00",
    "2026-02-29T10:00:00Z",
    "2026-04-31T10:00:00Z",
  ];
  wrong.push("2026-11-25T24:00:00Z", "2026-11-25T10:60:00Z", "2026-11-25T10:00:60Z", "2026-00-25T10:00:00Z");
  wrong.push("2026-11-25T10:00:00.Z", "2026-11-25T10:00:00+1:00", "2026-11-25T10:00:00+24:00");
  wrong.push("2026-11-25T10:00:00ZZ", "2026-11-2aT10:00:00Z", "2026/11/25T10:00:00Z", "+026-11-25T10:00:00Z");
  for (const text of wrong) expect(parseTime(text), text).toBeNaN();
  expect(parseTime("2024-02-29t10:00:00z")).toBe(Date.UTC(2024, 1, 29, 10));
  expect(parseTime("2026-11-25 10:00:00Z")).toBe(Date.UTC(2026, 10, 25, 10));
});
