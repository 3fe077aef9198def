import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SeriesQuery } from "../ingest/stores/port.js";
import { openTestHistory, take, type TestHistory, valueAt } from "./support/stores-history.js";

interface Service {
  every: number | undefined;
  since: number | undefined;
  until: number | undefined;
}

const hourMs = 3_600_000;
/** Four days; on the second clocks go forward in Warsaw. */
const springMs = Date.parse("2026-03-28T00:00:00+01:00");
/** And back. */
const autumnMs = Date.parse("2026-10-24T00:00:00+02:00");
const lengthMs = 96 * hourMs;
const services = new Map<string, Service>();
const counted = { asked: 0 };
const quantity = "energy_import_kwh";

let opened: TestHistory;
beforeAll(async () => {
  opened = await openTestHistory({
    everyMsOf(device) {
      counted.asked += 1;
      return services.get(device)?.every;
    },
    sinceMsOf: (device) => services.get(device)?.since,
    untilMsOf: (device) => services.get(device)?.until,
  });
  // Now and then nothing for two hours.
  const times = [springMs, autumnMs].flatMap((startMs) =>
    Array.from({ length: 960 }, (_, n) => startMs + n * 360_000 + ((n * 7_919) % 300_000)),
  );
  const sent = times.filter((_, n) => n % 100 < 80);
  opened.clock.nowMs = autumnMs + lengthMs;
  await take(
    opened.history,
    sent.map((timeMs, n) => valueAt(timeMs, n)),
  );
});
afterAll(() => opened.history.close());

/** What devices promise from one moment to another, device by device. */
function promised(devices: readonly string[], fromMs: number, toMs: number): number | undefined {
  const { nowMs } = opened.clock;
  let sum = 0;
  for (const device of devices) {
    const { every, since = fromMs, until = nowMs } = services.get(device) as Service;
    if (every === undefined) return undefined;
    const ms = Math.min(toMs, nowMs, until) - Math.max(fromMs, since);
    sum += Math.max(0, Math.floor(ms / every));
  }
  return sum;
}

const moment = fc.integer({ min: -10, max: 970 }).chain((tenths) => fc.constantFrom(tenths, tenths + 0.013));
const service = fc.record({
  every: fc.constantFrom(1_000, 60_000, 420_000, 900_000, 900_000, hourMs, 5 * hourMs),
  since: fc.option(moment, { nil: undefined }),
  until: fc.option(moment, { nil: undefined }),
});

test("what a series' devices promise is what each promises by itself, whenever it began or ended, whatever the step", async () => {
  const property = fc.asyncProperty(
    fc.array(service, { minLength: 1, maxLength: 30 }),
    fc.constantFrom(springMs, autumnMs),
    fc.constantFrom<SeriesQuery["step"]>(60_000, 420_000, 900_000, hourMs, "hour", "day", "week"),
    fc.constantFrom("Europe/Warsaw", "Australia/Lord_Howe", "Asia/Kathmandu"),
    fc.tuple(moment, moment, moment),
    async (drawn, startMs, step, timeZone, [one, other, now]) => {
      const at = (tenths: number): number => startMs + Math.round(tenths * 0.1 * hourMs);
      services.clear();
      for (const [n, { every, since, until }] of drawn.entries())
        services.set(`d${n}`, {
          every,
          since: since === undefined ? undefined : at(since),
          until: until === undefined ? undefined : at(until),
        });
      opened.clock.nowMs = at(now);
      const devices = [...services.keys()];
      const range = { fromMs: at(Math.min(one, other)), toMs: at(Math.max(one, other)) };
      const points = await opened.history.series({ ...range, devices, quantity, step, timeZone });
      expect(points.map(({ expected }) => expected)).toEqual(
        points.map(({ fromMs, toMs }) => promised(devices, fromMs, toMs)),
      );
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

test("a series looks at a device a few times, however many its steps", async () => {
  services.clear();
  for (let n = 0; n < 200; n += 1)
    services.set(`d${n}`, { every: 900_000, since: springMs + n * hourMs, until: undefined });
  opened.clock.nowMs = autumnMs + lengthMs;
  const devices = [...services.keys()];
  const range = { fromMs: springMs, toMs: springMs + lengthMs };
  counted.asked = 0;
  const points = await opened.history.series({
    ...range,
    devices,
    quantity,
    step: 60_000,
    timeZone: "Europe/Warsaw",
  });
  expect(points).toHaveLength(780);
  expect(points.some(({ fromMs, toMs, expected }) => expected !== promised(devices, fromMs, toMs))).toBe(
    false,
  );
  expect(counted.asked).toBeLessThanOrEqual(2 * devices.length);
});

test("a series of devices of which one has no interval promises nothing", async () => {
  services.clear();
  services.set("d0", { every: 900_000, since: undefined, until: undefined });
  services.set("d1", { every: undefined, since: undefined, until: undefined });
  const points = await opened.history.series({
    fromMs: springMs,
    toMs: springMs + lengthMs,
    devices: ["d0", "d1"],
    quantity,
    step: "day",
    timeZone: "Europe/Warsaw",
  });
  expect(points.length).toBeGreaterThan(3);
  expect(points.every(({ expected }) => expected === undefined)).toBe(true);
});
