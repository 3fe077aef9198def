import { afterAll, beforeAll, expect, test } from "vitest";
import { SinkBench, until, VictoriaMetrics } from "./influx-fixture.js";

const server = new VictoriaMetrics();
const b = new SinkBench();

beforeAll(async () => {
  await server.start();
}, 20_000);
afterAll(async () => {
  await b.end();
  await server.end();
});

test("a real server gives back every value with its time and tags, an outage in the middle included", async () => {
  for (let n = 0; n < 1_500; n += 1) b.history.add({ value: Math.round(10_000 * (0.1 + n / 7)) / 10_000 });
  const sink = b.open(server.url, { batchValues: 200 });
  sink.start();
  await until("the first part is written", () => sink.status.lag === 0);
  await server.halt();
  for (let n = 0; n < 1_000; n += 1) b.history.add({ value: n * 1.25, attributes: '{"fraction":"bio"}' });
  sink.wake(b.history.lastSequence);
  await until("the outage is seen", () => sink.status.fault !== undefined);
  await server.start();
  await until("caught up", () => sink.status.lag === 0);

  const series = await server.exported();
  expect(series.map(({ metric }) => metric)).toEqual(
    expect.arrayContaining([
      {
        __name__: "smart_bin_fill_percent",
        device: "bin-1",
        place: "krakow/podgorze",
        district: "krakow/podgorze",
      },
      expect.objectContaining({ fraction: "bio" }),
    ]),
  );
  const found = new Map(
    series.flatMap(({ values, timestamps }) => timestamps.map((timeMs, n) => [timeMs, values[n]] as const)),
  );
  expect(found.size).toBe(2_500);
  for (const { timeMs, value } of b.history.values) expect(found.get(timeMs)).toBe(value);
  expect(sink.status).toMatchObject({ written: 2_500, offended: 0 });
}, 30_000);
