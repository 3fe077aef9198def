import fc from "fast-check";
import { expect, test } from "vitest";
import { createResolver } from "../devices/index.js";
import { product, shift, sum } from "../devices/decimal.js";

const resolve = createResolver();
const convert = (name: string, value: number, unit?: string): number | undefined => {
  const found = resolve(name, unit, "");
  return found && (found.convert ? found.convert(value) : value);
};

/** A decimal number as devices write it, and its text. */
const decimal = fc
  .tuple(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), fc.integer({ min: 0, max: 12 }))
  .map(([digits, places]) => `${digits}e-${places}`);

test("a number in thousands, thousandths and other powers of ten becomes what the same digits say in the canonical unit", () => {
  const pairs = [
    ["power_kw", 3],
    ["power_mw", 6],
    ["energy_import_wh", -3],
    ["energy_import_mwh", 3],
    ["distance_m", 3],
    ["distance_cm", 1],
    ["weight_g", -3],
    ["battery_mv", -3],
    ["pressure_pa", -3],
    ["pressure_kpa", 0],
    ["pm10_mg_m3", 3],
    ["co2_ppb", -3],
    ["humidity_ratio", 2],
    ["humidity_permille", -1],
  ] as const;
  fc.assert(
    fc.property(fc.constantFrom(...pairs), decimal, ([name, power], text) => {
      const [digits = "", exponent = "0"] = text.split("e");
      expect(convert(name, Number(text))).toBe(Number(`${digits}e${Number(exponent) + power}`));
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ["power_kw", 4.047, 4_047],
  ["energy_import_wh", 3_612_864.98, 3_612.864_98],
  ["energy_import_j", 8_640_000, 2.4],
  ["energy_import_mj", 9.36, 2.6],
  ["heat_gj", 0.018, 5],
  ["temperature_kelvin", 294.25, 21.1],
  ["temperature_fahrenheit", 68, 20],
  ["temperature_fahrenheit", 70.7, 21.5],
  ["flow_l_min", 7.3, 0.438],
  ["flow_l_s", 0.1, 0.36],
  ["wind_speed_km_h", 36, 10],
  ["wind_direction_rad", Math.PI / 2, 90],
  ["water_l", 1e-7, 1e-10],
  ["water_l", 123_456_789_012, 123_456_789.012],
])("%s %d is %d", (name, value, canonical) => {
  expect(convert(name, value)).toBe(canonical);
});

test("what isn't a finite number stays none, whatever its unit", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    for (const name of [
      "power_kw",
      "energy_import_wh",
      "energy_import_j",
      "temperature_kelvin",
      "flow_l_min",
    ])
      expect(convert(name, value)).toBe(value);
});

test("a source's scale and offset leave nothing behind the digits that came", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 4 }), (whole, places) => {
      const value = shift(whole, -places);
      expect(product(value, 0.1)).toBe(Number(`${whole}e-${places + 1}`));
      expect(product(value, -3)).toBe(Number(`${-3 * whole}e-${places}`));
      expect(sum(product(value, 0.001), 0)).toBe(Number(`${whole}e-${places + 3}`));
    }),
  );
  expect([sum(0.1, 0.2), sum(21.3, -0.2), sum(1e12, 0.5)]).toEqual([0.3, 21.1, 1e12 + 0.5]);
});
