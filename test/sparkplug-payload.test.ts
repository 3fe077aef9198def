import fc from "fast-check";
import { expect, test } from "vitest";
import { sparkplug } from "../devices/formats/sparkplug.js";
import { rebirthPayload } from "../devices/formats/sparkplug-payload.js";
import { openLocalClock } from "../devices/local-time.js";
import { ended } from "./support/bounded.js";
import { readSparkplug, type SparkplugPayload, sparkplugBytes } from "./support/sparkplug.js";

const receivedMs = Date.parse("2026-11-23T10:00:00Z");
const clock = openLocalClock("Europe/Warsaw");
const parse = (payload: Uint8Array): ReturnType<typeof sparkplug.parse> =>
  sparkplug.parse(
    { topic: "spBv1.0/K/DDATA/gw/em", payload, user: "gw", clientId: "gw", qos: 0, receivedMs },
    clock,
    { sequence: 1, recall: () => undefined },
  );

const whole = (bits: number, isSigned: boolean): fc.Arbitrary<number> =>
  isSigned
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 });
/** Numbers of each data type; those of 64 bits as far as a number holds them. */
const numbers: Readonly<Record<string, fc.Arbitrary<number>>> = {
  Int8: whole(8, true),
  Int16: whole(16, true),
  Int32: whole(32, true),
  Int64: whole(53, true),
  UInt8: whole(8, false),
  UInt16: whole(16, false),
  UInt32: whole(32, false),
  UInt64: whole(53, false),
  Double: fc.double({ noNaN: true }),
};
const metricOf = fc.constantFrom(...Object.keys(numbers)).chain((type) =>
  fc.record({
    type: fc.constant(type),
    value: numbers[type] ?? fc.constant(0),
    timestamp: fc.nat(receivedMs),
  }),
);

test("numbers of every data type, as the Tahu project's encoder writes them, are read as they were", () => {
  fc.assert(
    fc.property(fc.array(metricOf, { minLength: 1, maxLength: 20 }), (metrics) => {
      const named = metrics.map((metric, n) => ({ ...metric, name: `m${n}` }));
      const parsed = parse(sparkplugBytes({ timestamp: 1, seq: 0, metrics: named } as SparkplugPayload));
      if (parsed.kind !== "parsed") throw new Error(parsed.kind);
      expect(parsed.faults).toEqual([]);
      expect(parsed.fields.map(({ from, value, timeMs }) => [from, value, timeMs])).toEqual(
        named.map(({ name, value, timestamp }) => [name, value, timestamp]),
      );
    }),
    { numRuns: 300 },
  );
});

/** What an edge node says one message after the other, with what was remembered of it. */
function openNode(): {
  past: Map<string, unknown>;
  tell: (type: string, seq: number, metrics: object[]) => ReturnType<typeof sparkplug.parse>;
} {
  const past = new Map<string, unknown>();
  const tell = (type: string, seq: number, metrics: object[]): ReturnType<typeof sparkplug.parse> => {
    const parsed = sparkplug.parse(
      {
        topic: `spBv1.0/K/${type}/gw`,
        payload: sparkplugBytes({ timestamp: receivedMs, seq, metrics } as SparkplugPayload),
        user: "gw",
        clientId: "gw",
        qos: 0,
        receivedMs,
      },
      clock,
      { sequence: seq + 1, recall: (key) => past.get(key) },
    );
    for (const [key, value] of parsed.lessons ?? []) past.set(key, value);
    return parsed;
  };
  return { past, tell };
}

test("metrics are told by their aliases, one by one and by the index that many get", () => {
  const { tell } = openNode();
  const all = Array.from({ length: 60 }, (_, n) => ({
    name: `m${n}`,
    alias: 60 - n,
    type: "Int32",
    value: n,
  }));
  tell("NBIRTH", 0, all);
  const parsed = tell(
    "NDATA",
    1,
    all.map(({ alias, type, value }) => ({ alias, type, value })),
  );
  expect(parsed.kind === "parsed" && parsed.fields.map(({ from, value }) => [from, value])).toEqual(
    all.map(({ name, value }) => [name, value]),
  );
});

const floatRead = (value: number): number => {
  const metrics = [{ name: "m", type: "Float", value }];
  const parsed = parse(sparkplugBytes({ timestamp: 1, metrics } as SparkplugPayload));
  return Number(parsed.kind === "parsed" ? parsed.fields[0]?.value : undefined);
};

test("a float is read as the shortest decimal that is the same in single precision", () => {
  expect([0.1, 0.7, 50.02, 21.5, 16_777.217].map(floatRead)).toEqual([0.1, 0.7, 50.02, 21.5, 16_777.217]);
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      const read = floatRead(value);
      // Zero has no sign here.
      expect(Math.fround(read)).toBe(value + 0);
      const digits = [6, 7, 8, 9].find((most) => Math.fround(Number(read.toPrecision(most))) === value + 0);
      expect(Number(read.toPrecision(digits))).toBe(read);
      expect(String(read).length).toBeLessThanOrEqual(String(value).length);
    }),
    { numRuns: 300 },
  );
});

test("a decimal of six digits that was sent as a float is read as it was", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999 }), fc.integer({ min: 0, max: 9 }), (whole, places) => {
      const decimal = Number(`${whole}e-${places}`);
      expect(floatRead(decimal)).toBe(decimal);
    }),
    { numRuns: 300 },
  );
});

test("what a node is asked is read by the Tahu project's decoder", () => {
  fc.assert(
    fc.property(fc.nat(receivedMs), (timeMs) => {
      const { timestamp, metrics } = readSparkplug(rebirthPayload(timeMs));
      expect(Number(timestamp)).toBe(timeMs);
      expect(metrics).toMatchObject([{ name: "Node Control/Rebirth", type: "Boolean", value: true }]);
    }),
    { numRuns: 50 },
  );
});

test("a metric whose name is longer than 1,000 characters is at fault by name and by alias, and its name isn't remembered", () => {
  const { past, tell } = openNode();
  const byAlias = Array.from({ length: 5_000 }, () => ({ alias: 1, type: "Int32", value: 5 }));
  const fits = "a-".repeat(500);
  tell("NBIRTH", 0, [{ name: fits, alias: 1, type: "Int32", value: 1 }]);
  const read = tell("NDATA", 1, byAlias.slice(0, 2));
  expect(read).toMatchObject({ kind: "parsed", faults: [], fields: [{ from: fits }, { from: fits }] });

  const birth = tell("NBIRTH", 0, [
    { name: "a-".repeat(125_000), alias: 1, type: "Int32", value: 1 },
    { name: "temperature_celsius", alias: 2, type: "Int32", value: 20 },
  ]);
  const fault = { code: "invalid-sparkplug", path: "/metrics/0" };
  expect(birth).toMatchObject({ fields: [{ name: "temperature_celsius", value: 20 }], faults: [fault] });
  expect(JSON.stringify([...past]).length).toBeLessThan(1_000);
  const data = ended(() => tell("NDATA", 1, [...byAlias, { alias: 2, type: "Int32", value: 21 }]));
  expect(data).toMatchObject({ fields: [{ name: "temperature_celsius", value: 21 }] });
  expect(data).toHaveProperty("faults.length", 5_000);
  expect(data.answers).toBeUndefined();
});
