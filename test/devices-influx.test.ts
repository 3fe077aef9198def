import fc from "fast-check";
import { expect, test } from "vitest";
import { Point } from "@influxdata/influxdb-client";
import { batchesOf } from "../devices/formats/line-batch.js";
import { readLines } from "../devices/formats/line-protocol.js";
import { ended } from "./support/bounded.js";
import { startInfluxDb } from "./support/services.js";

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

/** Lines that a server takes or refuses; those of one field of one type have a measurement of their own, for a server keeps types. */
const judged = String.raw`m|m,|m,=b f=1|m,a f=1|m,a= f=1|m,a=b=c f=1|m,a=b,a=b f=1|m,a=b, f=1|,a=b f=1|m f
m f=|m =1|m f=1,|m f=1,,g=2|m f=1, g=2|m f=1 ,g=2|m,a=b|m f = 1|m f=1.2.3|m f=NaN|m f=Inf|m f=0x10|m f=1.5i
m f=--1|m f=1_000|m f=1i2|m f=i|m f=tRUE|m f=e5|m f='a'|m f=1=2|m f=a=1|m f="|m f="a|m f=1 1.5|m f=1 5s
m f=1 #x|m f=1 5 |m  f=1|m f=1  5| m f=1|m f=.5|m f=5.|m f=1e5|m f=1E+5|m f=t|m f=FALSE|m f=5i|m f=-5i|m f=-0
m f=00012|m f=1,g=2|m f=""|m f="a,b=c"|m f="a\"b"|m f="a\\"|m f="a\\\"b"|m f="a\b"|m,a\ b=c f=1|m,a\=b=c f=1
m,a=b\=c f=1|m,a=b\,c f=1|m,a=b\ c f=1|m,a=b\ f=1|m,a=b\\ f=1|m f\=g=1|m f\ g=1|m f\,g=1|m\ x f=1|m\,x f=1
m=x f=1|m "f"=1|m,"a"="b" f=1|m,é=ü ö=1|#m f=1|m f=1 -5`
  .split(/[\n|]/)
  .map((line, at) => line.replace(/^( ?)m/, `$1m${at}`));

test("refuses what InfluxDB refuses, in its words, and takes what it takes", async () => {
  const influxDb = await startInfluxDb();
  try {
    const told: string[] = [];
    for (const body of judged) {
      const answer = await fetch(`${influxDb.url}/write?db=obieg`, { method: "POST", body });
      const { error } = (answer.status === 204 ? { error: "" } : await answer.json()) as { error: string };
      told.push(error);
    }
    const ours = judged.map((line) => {
      const [one] = [...readLines(line)];
      return one && "reason" in one ? `unable to parse '${line.trimStart()}': ${one.reason}` : "";
    });
    expect(ours).toEqual(told);
    expect(told.filter((text) => text === "").length).toBeGreaterThan(30);
  } finally {
    await influxDb.stop();
  }
}, 30_000);

test.each([
  ["m f=1e999", "invalid number"],
  ["m f=-1u", "value out of range"],
  ["m f=9223372036854775808i", "value out of range"],
  ["m f=18446744073709551616u", "value out of range"],
  ['m f="a"b', "invalid field format"],
  ["m f=1 9223372036854775808", "bad timestamp"],
  ["m f=1 5 6", "bad timestamp"],
])("refuses the line %s in words of its own: %s", (line, reason) => {
  expect(read(`${line}\nm f=1 5`)).toEqual([`1: ${reason}`, [2, "m", {}, ["f", 1], 5n]]);
});

test("a number that goes on for a million digits and isn't one costs a look at each of them", () => {
  const digits = "1".repeat(1_000_000);
  for (const bad of [`${digits}x`, `${digits}.${digits}x`, `.${digits}x`, `1e${digits}x`])
    expect(ended(() => read(`m f=${bad}\nm f=1 5`))).toEqual([
      "1: invalid number",
      [2, "m", {}, ["f", 1], 5n],
    ]);
  expect(ended(() => [...batchesOf(Buffer.from(`m f=${digits}x`), 1_000)])).toHaveLength(1);
});

test("takes what newer InfluxDB takes: unsigned numbers, and lines that end as on Windows", () => {
  expect(read("m f=5u 5\r\nm f=18446744073709551615u\r\n")).toEqual([
    [1, "m", {}, ["f", 5], 5n],
    [2, "m", {}, ["f", 2 ** 64], undefined],
  ]);
});

test("a body is divided between its lines, and every line reads as before, at its number", () => {
  const piece = fc.constantFrom(
    "m,device=a f=1 5",
    'm,device=ż text="two\nlines, = and \\"ż\\"",g=2i 6',
    "m,device=a",
    'm,device=a text="never closed',
    "# a comment that is left out where it stands between two",
    "",
    "m,device=b f=1,g=2,h=3\r",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 1, max: 120 }), (pieces, maxBytes) => {
      const body = Buffer.from(pieces.join("\n"));
      const batches = [...batchesOf(body, maxBytes)];
      const told = (text: string, before: number): unknown[] =>
        [...readLines(text)].map((one) => ({
          line: one.line + before,
          what: "reason" in one ? one.text : [...one.tags, ...one.fields, one.time],
        }));
      expect(batches.flatMap(({ payload, line }) => told(payload.toString(), line - 1))).toEqual(
        told(body.toString(), 0),
      );
      for (const { payload } of batches)
        if (payload.length > maxBytes) expect([...readLines(payload.toString())]).toHaveLength(1);
    }),
    { numRuns: 2_000 },
  );
});
