import { describe, expect, test } from "vitest";
import { type DeviceEntry, ruleSchema } from "../devices/index.js";
import {
  createModel,
  createModelIn,
  createScene,
  type HistoryColumn,
  nextReportMs,
  simulateHistory,
} from "../devices/simulator/index.js";
import { demoCity, demoDevices } from "./simulator-city.js";

const timeZone = "Europe/Warsaw";
const devices = demoDevices();
const yearPlan = { fromMs: Date.UTC(2025, 0, 1), toMs: Date.UTC(2026, 0, 1), seed: 7, timeZone };
const year = [...simulateHistory(devices, yearPlan)];

const column = (device: string, quantity: string): HistoryColumn => {
  const found = year.find((one) => one.device === device && one.quantity === quantity);
  if (!found) throw new Error(`no ${quantity} of ${device}`);
  return found;
};
const deviceOf = (id: string): DeviceEntry => {
  const found = devices.find((device) => device.id === id);
  if (!found) throw new Error(`no device ${id}`);
  return found;
};
const meanWhere = (one: HistoryColumn, chosen: (date: Date) => boolean): number => {
  const values = [...one.values].filter((_, n) => chosen(new Date(one.times[n] ?? 0)));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
};
const winter = (date: Date): boolean => date.getUTCMonth() === 0;
const summer = (date: Date): boolean => date.getUTCMonth() === 6;
const isCounter = (quantity: string): boolean =>
  /^(energy_.*_kwh|heat_kwh|heat_volume_m3|water_m3)$/.test(quantity);

describe("the demo city", () => {
  test("names places, devices and rules that fit one another", () => {
    const city = demoCity();
    const places = new Set(city.places.map((place) => place.id));
    expect(places.size).toBe(city.places.length);
    for (const id of places)
      expect(id === "krakow" || places.has(id.slice(0, id.lastIndexOf("/")))).toBe(true);
    expect(new Set(devices.map((device) => device.id)).size).toBe(devices.length);
    expect(devices.filter((device) => !places.has(device.place))).toEqual([]);
    for (const rule of city.rules) expect(ruleSchema.safeParse(rule).error).toBeUndefined();
    expect(city.credentials.map(({ secret }) => secret)).toEqual(Array(5).fill("${OBIEG_DEMO_SECRET}"));
  });
});

describe("a device's model", () => {
  test("gives the same numbers for the same seed, and others for another", () => {
    const at = Date.UTC(2026, 10, 23, 10);
    for (const device of devices) {
      const reading = createModel(device, 7, timeZone).at(at);
      expect(createModel(device, 7, timeZone).at(at)).toEqual(reading);
      expect(createModel(device, 8, timeZone).at(at)).not.toEqual(reading);
    }
  });

  test("gives the same numbers in whatever order it is asked", () => {
    const scene = createScene(7, timeZone);
    const hours = Array.from({ length: 400 }, (_, n) => Date.UTC(2025, 2, 20) + n * 3_600_000);
    for (const device of devices) {
      const forward = createModelIn(scene, device);
      const backward = createModelIn(scene, device);
      const there = hours.map((timeMs) => forward.at(timeMs));
      const back = hours.toReversed().map((timeMs) => backward.at(timeMs));
      expect(back.toReversed()).toEqual(there);
    }
  });

  test("goes on where the history ends", () => {
    for (const device of devices) {
      const model = createModel(device, 7, timeZone);
      const nextMs = nextReportMs(device, yearPlan.toMs);
      const longer = simulateHistory([device], { ...yearPlan, fromMs: nextMs, toMs: nextMs + 1 });
      const next = Object.fromEntries([...longer].map((one) => [one.quantity, one.values[0]]));
      expect(model.at(nextMs)).toEqual(next);
    }
  });

  test("refuses a class that it has no model of", () => {
    const device = { ...deviceOf("em-101"), class: "toaster" };
    expect(() => createModel(device, 1, timeZone)).toThrow(
      expect.objectContaining({ code: "simulator-class" }),
    );
    expect(() => createModel(deviceOf("em-101"), 1, "Europe/Cracow")).toThrow(
      expect.objectContaining({ code: "simulator-time-zone" }),
    );
    expect(() => createModel(deviceOf("em-101"), 1, timeZone).at(0)).toThrow(
      expect.objectContaining({ code: "simulator-time" }),
    );
  });
});

describe("a year of history", () => {
  test("holds every regular reading of the year, in order of time", () => {
    for (const one of year) {
      expect(one.times.length).toBe(one.values.length);
      expect(one.times.every((timeMs, n) => n === 0 || timeMs > (one.times[n - 1] ?? 0))).toBe(true);
      expect(one.times.every((timeMs) => timeMs >= yearPlan.fromMs && timeMs < yearPlan.toMs)).toBe(true);
    }
    expect(column("em-101", "power_w").times.length).toBe(365 * 96);
    expect(column("wm-301", "battery_v").times.length).toBeGreaterThanOrEqual(364);
  });

  test("lets counters grow, and only turn over at 8 digits", () => {
    for (const one of year.filter(({ quantity }) => isCounter(quantity))) {
      const falls = [...one.values].filter((value, n) => n > 0 && value < (one.values[n - 1] ?? 0));
      expect(falls.length, `${one.device} ${one.quantity}`).toBeLessThanOrEqual(1);
      expect(one.values.every((value) => value >= 0 && value < 100_000_000)).toBe(true);
    }
  });

  test("turns a register over when it is asked to, and loses nothing", () => {
    const device = deviceOf("em-102");
    const rolloverAtMs = Date.UTC(2025, 5, 1, 12);
    const model = createModel(device, 7, timeZone, { rolloverAtMs });
    const plain = createModel(device, 7, timeZone);
    const read = (one: typeof model, timeMs: number): number =>
      one.at(timeMs)["energy_import_kwh"] ?? Number.NaN;
    const before = read(model, rolloverAtMs - 900_000);
    const after = read(model, rolloverAtMs + 900_000);
    expect(before).toBeGreaterThan(99_950);
    expect(after).toBeLessThan(50);
    const grown = read(plain, rolloverAtMs + 900_000) - read(plain, rolloverAtMs - 900_000);
    expect(after + 100_000 - before).toBeCloseTo(grown, 2);
  });

  test("stays within what the sensors can show", () => {
    const ranges: Record<string, [number, number]> = {
      fill_percent: [0, 100],
      temperature_celsius: [-30, 45],
      humidity_percent: [10, 100],
      pressure_hpa: [940, 1_025],
      voltage_v: [215, 245],
      power_w: [-60_000, 400_000],
      ...Object.fromEntries(
        [1, 2, 3].flatMap((phase) => [
          [`power_l${phase}_w`, [0, 20_000]],
          [`voltage_l${phase}_v`, [215, 245]],
          [`current_l${phase}_a`, [0, 100]],
        ]),
      ),
      apparent_power_va: [0, 60_000],
      current_a: [0, 16],
      frequency_hz: [49.5, 50.5],
      distance_mm: [350, 1_600],
      rssi_dbm: [-125, -50],
      snr_db: [-20, 12],
      link_margin_db: [0, 25],
      flow_m3_h: [0, 10],
      pm1_ug_m3: [0, 1_000],
      pm2_5_ug_m3: [0, 1_000],
      pm10_ug_m3: [0, 1_000],
      no2_ug_m3: [0, 1_000],
      battery_v: [2.9, 3.7],
      battery_percent: [0, 100],
      supply_temperature_celsius: [60, 135],
      return_temperature_celsius: [25, 70],
      emptied: [1, 1],
      leak: [0, 1],
    };
    for (const { device, quantity, values } of year) {
      if (isCounter(quantity)) continue;
      const [low, high] = ranges[quantity] ?? [Number.NaN, Number.NaN];
      expect(
        values.every((value) => value >= low && value <= high),
        `${device} ${quantity}`,
      ).toBe(true);
    }
  });

  test("keeps PM1 below PM2.5 below PM10", () => {
    const [pm1, pm25, pm10] = ["pm1_ug_m3", "pm2_5_ug_m3", "pm10_ug_m3"].map((name) =>
      column("air-401", name),
    );
    pm25?.values.forEach((value, n) => {
      expect(pm1?.values[n] ?? Number.NaN).toBeLessThanOrEqual(value);
      expect(pm10?.values[n] ?? Number.NaN).toBeGreaterThanOrEqual(value);
    });
  });

  test("follows the heating season, the sun and the working week", () => {
    const ratio = (device: string, quantity: string): number =>
      meanWhere(column(device, quantity), winter) / meanWhere(column(device, quantity), summer);
    expect(ratio("hm-202", "power_w")).toBeGreaterThan(4);
    expect(ratio("air-401", "pm2_5_ug_m3")).toBeGreaterThan(2);
    expect(ratio("em-108", "power_w")).toBeGreaterThan(1.5);
    const working = meanWhere(column("em-102", "power_w"), (date) => date.getUTCDay() === 3);
    const sunday = meanWhere(column("em-102", "power_w"), (date) => date.getUTCDay() === 0);
    expect(working).toBeGreaterThan(1.5 * sunday);
    const rush = meanWhere(column("air-402", "no2_ug_m3"), (date) => date.getUTCHours() === 15);
    const night = meanWhere(column("air-402", "no2_ug_m3"), (date) => date.getUTCHours() === 2);
    expect(rush).toBeGreaterThan(1.5 * night);
  });

  test("empties bins on their days, and shows it in the fill", () => {
    const emptied = column("bin-0001", "emptied");
    const fill = column("bin-0001", "fill_percent");
    expect(emptied.times.length).toBeGreaterThan(140);
    expect(emptied.times.length).toBeLessThanOrEqual(157);
    for (const timeMs of emptied.times) {
      const weekday = new Date(timeMs).getUTCDay();
      expect([1, 3, 5]).toContain(weekday);
      expect(fill.values[fill.times.indexOf(timeMs)] ?? Number.NaN).toBeLessThan(20);
    }
    expect([...fill.values].some((value) => value > 90)).toBe(true);
  });

  test("begins days at local midnight and gives each quarter of an hour its place on the wall clock", () => {
    const { calendar } = createScene(1, timeZone);
    const spring = calendar.at(Date.UTC(2026, 2, 29, 10));
    expect([spring.startMs, spring.endMs]).toEqual([Date.UTC(2026, 2, 28, 23), Date.UTC(2026, 2, 29, 22)]);
    expect([...spring.quarters.slice(7, 9), spring.quarters.length]).toEqual([7, 12, 92]);
    const autumn = calendar.at(Date.UTC(2026, 9, 25, 10));
    expect([autumn.startMs, autumn.endMs]).toEqual([Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 25, 23)]);
    expect([...autumn.quarters.slice(11, 13), autumn.quarters.length]).toEqual([11, 8, 100]);
    for (const holiday of ["2026-04-06", "2026-06-04", "2026-11-11", "2026-12-24"]) {
      const day = calendar.at(Date.parse(`${holiday}T12:00:00Z`));
      expect(day.free, holiday).toBe(true);
      expect(day.weekday).not.toBe(6);
    }
    expect(calendar.at(Date.parse("2026-11-24T12:00:00Z"))).toMatchObject({ free: false, weekday: 1 });
  });

  test("keeps days of 23 and 25 hours whole", () => {
    const model = createModel(deviceOf("em-103"), 7, timeZone);
    for (const midnight of [Date.UTC(2025, 2, 29, 23), Date.UTC(2025, 9, 25, 22)]) {
      let last = -1;
      for (let n = 0; n <= 26 * 60; n++) {
        const value = model.at(midnight + n * 60_000)["energy_import_kwh"] ?? Number.NaN;
        expect(value).toBeGreaterThanOrEqual(last);
        expect(value - last).toBeLessThan(last < 0 ? 100_000 : 0.2);
        last = value;
      }
    }
  });
});
