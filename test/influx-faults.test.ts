import { afterEach, expect, test } from "vitest";
import { type Answer, LineServer, SinkBench, until } from "./influx-fixture.js";

const open: { end(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});
async function bench(values = 0): Promise<{ b: SinkBench; server: LineServer }> {
  const server = await new LineServer().start();
  const b = new SinkBench();
  open.push({ end: () => server.stop() }, b);
  for (let n = 0; n < values; n += 1) b.history.add();
  return { b, server };
}
const times = (lines: readonly string[]): number[] => lines.map((line) => Number(line.split(" ").at(-1)));

test("what history holds is written in order, in full batches, one request at a time, and the position kept", async () => {
  const { b, server } = await bench(25);
  const sink = b.open(server.url, { batchValues: 10 });
  sink.start();
  await until("all written", () => sink.status.lag === 0);
  expect(server.requests.map((lines) => lines.length)).toEqual([10, 10, 5]);
  expect(times(server.taken)).toEqual(b.history.values.map((value) => value.timeMs));
  expect([...server.paths]).toEqual(["POST /api/v2/write?org=city&bucket=obieg&precision=ms Token t0ken"]);
  expect(sink.status).toEqual({ position: 25, lag: 0, written: 25, offended: 0, fault: undefined });
  expect(b.history.holds.at(-1)).toBe(25);
  await b.reopenState();
  expect(b.open(server.url).status.position).toBe(25);
});

test("while the works are behind each batch is followed by a pause, and the order stays", async () => {
  const { b, server } = await bench(10);
  const sink = b.open(server.url, { batchValues: 2, isBehind: () => b.delays.length < 3 });
  sink.start();
  await until("all written", () => sink.status.lag === 0);
  expect(b.delays).toHaveLength(3);
  expect(times(server.taken)).toEqual(b.history.values.map((value) => value.timeMs));
  expect(sink.status).toEqual({ position: 10, lag: 0, written: 10, offended: 0, fault: undefined });
});

test("it goes on when it is woken", async () => {
  const { b, server } = await bench(1);
  const sink = b.open(server.url);
  sink.start();
  await until("first written", () => sink.status.lag === 0);
  b.history.add();
  sink.wake(2);
  await until("second written", () => sink.status.position === 2);
  expect(server.taken).toHaveLength(2);
});

test.each<[string, Answer, RegExp]>([
  ["500", { status: 500, body: "broken" }, /^answered 500: broken$/],
  ["401", { status: 401, body: "unauthorized access" }, /^answered 401: unauthorized access$/],
  ["403", { status: 403 }, /^answered 403/],
  [
    "a page of something else",
    { status: 200, body: "Log in" },
    /^answered 200: InfluxDB answers 204, is this its address/,
  ],
  ["404", { status: 404, body: "bucket not found" }, /^answered 404: bucket not found$/],
  ["a cut connection", "close", /^unreachable: /],
  ["silence", "hang", /^unreachable: /],
])(
  "waits through %s with the fault to be seen, and then writes everything once",
  async (_name, answer, fault) => {
    const { b, server } = await bench(12);
    let isDown = true;
    server.decide = () => (isDown ? answer : "take");
    const sink = b.open(server.url, { batchValues: 5, timeoutMs: answer === "hang" ? 250 : 5_000 });
    sink.start();
    await until("three tries", () => server.requests.length >= 3);
    expect(sink.status).toMatchObject({ position: 0, lag: 12, written: 0, offended: 0 });
    expect(sink.status.fault).toMatch(fault);
    expect(b.delays.slice(0, 2)).toEqual([500, 1_000]);
    isDown = false;
    await until("caught up", () => sink.status.lag === 0);
    expect(times(server.taken)).toEqual(b.history.values.map((value) => value.timeMs));
    expect(sink.status.fault).toBeUndefined();
  },
);

test("a position that the disk refuses is no position: what came after it is written again, in order", async () => {
  const { b, server } = await bench(40);
  const real = b.state;
  let saves = 0;
  b.state = {
    ...real,
    table: (name) => real.table(name),
    transaction: (body) =>
      (saves += 1) === 2 ? Promise.reject(new Error("ENOSPC: no space left")) : real.transaction(body),
    close: () => real.close(),
  };
  const sink = b.open(server.url, { batchValues: 10 });
  sink.start();
  await until("caught up", () => sink.status.lag === 0);
  const numbers = times(server.taken).map((time) =>
    b.history.values.findIndex(({ timeMs }) => timeMs === time),
  );
  // The second batch's position failed while the third was on its way.
  expect(numbers.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  expect(numbers.slice(30)).toEqual(Array.from({ length: 30 }, (_, n) => 10 + n));
  expect(sink.status).toMatchObject({ position: 40, written: 40, fault: undefined });
  expect(b.warnings).toEqual(["inner fault: ENOSPC: no space left"]);
});

test("Retry-After is honoured", async () => {
  const { b, server } = await bench(1);
  const answers: Answer[] = [{ status: 429, headers: { "retry-after": "30" } }];
  server.decide = () => answers.shift() ?? "take";
  const sink = b.open(server.url);
  sink.start();
  await until("written", () => sink.status.lag === 0);
  expect(b.delays).toEqual([30_000]);
});

test.each([400, 422])(
  "%i isolates the value that offends, keeps the server's words, and writes the rest",
  async (status) => {
    const { b, server } = await bench(40);
    const [bad] = [b.history.add({ quantity: "pressure_kpa", value: 6, timeMs: 7 })];
    b.history.add({ quantity: "flow_m3_h", value: 1, timeMs: 7 });
    for (let n = 0; n < 20; n += 1) b.history.add();
    server.decide = (lines) =>
      lines.some((line) => line.includes("pressure_kpa")) ? { status, body: "field type conflict" } : "take";
    const sink = b.open(server.url);
    sink.start();
    await until("passed", () => sink.status.lag === 0);
    expect(sink.status).toEqual({ position: 62, lag: 0, written: 61, offended: 1, fault: undefined });
    expect(server.taken).toHaveLength(61);
    expect(sink.offenders({ limit: 10 }).items).toEqual([
      {
        sequence: bad?.sequence,
        device: "bin-1",
        quantity: "pressure_kpa",
        timeMs: 7,
        value: 6,
        words: `${status}: field type conflict`,
        atMs: expect.any(Number),
      },
    ]);
    expect(b.warnings).toEqual(["values refused by InfluxDB, passed over"]);
  },
);

test("when every write is refused, even one without points, nothing is passed over", async () => {
  const { b, server } = await bench(200);
  let isWrong = true;
  server.decide = () => (isWrong ? { status: 400, body: "database is required" } : "take");
  const sink = b.open(server.url);
  sink.start();
  await until("the settings are suspected", () => sink.status.fault !== undefined);
  expect(sink.status).toMatchObject({
    position: 0,
    offended: 0,
    fault: "every write is refused: 400: database is required",
  });
  expect(server.requests.length).toBeLessThan(120);
  await b.sink?.stop();
  isWrong = false;
  const again = b.open(server.url);
  again.start();
  await until("written", () => again.status.lag === 0);
  expect(again.status).toMatchObject({ written: 200, offended: 0 });
});

test("a batch of which the server wants no point is passed over after a sample, not point by point", async () => {
  const { b, server } = await bench(2_000);
  server.decide = (lines) =>
    lines.length === 0 ? "take" : { status: 422, body: "points beyond retention policy dropped" };
  const sink = b.open(server.url);
  sink.start();
  await until("passed", () => sink.status.lag === 0);
  expect(sink.status).toMatchObject({ written: 0, offended: 2_000 });
  expect(server.requests.length).toBeLessThan(150);
  expect(sink.offenders({ limit: 5_000 }).items).toHaveLength(1_000);
});

test.each([33, 40, 700, 1_000])(
  "of a batch that begins with %i refused values the rest is written",
  async (bad) => {
    const { b, server } = await bench();
    for (let n = 0; n < 2_000; n += 1)
      b.history.add(n < bad ? { quantity: "pressure_kpa", value: n } : { value: n });
    server.decide = (lines) =>
      lines.some((line) => line.includes("pressure_kpa"))
        ? { status: 400, body: "field type conflict" }
        : "take";
    const sink = b.open(server.url);
    sink.start();
    await until("passed", () => sink.status.lag === 0);
    expect(new Set(server.taken).size).toBe(2_000 - bad);
    expect(sink.status).toMatchObject({ written: 2_000 - bad, offended: bad });
  },
);

test("a name that line protocol can't carry costs its neighbours nothing", async () => {
  const { b, server } = await bench(3);
  b.registry.add({ id: "evil\\" });
  b.history.add({ device: "evil\\" });
  b.history.add();
  const sink = b.open(server.url);
  sink.start();
  await until("passed", () => sink.status.lag === 0);
  expect(sink.status).toMatchObject({ written: 4, offended: 1 });
});

test("an outage holds two batches in memory, however much history grows", async () => {
  const { b, server } = await bench(100);
  server.decide = () => ({ status: 503 });
  const sink = b.open(server.url, { batchValues: 10 });
  sink.start();
  await until("some tries", () => server.requests.length > 5);
  for (let n = 0; n < 1_000; n += 1) sink.wake(b.history.add().sequence);
  await until("more tries", () => server.requests.length > 10);
  expect(b.history.reads).toEqual([10, 10]);
  expect(b.delays.every((delay) => delay <= 60_000)).toBe(true);
});

test("stopping doesn't wait for a server that never answers", async () => {
  const { b, server } = await bench(1);
  server.decide = () => "hang";
  const sink = b.open(server.url);
  sink.start();
  await until("it was asked", () => server.requests.length === 1);
  await sink.stop();
  expect(sink.status.position).toBe(0);
});

test("a connection that died without a word is given up after the time allowed, and a new one takes everything in order", async () => {
  const { b, server } = await bench(30);
  // As behind a router that forgets connections: each answers once and is deaf and dumb from then on.
  server.decide = (_lines, nth) => (nth === 1 ? "take" : "hang");
  const sink = b.open(server.url, { batchValues: 10, timeoutMs: 60 });
  sink.start();
  await until("caught up", () => sink.status.lag === 0);
  expect(server.connections).toBe(3);
  expect(times(server.taken)).toEqual(b.history.values.map((value) => value.timeMs));
  expect(sink.status).toMatchObject({ written: 30, offended: 0, fault: undefined });
});

test("a server that takes its time for each answer is asked again only when it has answered", async () => {
  const { b, server } = await bench(40);
  const sink = b.open(server.url, { batchValues: 10, timeoutMs: 5_000 });
  let underWay = 0;
  let most = 0;
  server.hold = async () => {
    most = Math.max(most, (underWay += 1));
    await new Promise((resolve) => {
      setTimeout(resolve, 30);
    });
    underWay -= 1;
  };
  sink.start();
  await until("all written", () => sink.status.lag === 0);
  expect(most).toBe(1);
  expect(times(server.taken)).toEqual(b.history.values.map((value) => value.timeMs));
});
