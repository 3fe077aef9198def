import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceEntry } from "../devices/index.js";
import { MeterEntries } from "../ingest/meter-entries.js";
import { Metering } from "../ingest/metering.js";
import { beginningOf, readMeter } from "../ingest/meters/index.js";
import type { CounterPage, CounterQuery } from "../ingest/stores/port.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import { collect } from "./support/heap.js";
import { hourMs, minuteMs, noonMs } from "./support/meter.js";

const quarterMs = 15 * minuteMs;
const dayMs = 24 * hourMs;
const waitMs = 6 * hourMs;
const name = { device: "d0", quantity: "energy_export_kwh" };
const deviceOf = (everyMs: number, digits: number): DeviceEntry => {
  const figures = { serial: "E-1", digits, resolution: 0.001, multiplier: 1, maxRate: 40, installed: 0 };
  const meter = { registers: { energy_export_kwh: figures } };
  return { id: "d0", class: "electricity-meter", place: "krakow", everyMs, sinceMs: 0, meter };
};

let dir = "";
let state: StateStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-metering-"));
  state = openState(join(dir, "state"));
});
afterEach(async () => {
  await state.close();
  rmSync(dir, { recursive: true, force: true });
});

type Counter = (query: CounterQuery) => CounterPage;
const meteringOf = (device: DeviceEntry, nowMs: number, mostUndecided: number, counter: Counter): Metering =>
  new Metering({
    history: { counter: async (query) => counter(query) },
    registry: { device: () => device },
    entries: new MeterEntries(state),
    waitMs,
    clock: () => nowMs,
    mostUndecided,
  });

/** What a register does: it stands still, counts, dithers, jumps, falls, begins anew, or nothing is heard of it. */
const stretch = fc.record({
  quarters: fc.integer({ min: 1, max: 30 }),
  does: fc.constantFrom("stands", "stands", "counts", "dithers", "sinks", "lost"),
  begins: fc.constantFrom("as it is", "as it is", "reset", "jump", "fall", "back", "turn", "wild"),
});
const story = fc.array(stretch, { minLength: 1, maxLength: 12 }).map((stretches) => {
  const items: { timeMs: number; value: number; receivedMs: number }[] = [];
  let [quarter, value, before] = [0, 500, 500];
  for (const { quarters, does, begins } of stretches) {
    const next = { reset: 0, jump: value + 90, fall: value - 90, back: before, turn: 999.998, wild: 65_535 };
    if (begins !== "as it is") [before, value] = [value, Math.max(0, next[begins])];
    for (let n = 0; n < quarters; n += 1, quarter += 1) {
      if (does === "counts") value = (value + 0.25) % 1_000;
      if (does === "dithers") value += n % 2 === 0 ? 0.001 : -0.001;
      if (does === "sinks") value = Math.max(0, value - 0.5);
      const timeMs = noonMs + quarter * quarterMs;
      if (does !== "lost") items.push({ timeMs, value: Number(value.toFixed(3)), receivedMs: timeMs });
    }
  }
  return items;
});

test("amounts of any range are those that all readings give, however few of them are looked at at once", async () => {
  const some = fc.integer({ min: 0, max: 200 });
  let devices = 0;
  await fc.assert(
    fc.asyncProperty(
      story,
      fc.constantFrom(3, 5),
      some,
      some,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(1, 5, 1_000),
      fc.option(fc.integer({ min: 0, max: 150 })),
      async (items, digits, from, length, few, undecided, exchanged) => {
        const device = { ...deviceOf(quarterMs, digits), id: `d${(devices += 1)}` };
        const meter = { ...name, device: device.id };
        const nowMs = noonMs + 160 * quarterMs;
        const [fromMs, toMs] = [
          noonMs + from * quarterMs - 1,
          noonMs + (from + length) * quarterMs + minuteMs,
        ];
        const metering = meteringOf(device, nowMs, undecided, (query) => {
          const found = items.filter(({ timeMs }) => timeMs >= query.fromMs && timeMs < query.toMs);
          const most = Math.min(few, query.limit);
          return { items: found.slice(0, most), nextMs: found[most]?.timeMs };
        });
        const readings = items.map(({ timeMs, value, receivedMs }) => ({
          timeMs,
          value,
          sequence: receivedMs,
        }));
        if (exchanged !== null) {
          const timeMs = noonMs + exchanged * quarterMs + minuteMs;
          const [final, start] = [600, 3];
          const said = { kind: "exchanged", why: "calibration", register: { serial: "E-2" } } as const;
          await metering.append(meter, { ...said, timeMs, final, start }, "ewa");
        }
        const written = metering.entries(device.id).map(({ entry }) => entry);
        const life = [beginningOf(device, name.quantity, "kWh"), ...written];
        const whole = readMeter(life, readings, nowMs, { waitMs, expectedMs: quarterMs });
        expect(await metering.amounts({ ...meter, fromMs, toMs, limit: 1_000 })).toEqual(
          whole.intervals.filter((one) => one.toMs > fromMs && one.fromMs < toMs),
        );
      },
    ),
    { numRuns: 400 },
  );
});

const everyMs = 30_000;
const count = 160_000;
/** What a register shows by number of its reading, none of which shows what was believed before. */
const standing: { register: string; value: (n: number) => number }[] = [
  { register: "that stands at zero", value: () => 0 },
  { register: "that fell to zero and dithers", value: (n) => (n < 100 ? 7 : (n % 2) / 1_000) },
  { register: "that sinks", value: (n) => 99_000 - n / 8 },
];

test.each(standing)("a register $register is read through in pages that don't add up", async ({ value }) => {
  const endMs = noonMs + count * everyMs;
  const heaps: number[] = [];
  let turns = 0;
  const metering = meteringOf(deviceOf(everyMs, 5), endMs, 20_000, ({ fromMs, toMs, limit }) => {
    const first = Math.max(0, Math.ceil((fromMs - noonMs) / everyMs));
    const end = Math.min(count, Math.ceil((toMs - noonMs) / everyMs), first + limit);
    const items = Array.from({ length: Math.max(0, end - first) }, (_unused, index) => {
      const timeMs = noonMs + (first + index) * everyMs;
      return { timeMs, value: value(first + index), receivedMs: timeMs };
    });
    const nextMs = noonMs + end * everyMs;
    collect();
    heaps.push(process.memoryUsage().heapUsed / 1e6);
    return { items, nextMs: end === first + limit && nextMs < toMs ? nextMs : undefined };
  });
  const turn = (): void => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  // A day at the end, of which the beginning decides, and one at the beginning, of which the end does.
  for (const fromMs of [endMs - dayMs, noonMs + hourMs]) {
    const found = await metering.amounts({ ...name, fromMs, toMs: fromMs + dayMs, limit: 1_000 });
    expect(found.length).toBeGreaterThan(0);
  }
  // All of it: what isn't decided of it doesn't add up either.
  const steps = { step: "day", timeZone: "Europe/Warsaw" } as const;
  const days = await metering.steps({ ...name, fromMs: noonMs, toMs: endMs, ...steps });
  expect(days.length).toBeGreaterThan(0);
  clearImmediate(next);
  expect(heaps.length).toBeGreaterThan(8);
  expect(Math.max(...heaps) - (heaps[0] ?? 0)).toBeLessThan(25);
  // Others have their turn between any two pages.
  expect(turns).toBeGreaterThanOrEqual(heaps.length - 1);
});
