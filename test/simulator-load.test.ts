import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { durationSchema } from "../devices/index.js";
import {
  cityYamlFor,
  createModel,
  parseFaults,
  simulatedClasses,
  syntheticDevices,
} from "../devices/simulator/index.js";
import { createLatency } from "../devices/simulator/latency.js";

describe("devices for load", () => {
  test("are always the same ones, of every class, each with a model", () => {
    const many = syntheticDevices(1_000, "krakow/podgorze");
    expect(many).toEqual(syntheticDevices(1_000, "krakow/podgorze"));
    expect(syntheticDevices(10, "krakow/podgorze")).toEqual(many.slice(0, 10));
    expect(new Set(many.map(({ id }) => id)).size).toBe(1_000);
    expect(new Set(many.map((device) => device.class))).toEqual(new Set(simulatedClasses));
    for (const device of many.slice(0, 8)) {
      expect(
        Object.keys(createModel(device, 1, "Europe/Warsaw").at(Date.UTC(2026, 0, 1))).length,
      ).toBeGreaterThan(1);
    }
  });

  test("fit into a city file with every place that they stand at", () => {
    const devices = [
      ...syntheticDevices(20, "krakow/podgorze"),
      ...syntheticDevices(1, "krakow/nowa-huta/blok/m-1"),
    ];
    const text = cityYamlFor(devices, {
      credentials: [{ user: "gw", secretFile: "gw", publishesFor: ["*"] }],
    });
    const city = parse(text) as {
      places: { id: string; kind: string }[];
      devices: Record<string, unknown>[];
      credentials: unknown;
    };
    expect(city.places.map(({ id, kind }) => `${id} ${kind}`)).toEqual([
      "krakow city",
      "krakow/nowa-huta district",
      "krakow/nowa-huta/blok building",
      "krakow/nowa-huta/blok/m-1 household",
      "krakow/podgorze district",
    ]);
    expect(city.devices.length).toBe(21);
    expect(
      city.devices.map(({ every, ...rest }) => ({
        ...rest,
        everyMs: durationSchema.parse(every),
        sinceMs: 0,
      })),
    ).toEqual(devices);
    expect(city.credentials).toEqual([{ user: "gw", secretFile: "gw", publishesFor: ["*"] }]);
  });
});

describe("faults on the command line", () => {
  test("have a probability of their own, or 2 %", () => {
    expect(parseFaults("drop,duplicate=0.1, late = 0.05")).toEqual({
      drop: 0.02,
      duplicate: 0.1,
      late: 0.05,
    });
    expect(parseFaults("")).toEqual({});
  });

  test.each(["explode", "drop=2", "drop=x", "drop=-1", "drop=0.6,late=0.6"])("are refused as %s", (text) => {
    expect(() => parseFaults(text)).toThrow(expect.objectContaining({ code: "simulator-faults" }));
  });
});

test("latencies are told within 5 %", () => {
  const latency = createLatency();
  expect(latency.quantile(0.99)).toBe(0);
  for (let ms = 1; ms <= 1_000; ms++) latency.add(ms);
  expect(Math.abs(latency.quantile(0.5) / 500 - 1)).toBeLessThan(0.06);
  expect(Math.abs(latency.quantile(0.99) / 990 - 1)).toBeLessThan(0.06);
  expect(latency.maxMs).toBe(1_000);
});
