import fc from "fast-check";
import { expect, test } from "vitest";
import {
  openCodecs,
  createResolver,
  createValidator,
  type DeviceEntry,
  quantities,
  type RegistryView,
} from "../devices/index.js";

const receivedMs = Date.UTC(2026, 10, 23, 10);
const bin: DeviceEntry = {
  id: "bin-1",
  class: "bin",
  place: "krakow",
  sinceMs: 0,
  emptyMm: 1_500,
  fullMm: 200,
};
const registry = { device: () => bin } as unknown as RegistryView;
const limits = { futureSkewMs: 300_000 };

const codecFor = openCodecs(registry);

const decode = (payload: string | Uint8Array) => {
  const codec = codecFor("readings/bin-1");
  if (!codec) throw new Error("no codec");
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  return codec.decode(
    { topic: "readings/bin-1", payload: bytes, user: "bin-1", clientId: "", qos: 1, receivedMs },
    registry,
  );
};
const take = (payload: string) => {
  const decoded = decode(payload);
  if (decoded.kind !== "decoded") throw new Error(JSON.stringify(decoded));
  const { values, faults } = createValidator()(decoded, bin, receivedMs, limits);
  return {
    values: values.map(({ quantity, value, timeMs, attributes }) => [quantity, value, timeMs, attributes]),
    faults: faults.map(({ code, path }) => [code, path]),
  };
};

test("takes what CONTRACT shows", () => {
  const payload = `{"time": "2026-11-23T10:00:00Z", "fill_percent": 43.2, "temperature_celsius": 11.4, "battery_v": 3.61}`;
  expect(take(payload)).toEqual({
    values: [
      ["fill_percent", 43.2, receivedMs, ""],
      ["temperature_celsius", 11.4, receivedMs, ""],
      ["battery_v", 3.61, receivedMs, ""],
    ],
    faults: [],
  });
});

test("takes the receive time where none is given, epoch milliseconds, and offsets", () => {
  const times = [
    `{"weight_kg":1}`,
    `{"time":${receivedMs - 5},"weight_kg":1}`,
    `{"time":"2026-11-23T11:00:00.25+01:00","weight_kg":1}`,
  ];
  expect(times.map((payload) => take(payload).values[0]?.[2])).toEqual([
    receivedMs,
    receivedMs - 5,
    receivedMs + 250,
  ]);
});

test("converts units by name and by UCUM, and takes states as booleans", () => {
  const payload = `{"energy_import_wh": 1500, "pressure": {"value": 2, "unit": "kPa"}, "tilted": true, "temperature_fahrenheit": 50}`;
  const values = take(payload).values.map(([quantity, value]) => [
    quantity,
    Math.round(Number(value) * 1e9) / 1e9,
  ]);
  expect(values).toEqual([
    ["energy_import_kwh", 1.5],
    ["pressure_kpa", 2],
    ["tilted", 1],
    ["temperature_celsius", 10],
  ]);
});

test("makes fill of distance where the container is known", () => {
  expect(take(`{"distance_mm": 850}`).values.map(([quantity, value]) => [quantity, value])).toEqual([
    ["distance_mm", 850],
    ["fill_percent", 50],
  ]);
});

test("a bad field costs only itself, and says where it stands", () => {
  const payload = `[{"fill_percent": 50, "fill_furlongs": 1, "temperature_celsius": 900, "weight_kg": "12", "battery_v": null},
    7, {"time": "yesterday", "fill_percent": 1}, {"time": "2031-01-01T00:00:00Z", "fill_percent": 1}, {"time": 1700000000, "fill_percent": 1},
    {"weight_kg": 1e999}, {"collected_kg": 5, "fraction": "gold"}, {"collected_kg": 5, "fraction": "bio"}]`;
  expect(take(payload)).toEqual({
    values: [
      ["fill_percent", 50, receivedMs, ""],
      ["collected_kg", 5, receivedMs, `{"fraction":"bio"}`],
    ],
    faults: [
      ["wrong-type", "/0/weight_kg"],
      ["wrong-type", "/1"],
      ["invalid-time", "/2/fill_percent"],
      ["invalid-attribute", "/6/collected_kg"],
      ["unknown-quantity", "/0/fill_furlongs"],
      ["implausible-value", "/0/temperature_celsius"],
      ["time-in-future", "/3/fill_percent"],
      ["time-too-old", "/4/fill_percent"],
      ["not-finite", "/5/weight_kg"],
    ],
  });
});

test.each([
  ["invalid-json", "{"],
  ["invalid-json", "NaN"],
  ["invalid-json", Uint8Array.of(0x22, 0xff, 0x22)],
  ["wrong-type", "42"],
  ["wrong-type", "null"],
  ["too-many-readings", JSON.stringify(Array.from({ length: 1_001 }, () => ({ weight_kg: 1 })))],
])("refuses a whole message as %s", (code, payload) => {
  expect(decode(payload)).toMatchObject({ kind: "refused", device: "bin-1", fault: { code } });
});

test("never throws, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => void decode(bytes)));
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (json) => {
      const decoded = decode(json);
      if (decoded.kind === "decoded") createValidator()(decoded, bin, receivedMs, limits);
    }),
  );
  expect(decode("[".repeat(200_000) + "]".repeat(200_000)).kind).toBe("decoded");
});

test("every quantity is found by its own name, and by its stem with its unit", () => {
  const resolve = createResolver();
  for (const quantity of quantities.values()) {
    expect(resolve(quantity.name, undefined, "")).toEqual({ quantity });
    expect(resolve(quantity.stem, quantity.ucum, "")?.quantity.name, quantity.name).toBe(quantity.name);
    expect(quantity.plausible[0]).toBeLessThan(quantity.plausible[1]);
  }
});

test("of two quantities with one stem, a unit of neither means the one that the device's class carries", () => {
  const resolve = createResolver();
  expect(resolve("pressure_bar", undefined, "water-meter")?.quantity.name).toBe("pressure_kpa");
  expect(resolve("pressure_pa", undefined, "air-sensor")?.quantity.name).toBe("pressure_hpa");
});
