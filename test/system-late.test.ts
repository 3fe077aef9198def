import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Point {
  from: string;
  count: number;
  min: number;
  mean: number;
  max: number;
  last: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs;
/** Ten moments from noon of a day that will be sealed, from noon of a hot one, and from the last hour. */
const startOfDay = nowMs - (nowMs % dayMs);
const days = [startOfDay - 5 * dayMs + dayMs / 2, startOfDay - dayMs + dayMs / 2, nowMs - 40 * minuteMs];
const moments = days.flatMap((fromMs) => Array.from({ length: 10 }, (_, n) => fromMs + n * 3 * minuteMs));

let obieg: Obieg;
beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

/** What the account must come to, by a plain map of what was sent first. */
class Model {
  readonly first = new Map<number, number>();
  readonly counts = { stored: 0, duplicate: 0, conflict: 0, late: 0 };
  #newest = Number.NEGATIVE_INFINITY;

  take(timeMs: number, value: number): void {
    const known = this.first.get(timeMs);
    if (known !== undefined) {
      this.counts[known === value ? "duplicate" : "conflict"] += 1;
      return;
    }
    this.first.set(timeMs, value);
    this.counts.stored += 1;
    if (timeMs < this.#newest || Date.now() - timeMs > hourMs) this.counts.late += 1;
    this.#newest = Math.max(this.#newest, timeMs);
  }

  series(stepMs: number): Omit<Point, "from">[] {
    const steps = new Map<number, [number, number][]>();
    for (const [timeMs, value] of [...this.first].toSorted(([a], [b]) => a - b)) {
      const step = Math.floor(timeMs / stepMs);
      steps.set(step, [...(steps.get(step) ?? []), [timeMs, value]]);
    }
    return [...steps.values()].map((values) => {
      const numbers = values.map(([, value]) => value);
      return {
        count: numbers.length,
        min: Math.min(...numbers),
        mean: numbers.reduce((sum, value) => sum + value, 0) / numbers.length,
        max: Math.max(...numbers),
        last: numbers.at(-1) ?? 0,
      };
    });
  }
}

const model = new Model();
async function publish(messages: readonly (readonly [timeMs: number, value: number])[]): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "bin-1",
    password: secrets.BIN_SECRET,
    reconnectPeriod: 0,
  });
  client.on("error", () => undefined);
  for (const [time, value] of messages) {
    await client.publishAsync("readings/bin-1", JSON.stringify({ time, weight_kg: value }), { qos: 1 });
    model.take(time, value);
  }
  client.end(true);
}
/** A shuffle that is the same each time. */
const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((item, n) => [(n * 7_919) % 101, item] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, item]) => item);
const items = async <T>(path: string): Promise<T[]> =>
  ((await obieg.api(`/api/v1/${path}`)).body as { items: T[] }).items;
const settled = (): Promise<string> =>
  until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
  );
const sealed = (): string[] => {
  const folder = join(obieg.data, "history");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".parquet"),
  );
};

/** Everything that is told of the values, held against the model. */
async function compare(): Promise<void> {
  const readings = await items<{ time: string; value: number }>("readings?device=bin-1&limit=1000");
  expect(readings.map(({ time, value }) => [Date.parse(time), value])).toEqual(
    [...model.first].toSorted(([a], [b]) => a - b),
  );
  const range = `from=${new Date(startOfDay - 6 * dayMs).toISOString()}&to=${new Date(nowMs + dayMs).toISOString()}`;
  for (const [step, stepMs] of [
    ["hour", hourMs],
    ["day", dayMs],
  ] as const) {
    const points = await items<Point>(`series?device=bin-1&quantity=weight_kg&${range}&step=${step}&tz=UTC`);
    expect(points.map(({ count, min, mean, max, last }) => ({ count, min, mean, max, last }))).toEqual(
      model.series(stepMs).map((point) => ({ ...point, mean: expect.closeTo(point.mean, 9) as number })),
    );
  }
  const local = await items<Point>(
    `series?device=bin-1&quantity=weight_kg&${range}&step=day&tz=Europe/Warsaw`,
  );
  expect(local.reduce((sum, { count }) => sum + count, 0)).toBe(model.first.size);
  const accounts = (
    await Promise.all(
      [0, dayMs, 2 * dayMs].map((back) =>
        items<{ device: string; balanced: boolean; values: Record<string, number> }>(
          `ledger?day=${new Date(nowMs + dayMs - back).toISOString().slice(0, 10)}&device=bin-1`,
        ),
      ),
    )
  ).flat();
  expect(accounts.every(({ balanced }) => balanced)).toBe(true);
  const sum = (name: string): number =>
    accounts.reduce((total, { values }) => total + (values[name] ?? 0), 0);
  expect({
    stored: sum("stored"),
    duplicate: sum("duplicate"),
    conflict: sum("conflict"),
    late: sum("late"),
  }).toEqual(model.counts);
}

test("duplicates, conflicts, out-of-order and late values count as what they are, over hot and sealed days and a kill -9", async () => {
  await publish(shuffled(moments).map((timeMs, n) => [timeMs, 100 + n]));
  await settled();
  await compare();
  await obieg.stop();
  obieg = await startObieg({ dir: obieg.dir, city: testCity(), env: secrets });
  await until(
    async () => sealed(),
    (files) => files.some((file) => file.endsWith(".r1.parquet")),
    30_000,
  );
  await compare();

  const known = [...model.first];
  await publish(
    shuffled([
      ...known,
      ...known.filter((_one, n) => n % 3 === 0).map(([timeMs, value]) => [timeMs, value + 0.5] as const),
      ...moments.map((timeMs, n) => [timeMs + minuteMs, 200 + n] as const),
      ...moments.slice(0, 15).map((timeMs, n) => [timeMs - hourMs, 300 + n] as const),
    ]),
  );
  await obieg.kill();
  obieg = await startObieg({ dir: obieg.dir, city: testCity(), env: secrets });
  await settled();
  await compare();
  expect(model.counts.conflict).toBeGreaterThan(5);
  await until(
    async () => sealed(),
    (files) => files.some((file) => file.endsWith(".r2.parquet")),
    30_000,
  );
  await compare();
  // Again, when the late values are sealed too.
  await publish(known.map(([timeMs, value]) => [timeMs, value + 0.25] as const));
  await publish([...model.first].slice(20));
  await settled();
  await compare();
}, 120_000);
