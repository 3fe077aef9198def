import { expect, test } from "vitest";
import { createResolver, guessField } from "../devices/index.js";

const guessed = (field: string, deviceClass: string, ...seen: number[]): string => {
  const [first = 0] = seen;
  const samples = { first, newest: seen.at(-1) ?? 0, min: Math.min(...seen), max: Math.max(...seen) };
  const { confidence, quantity, ignore } = guessField(field, samples, deviceClass);
  return `${confidence} ${ignore ? "ignore" : (quantity ?? "?")}`;
};

// Names as makers publish them: Tasmota's SML scripts, Dragino, Milesight, Elsys, Decentlab and Netvox decoders (their public codecs).
test.each([
  ["MT681.E_in", "electricity-meter", [617_500], "unsure ?"],
  ["SML.Total_in_kWh", "electricity-meter", [617.5], "sure energy_import_kwh"],
  ["meter.energy_export_wh", "electricity-meter", [5], "sure energy_export_wh"],
  ["total_kwh", "heat-meter", [100], "likely heat_kwh"],
  ["total_m3", "water-meter", [12.5], "likely water_m3"],
  ["Power_curr", "electricity-meter", [2_635], "likely power_w"],
  ["voltage_l2", "electricity-meter", [231], "likely voltage_l2_v"],
  ["currentA", "electricity-meter", [3], "sure current_a"],
  ["power_factor", "electricity-meter", [0.98], "sure power_factor"],
  ["TempC_SHT", "air-sensor", [21.4], "sure temperature_celsius"],
  ["Hum_SHT", "air-sensor", [44], "likely humidity_percent"],
  ["BatV", "bin", [3.6], "sure battery_v"],
  ["battery", "bin", [3.62], "likely battery_v"],
  ["battery", "bin", [92], "likely battery_percent"],
  ["battery", "bin", [3], "unsure ?"],
  ["battery_mv", "bin", [3_600], "sure battery_mv"],
  ["SDS0X1.PM2.5", "air-sensor", [7.1], "likely pm2_5_ug_m3"],
  ["co2_ppm", "air-sensor", [420], "sure co2_ppm"],
  ["no2", "air-sensor", [12], "unsure ?"],
  ["distance", "bin", [740], "unsure ?"],
  ["distance_cm", "bin", [74], "sure distance_cm"],
  ["fill_level", "bin", [43], "likely fill_percent"],
  ["temperature", "air-sensor", [215], "unsure ?"],
  ["leak", "water-meter", [7], "unsure ?"],
  ["flow_l_min", "water-meter", [4], "sure flow_l_min"],
  ["MT681.Tariff", "electricity-meter", [2], "likely ignore"],
  ["uptime", "bin", [8_001], "likely ignore"],
  ["X7.Dose", "air-sensor", [3], "unsure ?"],
  ["", "bin", [1], "unsure ?"],
  ["\u202e\u0000*", "bin", [1], "unsure ?"],
  ["постоянная", "bin", [1], "unsure ?"],
] as const)("%s of a %s that showed %j is %s", (field, deviceClass, seen, expected) => {
  expect(guessed(field, deviceClass, ...seen)).toBe(expected);
});

test("whatever is proposed stands in the vocabulary, and what is left to a person says what to find out", () => {
  const resolve = createResolver();
  const fields = ["E_in", "press", "flow", "wind_speed", "temperature", "power_w", "o3_ppb", "pm1", "i_b"];
  for (const field of fields)
    for (const deviceClass of ["bin", "water-meter", "air-sensor", "electricity-meter"]) {
      const guess = guessField(field, { first: 1, newest: 1, min: 1, max: 1 }, deviceClass);
      expect(guess.why).not.toBe("");
      if (guess.quantity !== undefined)
        expect(resolve(guess.quantity, undefined, deviceClass), `${field} ${guess.quantity}`).toBeDefined();
      if (guess.confidence === "unsure") expect(guess.quantity).toBeUndefined();
    }
});
