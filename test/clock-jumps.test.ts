import { afterEach, beforeEach, expect, test } from "vitest";
import { SettledTime } from "../ingest/settled-time.js";
import { accountsOf } from "./support/accounts.js";
import { cookieIn, type FakeServer, logIn, startFakeServer } from "./support/fake-server.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";
import { noonMs, openTestHistory, take, valueAt } from "./support/stores-history.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices: [{ id: bin-1, class: bin, place: krakow, every: 15m }, { id: bin-2, class: bin, place: krakow, every: 15m }]
rules:
  - { id: full, kind: threshold, quantity: fill_percent, above: 90, for: 30m, severity: warning, title: { pl: P, en: F } }
  - { id: silent, kind: silent, class: bin, times: 3, severity: warning, title: { pl: M, en: S } }
`;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** The works with two bins that report, a wall clock that can be set, and a steady one. */
class Bench {
  readonly works: TestPipeline;
  #sent = 0;

  constructor(works: TestPipeline) {
    this.works = works;
    works.clock.steadyMs = 0;
  }

  static async start(): Promise<Bench> {
    const works = await openTestPipeline(city, noonMs);
    open.push(works);
    return new Bench(works);
  }

  /** Sets the wall clock; a steady one shows that a second passed. */
  set(byMs: number): void {
    this.works.clock.nowMs += byMs;
    this.works.clock.steadyMs = (this.works.clock.steadyMs ?? 0) + 1_000;
  }

  /** Lets time pass, looking at the clock each second minute as the service does. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 2 * minuteMs) {
      const step = Math.min(left, 2 * minuteMs);
      this.works.clock.nowMs += step;
      this.works.clock.steadyMs = (this.works.clock.steadyMs ?? 0) + step;
      await this.works.pipeline.tick();
    }
  }

  /** A report of both bins, received now; their own clock may differ from ours. */
  async report(fill: number, timeMs?: number): Promise<void> {
    const { nowMs } = this.works.clock;
    const time = timeMs === undefined ? {} : { time: timeMs };
    await this.works.take(
      ["bin-1", "bin-2"].map((device) => ({
        topic: `readings/${device}`,
        payload: JSON.stringify({ ...time, fill_percent: fill, weight_kg: (this.#sent += 1) }),
        receivedMs: nowMs,
      })),
    );
  }

  get alerts(): string[] {
    return this.works.alerts
      .list({ limit: 100 })
      .items.map(({ rule, device, state }) => `${rule} ${device} ${state}`);
  }

  async sent(): Promise<number[]> {
    const values = [...(await this.works.history.after(0, 1_000))];
    return values.filter(({ quantity }) => quantity === "weight_kg").map(({ value }) => value);
  }
}

test.each([
  ["back an hour", -hourMs],
  ["ahead a day", dayMs],
])(
  "a clock that jumps %s and is mended: order stays by sequence, no rule misfires, every account balances",
  async (_name, jumpMs) => {
    const bench = await Bench.start();
    const { history } = bench.works;
    await bench.report(20);
    await bench.pass(15 * minuteMs);
    await bench.report(95);
    bench.set(jumpMs);
    await bench.works.pipeline.tick();
    expect(bench.alerts).toEqual([]);
    await bench.report(94);
    await bench.pass(10 * minuteMs);
    expect(bench.alerts).toEqual([]);
    bench.set(-jumpMs);
    await bench.works.pipeline.tick();
    await bench.report(20);
    await bench.pass(30 * minuteMs);
    expect(bench.alerts).toEqual([]);

    expect(await bench.sent()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const sequences = [...(await history.after(0, 1_000))].map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
    const accounts = await accountsOf(history, { fromDay: "2026-06-01", toDay: "2026-06-30" });
    expect(accounts.filter(({ balanced }) => !balanced)).toEqual([]);
    expect(accounts.reduce((sum, { messages }) => sum + messages.received, 0)).toBe(8);

    // What is really so is still found, in its own time.
    await bench.report(95);
    await bench.pass(20 * minuteMs);
    expect(bench.alerts).toEqual([]);
    await bench.pass(12 * minuteMs);
    expect(bench.alerts.toSorted()).toEqual(["full bin-1 raised", "full bin-2 raised"]);
    await bench.pass(20 * minuteMs);
    expect(bench.alerts.filter((line) => line.startsWith("silent"))).toHaveLength(2);
  },
);

test("what devices send while our clock is behind is kept as lying in the future, and a replay takes it once the clock is mended", async () => {
  const bench = await Bench.start();
  const { works } = bench;
  await bench.report(20, noonMs);
  bench.set(-hourMs);
  const trueMs = noonMs + minuteMs;
  await bench.report(30, trueMs);
  const { items: kept } = await works.history.quarantine({ limit: 10 });
  expect(kept.map(({ reason, device, count }) => `${reason} ${device} ${count}`)).toEqual([
    "time-in-future bin-1 2",
    "time-in-future bin-2 2",
  ]);
  expect(await works.pipeline.replay(kept, "anna")).toEqual({ replayed: 0, refused: 2 });
  bench.set(hourMs + 2 * minuteMs);
  expect(await works.pipeline.replay(kept, "anna")).toEqual({ replayed: 2, refused: 0 });
  const { items } = await works.history.readings({ limit: 10, quantity: "fill_percent", fromMs: trueMs });
  expect(items.map(({ device, value, timeMs }) => `${device} ${value} ${timeMs - trueMs}`)).toEqual([
    "bin-1 30 0",
    "bin-2 30 0",
  ]);
  const accounts = await accountsOf(works.history, { fromDay: "2026-06-10", toDay: "2026-06-10" });
  expect(accounts.every(({ balanced, values }) => balanced && values.quarantined === 0)).toBe(true);
});

test("a clock ahead by a day, or by years, seals nothing early and ends no retention; all is there when it is mended", async () => {
  const opened = await openTestHistory({ retention: () => 5 });
  const { history, clock } = opened;
  open.push({ close: () => history.close() });
  let steadyMs = 0;
  const settled = new SettledTime(undefined, () => steadyMs);
  const maintain = () => history.maintain(settled.look(clock.nowMs));
  const pass = (ms: number): void => {
    steadyMs += ms;
    clock.nowMs += ms;
  };
  await take(history, [valueAt(noonMs - 5 * dayMs, 1), valueAt(noonMs - 2 * dayMs, 2), valueAt(noonMs, 3)]);
  await maintain();
  const before = await history.readings({ limit: 10 });
  const { sealedDays } = await history.status();
  for (const leapMs of [dayMs, 3_650 * dayMs]) {
    clock.nowMs += leapMs;
    pass(minuteMs);
    expect(await maintain()).toEqual({ sealedDays: [], resealedDays: [], expiredRows: 0 });
    pass(22 * hourMs);
    await take(history, [valueAt(noonMs + leapMs / 1_000, 9)]);
    clock.nowMs -= leapMs;
    pass(-22 * hourMs);
    steadyMs += 22 * hourMs;
    expect((await maintain()).expiredRows).toBe(0);
    expect((await history.status()).sealedDays).toBe(sealedDays);
  }
  const after = await history.readings({ limit: 10 });
  expect(after.items.slice(0, before.items.length)).toEqual(before.items);
});

test("what came while the clock was a day ahead isn't the newest once that is mended, over a restart too, unless nothing else is there", async () => {
  let opened = await openTestHistory();
  const close = { close: () => opened.history.close() };
  open.push(close);
  const newest = async (): Promise<string[]> =>
    (await opened.history.latest()).map(({ device, value }) => `${device} ${value}`);
  const heard = async (): Promise<Map<string, number>> => opened.history.heard();
  await take(opened.history, [valueAt(noonMs, 1)]);
  opened.clock.nowMs = noonMs + dayMs;
  await take(opened.history, [
    valueAt(noonMs + dayMs, 2),
    valueAt(noonMs + dayMs, 3, { device: "d1" }),
    valueAt(noonMs + dayMs + 4 * minuteMs, 4, { quantity: "power_w" }),
  ]);
  expect(await newest()).toEqual(["d0 2", "d0 4", "d1 3"]);
  opened.clock.nowMs = noonMs + minuteMs;
  expect(await newest()).toEqual(["d0 1", "d0 4", "d1 3"]);
  expect([...(await heard())]).toEqual([["d0", noonMs]]);
  await take(opened.history, [valueAt(noonMs + minuteMs, 5), valueAt(noonMs + 5 * minuteMs, 6)]);
  await opened.history.close();
  opened = await openTestHistory({ dir: opened.dir, clock: () => noonMs + minuteMs });
  expect(await newest()).toEqual(["d0 6", "d0 4", "d1 3"]);
  expect([...(await heard())]).toEqual([["d0", noonMs + 5 * minuteMs]]);
});

test("a leap ahead is followed once it has stood for a day, over restarts too; a clock set back is followed at once", () => {
  let steadyMs = 5_000;
  let time = new SettledTime(undefined, () => steadyMs);
  let wallMs = noonMs;
  const look = (): number => time.look(wallMs) - noonMs;
  const pass = (ms: number): number => {
    steadyMs += ms;
    wallMs += ms;
    return look();
  };
  expect([look(), pass(hourMs)]).toEqual([0, hourMs]);
  wallMs += 10 * dayMs;
  expect(pass(hourMs)).toBe(2 * hourMs);
  for (let hours = 0; hours < 12; hours += 1) pass(hourMs);
  time = new SettledTime(time.kept, () => steadyMs);
  steadyMs = 0;
  expect(look()).toBe(14 * hourMs);
  for (let hours = 0; hours < 11; hours += 1) expect(pass(hourMs)).toBe((15 + hours) * hourMs);
  expect(pass(hourMs)).toBe(10 * dayMs + 26 * hourMs);
  wallMs -= 10 * dayMs;
  expect(pass(minuteMs)).toBe(26 * hourMs + minuteMs);
  // A process that was away for a few hours follows at once; one that comes back years later waits.
  time = new SettledTime(time.kept, () => steadyMs);
  wallMs += 20 * hourMs;
  expect(look()).toBe(46 * hourMs + minuteMs);
  time = new SettledTime(time.kept, () => steadyMs);
  wallMs += 1_000 * dayMs;
  expect(look()).toBe(46 * hourMs + minuteMs);
});

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

test("sessions and tokens go through both jumps: nobody is let in who wasn't, and who was is let in again", async () => {
  const who = (id: string) => server.app.inject({ url: "/api/v1/session", cookies: { obieg_session: id } });
  const read = async (token: string): Promise<number> =>
    (await server.app.inject({ url: "/api/v1/devices", headers: { authorization: `Bearer ${token}` } }))
      .statusCode;
  const expiresMs = server.clock.ms + 2 * hourMs;
  const { token } = await server.users.tokens.create({ name: "short", role: "viewer", expiresMs }, "test");
  const session = cookieIn(await logIn(server, "olga"));

  server.clock.ms -= hourMs;
  const back = await who(session);
  expect(back.statusCode).toBe(200);
  const kept = cookieIn(back) || session;
  expect([await read(token), await read(server.tokens.viewer)]).toEqual([200, 200]);
  expect((await logIn(server, "wiktor")).statusCode).toBe(200);
  server.clock.ms += hourMs;

  server.clock.ms += dayMs;
  expect((await who(kept)).statusCode).toBe(204);
  expect([await read(token), await read(server.tokens.viewer)]).toEqual([401, 200]);
  const ahead = cookieIn(await logIn(server, "olga"));
  expect((await who(ahead)).statusCode).toBe(200);

  server.clock.ms -= dayMs;
  expect((await who(ahead)).statusCode).toBe(200);
  expect(await read(token)).toBe(200);
  server.clock.ms += 3 * hourMs;
  expect(await read(token)).toBe(401);
  expect((await logIn(server, "olga")).statusCode).toBe(200);
});
