import fc from "fast-check";
import { expect, test } from "vitest";
import { Point } from "@influxdata/influxdb-client";
import { readLines } from "../devices/formats/line-protocol.js";

const read = (text: string): unknown[] =>
  [...readLines(text)].map((one) =>
    "reason" in one
      ? `${one.line}: ${one.reason}`
      : [one.line, one.measurement, Object.fromEntries(one.tags), ...one.fields, one.time],
  );

test("reads what InfluxDB's own client writes, whatever the names and texts", () => {
  // The client doesn't escape a backslash before what it escapes, nor at a name's end: InfluxDB itself reads those otherwise.
  const name = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
    .filter((text) => /^[^\\\s#\p{C}][^\\\n\r\t\p{C}]*$/u.test(text));
  const values = fc.record({
    number: fc.double({ noNaN: true, noDefaultInfinity: true }),
    integer: fc.maxSafeInteger(),
    truth: fc.boolean(),
    text: fc.string({ maxLength: 20 }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name, name, values), { minLength: 1, maxLength: 5 }), (points) => {
      const lines = points.map(
        ([measurement, tag, text, { number, integer, truth, text: note }]) =>
          new Point(measurement)
            .tag(tag, text)
            .floatField("f", number)
            .intField("i", integer)
            .booleanField("b", truth)
            .stringField("s", note)
            .timestamp("1795428000000000000")
            .toLineProtocol() ?? "",
      );
      expect(
        [...readLines(lines.join("\n"))].map((one) =>
          "reason" in one ? one : [one.measurement, [...one.tags], Object.fromEntries(one.fields), one.time],
        ),
      ).toEqual(
        points.map(([measurement, tag, text, { number, integer, truth, text: note }]) => [
          measurement,
          [[tag, text]],
          { f: number === 0 ? 0 : number, i: integer, b: truth, s: note },
          1_795_428_000_000_000_000n,
        ]),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("a quote that is never closed costs its own line, however many there are", () => {
  const open = 'm,device=a text="x';
  const good = "m,device=a f=1 5";
  expect(read([open, good, open, open, good].join("\n"))).toEqual([
    "1: invalid field format",
    [2, "m", { device: "a" }, ["f", 1], 5n],
    "3: invalid field format",
    "4: unbalanced quotes",
    [5, "m", { device: "a" }, ["f", 1], 5n],
  ]);
  expect([...readLines(`${open}\n`.repeat(5_000))]).toHaveLength(5_000);
});

test.each([
  ["m", "missing fields"],
  ["m,", "missing tag key"],
  ["m,=b f=1", "missing tag key"],
  ["m,a f=1", "missing tag value"],
  ["m,a= f=1", "missing tag value"],
  ["m,a=b=c f=1", "invalid tag format"],
  ["m,a=b,a=b f=1", "duplicate tags"],
  ["m f", "missing field value"],
  ["m f=", "missing field value"],
  ["m =1", "missing field key"],
  ["m f=1,", "missing field key"],
  ["m f=1.2.3", "invalid number"],
  ["m f=NaN", "invalid number"],
  ["m f=Inf", "invalid number"],
  ["m f=1e999", "invalid number"],
  ["m f=0x10", "invalid number"],
  ["m f=1.5i", "invalid number"],
  ["m f=-1u", "value out of range"],
  ["m f=9223372036854775808i", "value out of range"],
  ["m f=18446744073709551616u", "value out of range"],
  ["m f=tRUE", "invalid number"],
  ['m f="a"b', "invalid field format"],
  ["m f=1 1.5", "bad timestamp"],
  ["m f=1 9223372036854775808", "bad timestamp"],
  ["m f=1 5 6", "bad timestamp"],
])("refuses the line %s: %s", (line, reason) => {
  expect(read(`${line}\nm f=1 5`)).toEqual([`1: ${reason}`, [2, "m", {}, ["f", 1], 5n]]);
});
