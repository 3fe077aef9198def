import { describe, expect, test } from "vitest";
import { demoDeviceSinceMs } from "../devices/demo/index.js";
import { quantities } from "../devices/index.js";
import { createModel, productOf } from "../devices/simulator/index.js";
import { beginningOf, bookedTotal, readMeter } from "../ingest/meters/index.js";
import { demoDevices } from "./simulator-city.js";

const nowMs = Date.parse("2026-11-25T06:00:00Z");
const dayMs = 86_400_000;
const meters = demoDevices().filter((device) => device.class.endsWith("-meter"));

describe.each(meters.map((device) => [device.id, device] as const))("%s", (_id, described) => {
  test("counts a year without a doubtful amount, as its description says that its registers turn", () => {
    const sinceMs = demoDeviceSinceMs(described, nowMs);
    const device = { ...described, sinceMs };
    const { everyMs = 3_600_000 } = device;
    const model = createModel(device, 1, "Europe/Warsaw");
    const readings = new Map<string, { timeMs: number; value: number; sequence: number }[]>();
    for (let timeMs = sinceMs + everyMs; timeMs < nowMs; timeMs += everyMs)
      for (const [quantity, value] of Object.entries(model.at(timeMs, timeMs - everyMs))) {
        if (quantities.get(quantity)?.kind !== "counter") continue;
        const own = readings.get(quantity) ?? [];
        readings.set(quantity, own);
        own.push({ timeMs, value, sequence: own.length + 1 });
      }
    if (!productOf(device))
      expect(Object.keys(device.meter?.registers ?? {}).toSorted()).toEqual([...readings.keys()].toSorted());
    for (const [quantity, own] of readings) {
      const unit = quantities.get(quantity)?.unit ?? "";
      const options = { waitMs: dayMs, expectedMs: everyMs };
      const account = readMeter([beginningOf(device, quantity, unit)], own, nowMs, options);
      const whys = new Set(account.intervals.map(({ why }) => why));
      expect([...whys].filter((why) => why !== "normal" && why !== "rollover")).toEqual([]);
      expect(account.intervals.length).toBe(own.length - 1);
      expect(bookedTotal(account)).toBeGreaterThanOrEqual(0);
    }
  });
});
