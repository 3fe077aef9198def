import { encode } from "cborg";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { readCbor } from "../devices/formats/cbor.js";
import { senml } from "../devices/formats/senml.js";
import { openLocalClock } from "../devices/local-time.js";

const receivedMs = Date.parse("2026-11-23T10:00:00Z");
const parse = (payload: string | Uint8Array): ReturnType<typeof senml.parse> =>
  senml.parse(
    {
      topic: "senml/bin-1",
      payload: Buffer.from(payload),
      user: "u",
      clientId: "c",
      qos: 1,
      receivedMs,
    },
    openLocalClock("Europe/Warsaw"),
    { sequence: 0, recall: () => undefined },
  );

const keys = { bver: -1, bn: -2, bt: -3, bu: -4, bv: -5, bs: -6, n: 0, u: 1, v: 2, vs: 3, vb: 4, s: 5, t: 6 };
/** A pack as another's encoder writes it in CBOR, under the labels' numbers. */
const cborOf = (pack: readonly object[]): Uint8Array =>
  encode(
    pack.map(
      (record) =>
        new Map(Object.entries(record).map(([label, value]) => [keys[label as keyof typeof keys], value])),
    ),
  );

const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/);
const record = fc.record(
  {
    bn: fc.constantFrom("bin-1:", "urn:dev:ow:10e2073a01080063:", "2001:db8::1/", ""),
    bt: fc.integer({ min: -1_000, max: 2_000_000_000 }),
    bu: fc.constantFrom("Cel", "W", "%RH", "lat"),
    bv: number,
    bs: number,
    n: word,
    u: fc.constantFrom("Cel", "W", "kWh", "nobody's"),
    v: number,
    s: number,
    t: fc.double({ min: -1e6, max: 1e9, noNaN: true }).filter((value) => !Object.is(value, -0)),
  },
  { requiredKeys: [] },
);

test("a pack says the same in JSON and in another's CBOR", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), (pack) => {
      const inJson = parse(JSON.stringify(pack));
      const inCbor = parse(cborOf(pack));
      if (inJson.kind === "parsed" && inCbor.kind === "parsed")
        expect({ ...inCbor, body: undefined }).toEqual({ ...inJson, body: undefined });
      else expect(inCbor).toEqual(inJson);
    }),
    { numRuns: 2_000 },
  );
});

test("what another's encoder writes is read back, whatever it is", () => {
  const item = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger(),
      number,
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
      fc.array(tie("any"), { maxLength: 4 }),
      fc
        .array(fc.tuple(fc.oneof(fc.string(), fc.integer()), tie("any")), { maxLength: 4 })
        .map((pairs) => new Map(pairs)),
    ),
  })).any;
  fc.assert(
    fc.property(item, (value) => {
      expect(readCbor(Uint8Array.from(encode(value)))).toEqual({ item: value });
    }),
    { numRuns: 1_000 },
  );
});

test("no bytes, however deep, long or large they say that they are, cost more than their length", () => {
  const bombs: Record<string, string> = {
    "deep arrays": "81".repeat(200_000),
    "endless arrays": "9f".repeat(200_000),
    "deep tags": "c1".repeat(200_000),
    "deep maps": "a100".repeat(100_000),
    "four billion records": "9affffffff80",
    "as many as there are numbers": "9bffffffffffffffff80",
    "a map of them": "bbffffffffffffffff00",
    "a text of them": "7bffffffffffffffff00",
    "bytes of them": "5b7fffffffffffffff00",
    "a number of 200,000 bytes": `81a20061780281c25a00030d40${"ff".repeat(200_000)}`,
    "a power of ten of a milliard": "81a2006178 02c4821a3b9aca0001".replaceAll(" ", ""),
    "an expression": "81d8236461612a5c",
    "chunks without end": "5f" + "4101".repeat(100_000),
    "200,000 empty records": `9a00030d40${"a0".repeat(200_000)}`,
    "a record of 60,000 labels": `81b9ea60${"1863f6".repeat(60_000)}`,
    "cut short": "81a2006178",
    "more behind it": "8000",
    "no array": "a10001",
  };
  for (const [name, hex] of Object.entries(bombs)) {
    const parsed = parse(Buffer.from(hex, "hex"));
    const faults = parsed.kind === "refused" ? [parsed.fault] : parsed.kind === "parsed" ? parsed.faults : [];
    const odd = parsed.kind === "parsed" ? parsed.fields.map(({ value }) => value) : [];
    expect([name, faults.length + odd.length + Number(parsed.kind === "ignored")], name).toEqual([name, 1]);
    for (const { code } of faults)
      expect(
        ["invalid-cbor", "invalid-senml", "too-many-fields", "wrong-type", "invalid-json"],
        name,
      ).toContain(code);
  }
});

test.each([
  ["name", { bn: "a".repeat(200_000) }, ["refused", "invalid-senml /1"]],
  ["unit", { bn: "bin-1:", bu: "a".repeat(200_000) }, ["parsed"]],
])("a base %s as long as the message isn't read through for each record", (_name, base, outcome) => {
  const pack = JSON.stringify([base, ...Array.from({ length: 4_999 }, () => ({ v: 1 }))]);
  const tested = vi.spyOn(RegExp.prototype, "test");
  const replaced = vi.spyOn(String.prototype, "replaceAll");
  let read = 0;
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(pack);
    for (const [text] of tested.mock.calls) read += text.length;
    for (const text of replaced.mock.contexts) read += String(text).length;
  } finally {
    vi.restoreAllMocks();
  }
  const faults = parsed.kind === "refused" ? [parsed.fault] : [];
  expect([parsed.kind, ...faults.map(({ code, path }) => `${code} ${path}`)]).toEqual(outcome);
  expect(read).toBeLessThan(10 * pack.length);
});

test("times below 2^28 are seconds from now, before and after it; others are the clock's", () => {
  const timeOf = (pack: object): number | undefined => {
    const parsed = parse(JSON.stringify([{ n: "temp", u: "Cel", v: 1, ...pack }]));
    return parsed.kind === "parsed" ? parsed.fields[0]?.timeMs : undefined;
  };
  expect(timeOf({})).toBe(receivedMs);
  expect(timeOf({ t: -60 })).toBe(receivedMs - 60_000);
  expect(timeOf({ bt: -3_600, t: 0.25 })).toBe(receivedMs - 3_599_750);
  expect(timeOf({ t: 2 ** 28 - 1 })).toBe(receivedMs + (2 ** 28 - 1) * 1_000);
  expect(timeOf({ t: 2 ** 28 })).toBe(2 ** 28 * 1_000);
  expect(timeOf({ bt: 1_276_020_076.001, t: -5 })).toBe(Date.parse("2010-06-08T18:01:11.001Z"));
  expect(timeOf({ bt: 2 ** 28, t: -1 })).toBe(receivedMs + (2 ** 28 - 1) * 1_000);
  expect(timeOf({ t: 1e300 })).toBeNaN();
  expect(timeOf({ t: -1e300 })).toBeNaN();
});

test.each([
  ["urn:dev:ow:10e2073a01080063", "", "urn:dev:ow:10e2073a01080063", "Cel"],
  ["urn:dev:ow:10e2073a01080063:", "voltage", "urn:dev:ow:10e2073a01080063", "voltage"],
  ["", "urn:dev:mac:0024befffe804ff1_temp", "urn:dev:mac:0024befffe804ff1", "temp"],
  ["urn:dev:mac:0024befffe804ff1/meter1/", "power", "urn:dev:mac:0024befffe804ff1", "meter1.power"],
  ["2001:db8::2/", "temperature", "2001:db8::2", "temperature"],
  ["2001:db8::2", "/temperature", "2001:db8::2", "temperature"],
  ["szkola-25/", "hala:temp", "szkola-25", "hala.temp"],
  ["", "szkola-25/temp", "szkola-25", "temp"],
  ["", "temp", "bin-1", "temp"],
])("the name %s + %s is the device %s and its %s", (bn, n, identity, from) => {
  const parsed = parse(JSON.stringify([{ bn, n, u: "Cel", v: 1 }]));
  expect(parsed).toMatchObject({ kind: "parsed", identity, fields: [{ from }] });
});
