import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceEntry } from "../devices/index.js";
import { MeterEntries } from "../ingest/meter-entries.js";
import { type MeterAmount, Metering } from "../ingest/metering.js";
import { beginningOf, readMeter, type Reading } from "../ingest/meters/index.js";
import { openState, type StateStore } from "../ingest/stores/state.js";
import {
  type IncomingValue,
  noonMs,
  openTestHistory,
  take,
  type TestHistory,
  valueAt,
} from "./support/stores-history.js";

const quarterMs = 900_000;
const dayMs = 86_400_000;
const name = { device: "d0", quantity: "energy_import_kwh" };
const device: DeviceEntry = {
  id: "d0",
  class: "electricity-meter",
  place: "krakow",
  everyMs: quarterMs,
  sinceMs: 0,
  meter: {
    registers: {
      energy_import_kwh: {
        serial: "E-1",
        digits: 5,
        resolution: 0.001,
        multiplier: 1,
        maxRate: 40,
        installed: 0,
      },
    },
  },
};
const waitMs = 6 * 3_600_000;

let dir = "";
let state: StateStore;
let store: TestHistory;
let metering: Metering;
let registered = device;
beforeEach(async () => {
  registered = device;
  dir = mkdtempSync(join(tmpdir(), "obieg-metering-"));
  state = openState(join(dir, "state"));
  store = await openTestHistory({ dir, hotDays: 2 });
  metering = new Metering({
    history: store.history,
    registry: { device: (id) => (id === "d0" ? registered : undefined) },
    entries: new MeterEntries(state),
    waitMs,
    clock: () => store.clock.nowMs,
  });
});
afterEach(async () => {
  await store.history.close();
  await state.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Ten days of quarters from a week and a half ago: a vacant week-end, zeros, spikes, gaps, a reset, a rollover. */
function troubled(): IncomingValue[] {
  const startMs = noonMs - 10 * dayMs;
  const values: IncomingValue[] = [];
  let register = 99_700;
  for (let quarter = 0; quarter < 960; quarter += 1) {
    const day = Math.floor(quarter / 96);
    if (day !== 3 && day !== 4) register = (register + ((quarter * 7) % 13) / 8) % 100_000;
    if (quarter === 780) register = 0;
    const dice = (quarter * 7_919) % 97;
    if (dice < 4) continue;
    const value = dice === 5 || dice === 50 ? 0 : dice === 7 ? 65_535 : register;
    values.push(valueAt(startMs + quarter * quarterMs, Number(value.toFixed(3))));
  }
  return values;
}

const readingsOf = (values: readonly IncomingValue[]): Reading[] =>
  values.map(({ timeMs, value, receivedMs }) => ({ timeMs, value, sequence: receivedMs }));
const wholeOf = (values: readonly IncomingValue[]) =>
  readMeter([beginningOf(device, name.quantity, "kWh")], readingsOf(values), store.clock.nowMs, {
    waitMs,
    expectedMs: quarterMs,
  });
const asked = (fromMs: number, toMs: number): Promise<MeterAmount[]> =>
  metering.amounts({ ...name, fromMs, toMs, limit: 10_000 });

test("a range of any size, hot or sealed, gives the amounts that all readings of the meter give", async () => {
  const values = troubled();
  const late = values.splice(300, 40);
  await take(store.history, values);
  const { sealedDays } = await store.history.maintain(store.clock.nowMs);
  expect(sealedDays.length).toBeGreaterThan(5);
  const ranges = [0.2, 1.03, 3.5, 4.9, 6.01, 8.2, 9.1, 9.99].flatMap((day) =>
    [1, 30, 700].map((quarters) => {
      const fromMs = noonMs - (10 - day) * dayMs;
      return [fromMs, fromMs + quarters * quarterMs] as const;
    }),
  );
  const compare = async (all: readonly IncomingValue[]): Promise<void> => {
    const { intervals } = wholeOf(all);
    for (const [fromMs, toMs] of ranges) {
      const expected = intervals.filter((one) => one.toMs > fromMs && one.fromMs < toMs);
      expect(await asked(fromMs, toMs)).toEqual(expected);
    }
  };
  await compare(values);
  // What comes late recomputes what it touches, before its day is sealed again and after.
  await take(
    store.history,
    late.map((value) => ({ ...value, receivedMs: store.clock.nowMs })),
  );
  const all = [...values, ...late.map((value) => ({ ...value, receivedMs: store.clock.nowMs }))];
  await compare(all);
  expect((await store.history.maintain(store.clock.nowMs)).resealedDays).not.toEqual([]);
  await compare(all);
});

test("pages and steps add up to the whole", async () => {
  const values = troubled();
  await take(store.history, values);
  await store.history.maintain(store.clock.nowMs);
  const note = { kind: "corrected", why: "read wrong", amount: 12 } as const;
  const [fromMs, toMs] = [noonMs - 9.3 * dayMs, noonMs - 0.7 * dayMs];
  await metering.append(name, { ...note, fromMs: noonMs - 5 * dayMs, toMs: noonMs - 4.5 * dayMs }, "ewa");
  await metering.append(name, { ...note, fromMs, toMs: fromMs + dayMs }, "ewa");
  const whole = await asked(fromMs, toMs);
  expect(whole.filter(({ entry }) => entry !== undefined)).toHaveLength(2);
  for (const limit of [7, 100]) {
    const paged: MeterAmount[] = [];
    for (let after: { fromMs: number; skip: number } | undefined; ;) {
      const page = await metering.amounts({ ...name, fromMs, toMs, limit, ...(after ? { after } : {}) });
      paged.push(...page);
      if (page.length < limit) break;
      const last = paged.at(-1)?.fromMs ?? 0;
      after = { fromMs: last, skip: paged.filter((one) => one.fromMs === last).length };
    }
    expect(paged).toEqual(whole);
  }
  const sums = await Promise.all(
    (["hour", "day", 7 * quarterMs] as const).map(async (step) => {
      const buckets = await metering.steps({ ...name, fromMs, toMs, step, timeZone: "Europe/Warsaw" });
      return buckets.reduce((sum, { amount }) => sum + amount, 0);
    }),
  );
  const share = ({ fromMs: a, toMs: b, amount }: MeterAmount): number =>
    (amount * (Math.min(b, toMs) - Math.max(a, fromMs))) / (b - a);
  const expected = whole.reduce((sum, one) => sum + share(one), 0);
  for (const sum of sums) expect(sum).toBeCloseTo(expected, 6);
  // A local day that nothing is known of is left out.
  const none = await metering.steps({
    ...name,
    fromMs: noonMs - 20 * dayMs,
    toMs: noonMs - 15 * dayMs,
    step: "day",
    timeZone: "Europe/Warsaw",
  });
  expect(none).toEqual([]);
});

test("entries are only added to, told in their order, the same one once, and none that the life contradicts", async () => {
  await take(
    store.history,
    [0, 1, 2, 3].map((n) => valueAt(noonMs - dayMs + n * quarterMs, [5_000, 5_003, 1.7, 4][n] ?? 0)),
  );
  const exchangedMs = noonMs - dayMs + quarterMs + 300_000;
  const exchange = {
    kind: "exchanged",
    id: "protocol-17",
    why: "calibration",
    timeMs: exchangedMs,
    register: { serial: "E-2" },
    final: 5_003.8,
    start: 0.2,
  } as const;
  const first = await metering.append(name, exchange, "ewa");
  // What isn't said of the new register is as it was; its width is its own.
  expect(first).toMatchObject({
    sequence: 1,
    entry: {
      who: "ewa",
      recordedMs: noonMs,
      register: { serial: "E-2", maxRate: 40, multiplier: 1, unit: "kWh" },
    },
  });
  expect("register" in first.entry && first.entry.register.modulus).toBeUndefined();
  store.clock.nowMs += 60_000;
  expect(await metering.append(name, exchange, "jan")).toEqual(first);
  const life = expect.objectContaining({ code: "meter-life" });
  await expect(metering.append(name, { ...exchange, final: 5_004 }, "jan")).rejects.toEqual(life);
  await expect(metering.append(name, { ...exchange, id: "x", kind: "installed" }, "jan")).rejects.toEqual(
    life,
  );
  await expect(
    metering.append(name, { kind: "withdrawn", entry: "nothing", why: "" }, "jan"),
  ).rejects.toEqual(life);
  const register = expect.objectContaining({ code: "meter-register" });
  await expect(
    metering.append(name, { ...exchange, id: "y", timeMs: exchangedMs - 1, final: 100_000 }, "jan"),
  ).rejects.toEqual(register);
  expect(metering.entries("d0")).toEqual([first]);
  // Old: 3 and 0.8; new: 1.5 and 2.3.
  const amounts = async (): Promise<number[]> =>
    (await asked(noonMs - 2 * dayMs, noonMs)).map(({ amount }) => Number(amount.toFixed(6)));
  expect(await amounts()).toEqual([3, 0.8, 1.5, 2.3]);
  expect(metering.spans(device, []).map(({ register, toMs }) => [register.serial, toMs])).toEqual([
    ["E-1", exchangedMs],
    ["E-2", Infinity],
  ]);
  const gone = await metering.append(
    name,
    { kind: "withdrawn", entry: "protocol-17", why: "wrong house" },
    "jan",
  );
  expect(gone.sequence).toBe(2);
  expect(await amounts()).toEqual([3, 1.7, 2.3]);
  // They are on disk, and in a copy of it.
  const copy = mkdtempSync(join(tmpdir(), "obieg-metering-copy-"));
  await state.backup(copy);
  const copied = openState(copy);
  expect(new MeterEntries(copied).of("d0", name.quantity)).toEqual([first, gone]);
  await copied.close();
  rmSync(copy, { recursive: true, force: true });
});

test("nothing flows outside a device's service, unless its meter's own life says so", async () => {
  const at = (quarter: number): number => noonMs - dayMs + quarter * quarterMs;
  const readings = [100, 101, 103, 106, 110].map((value, quarter) => valueAt(at(quarter), value));
  await take(store.history, readings);
  const { meter: _meter, ...bare } = device;
  const amounts = async (): Promise<number[]> =>
    (await asked(at(0), at(5))).map(({ amount }) => Number(amount.toFixed(6)));
  expect(await amounts()).toEqual([1, 2, 3, 4]);
  registered = { ...bare, commissioned: at(1), decommissioned: at(4) };
  expect(await amounts()).toEqual([2, 3]);
  // Removed by protocol before the service ended: the protocol says when, and what it showed.
  await metering.append(
    name,
    { kind: "removed", timeMs: at(3) + 300_000, final: 106.5, why: "protocol" },
    "ewa",
  );
  expect(await amounts()).toEqual([2, 3, 0.5]);
  registered = { ...device, decommissioned: at(4) };
  expect(await amounts()).toEqual([1, 2, 3, 0.5]);
});

test("a dip is held back until the next value decides, at most as long as is configured", async () => {
  const at = (quarter: number): number => noonMs - dayMs + quarter * quarterMs;
  const amounts = async (): Promise<unknown[]> =>
    (await asked(at(0), at(8))).map((one) => [
      Number(one.amount.toFixed(6)),
      one.entry === undefined && one.mark,
      one.entry === undefined && one.why,
    ]);
  await take(
    store.history,
    [5_000, 5_002, 4_990].map((value, quarter) => valueAt(at(quarter), value)),
  );
  store.clock.nowMs = at(2) + waitMs - 1;
  expect(await amounts()).toEqual([[2, "measured", "normal"]]);
  store.clock.nowMs = at(2) + waitMs;
  expect(await amounts()).toEqual([
    [2, "measured", "normal"],
    [0, "suspect", "fall"],
  ]);
  // 5,005 says that it was a fault: 3 kWh in two quarters.
  await take(store.history, [valueAt(at(3), 5_005)]);
  expect(await amounts()).toEqual([
    [2, "measured", "normal"],
    [3, "estimated", "gap"],
  ]);
});
