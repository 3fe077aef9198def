import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createModel,
  type FleetOptions,
  type FleetReport,
  type Publication,
  runFleet,
  syntheticDevices,
} from "../devices/simulator/index.js";
import { startTestBroker, type TestBroker, type TestBrokerOptions } from "./simulator-broker.js";

const devices = syntheticDevices(10, "krakow/podgorze");
const fromMs = Date.UTC(2026, 0, 15);
const loginFor: FleetOptions["loginFor"] = ({ id }) => ({ username: id, password: "x" });
const gatewayFor: FleetOptions["loginFor"] = ({ id }) => {
  const username = id.startsWith("bin-") ? "gw-podgorze" : id;
  return { username, password: `secret of ${username}` };
};
let broker: TestBroker;

const restart = async (options: TestBrokerOptions): Promise<void> => {
  await broker.stop();
  broker = await startTestBroker(options);
};
const run = (options: Partial<FleetOptions>): Promise<FleetReport> =>
  runFleet({ url: broker.url, devices, seed: 3, rate: Infinity, fromMs, messages: 500, ...options });
const payloadsOf = (device: string): string[] =>
  broker.received.filter(({ topic }) => topic === `readings/${device}`).map(({ payload }) => payload);

beforeEach(async () => {
  broker = await startTestBroker();
});
afterEach(() => broker.stop());

describe("a fleet", () => {
  test("publishes what the models say, as each device, with QoS 1, in order of time", async () => {
    const report = await run({});
    expect(report).toMatchObject({
      readings: 500,
      sent: 500,
      acknowledged: 500,
      unacknowledged: 0,
      connections: 10,
    });
    expect(broker.received.length).toBe(500);
    expect(broker.received.every(({ qos }) => qos === 1)).toBe(true);
    expect(broker.mostConnections).toBe(10);
    for (const device of devices) {
      expect(report.byDevice[device.id]).toEqual({ readings: 50, sent: 50, acknowledged: 50 });
      const model = createModel(device, 3, "Europe/Warsaw");
      let last = fromMs;
      for (const payload of payloadsOf(device.id)) {
        const { time, ...quantities } = JSON.parse(payload) as { time: string };
        const timeMs = Date.parse(time);
        expect(timeMs).toBeGreaterThanOrEqual(last);
        expect(quantities).toEqual(model.at(timeMs, last));
        last = timeMs;
      }
    }
    expect(report.values).toBe(
      broker.received.reduce(
        (sum, { payload }) => sum + Object.keys(JSON.parse(payload) as object).length - 1,
        0,
      ),
    );
    expect(report.acknowledgeMs.p50).toBeGreaterThan(0);
    expect(report.acknowledgeMs.p99).toBeLessThanOrEqual(report.acknowledgeMs.max);
  });

  test("meets the same faults with the same seed, each counted", async () => {
    const faults = { drop: 0.1, duplicate: 0.1, late: 0.1, skew: 0.1, garbage: 0.1 };
    const report = await run({ faults, messages: 1_000 });
    const first = new Map(devices.map(({ id }) => [id, payloadsOf(id)]));
    const { sent, readings, dropped, duplicated, late, skewed, garbage } = report;
    expect(sent).toBe(readings - dropped + duplicated);
    expect(report.acknowledged).toBe(sent);
    expect(broker.received.length).toBe(sent);
    for (const count of [dropped, duplicated, late, skewed, garbage]) {
      expect(count).toBeGreaterThan(60);
      expect(count).toBeLessThan(140);
    }
    broker.received.length = 0;
    const again = await run({ faults, messages: 1_000 });
    expect(again).toMatchObject({ sent, dropped, duplicated, late, skewed, garbage, values: report.values });
    expect(new Map(devices.map(({ id }) => [id, payloadsOf(id)]))).toEqual(first);
  });

  test.each([
    ["drop", (sent: number) => sent === 0],
    ["duplicate", (sent: number) => sent === 400],
    ["garbage", (sent: number) => sent === 200],
    ["late", (sent: number) => sent === 200],
    ["skew", (sent: number) => sent === 200],
  ] as const)("sends what a fleet of nothing but %s owes", async (kind, isOwed) => {
    const report = await run({ faults: { [kind]: 1 }, messages: 200 });
    expect(isOwed(report.sent)).toBe(true);
    expect(broker.received.length).toBe(report.sent);
    if (kind === "duplicate") expect(new Set(broker.received.map(({ payload }) => payload)).size).toBe(200);
  });

  test("sends late readings after newer ones, and skewed ones with a wrong clock", async () => {
    const fates: Publication[] = [];
    await run({ faults: { late: 0.2 }, onAcknowledged: (one) => fates.push(one) });
    const overtaken = devices.flatMap(({ id }) => {
      const times = payloadsOf(id).map((payload) =>
        Date.parse((JSON.parse(payload) as { time: string }).time),
      );
      return times.filter((timeMs, n) => times.slice(0, n).some((before) => before > timeMs));
    });
    const late = fates.filter(({ fate }) => fate === "late").map(({ timeMs }) => timeMs);
    expect(overtaken.length).toBeGreaterThan(late.length * 0.8);
    fates.length = 0;
    await run({
      rate: Infinity,
      faults: { skew: 1 },
      messages: 100,
      onAcknowledged: (one) => fates.push(one),
    });
    expect(fates.every(({ timeMs }) => timeMs < fromMs || timeMs > fromMs + 600_000)).toBe(true);
  });

  test("sends again what was not acknowledged when its connection is lost", async () => {
    await restart({ takes: (count) => count % 40 !== 0 });
    const report = await run({ reconnectMs: 10, messages: 400, devices: devices.slice(0, 4) });
    expect(report.acknowledged).toBe(400);
    expect(report.unacknowledged).toBe(0);
    expect(report.reconnects).toBeGreaterThan(0);
    expect(new Set(broker.received.map(({ topic, payload }) => topic + payload)).size).toBe(400);
  });

  test("says what stayed without an answer", async () => {
    await restart({ takes: () => false });
    const report = await run({ reconnectMs: 10, messages: 20, patienceMs: 300 });
    expect(report).toMatchObject({ readings: 20, sent: 20, acknowledged: 0, unacknowledged: 20 });
  });

  test("keeps to a rate, and to a time", async () => {
    const report = await runFleet({ url: broker.url, devices, seed: 3, rate: 200, forMs: 500 });
    expect(report.readings).toBeGreaterThan(40);
    expect(report.readings).toBeLessThanOrEqual(100);
    const now = Date.now();
    const times = broker.received.map(({ payload }) =>
      Date.parse((JSON.parse(payload) as { time: string }).time),
    );
    expect(times.every((timeMs) => Math.abs(timeMs - now) < 10_000)).toBe(true);
  });

  test("keeps each device's interval on a clock that runs faster", async () => {
    const report = await runFleet({ url: broker.url, devices, seed: 3, speed: 36_000, fromMs, forMs: 400 });
    for (const { id, everyMs = 0 } of devices) {
      const expected = (36_000 * 400) / everyMs;
      const readings = report.byDevice[id]?.readings ?? 0;
      expect(readings).toBeGreaterThan(expected / 2 - 1);
      expect(readings).toBeLessThan(expected + 2);
      const times = payloadsOf(id).map((payload) =>
        Date.parse((JSON.parse(payload) as { time: string }).time),
      );
      expect(times.every((timeMs, n) => n === 0 || timeMs - (times[n - 1] ?? 0) === everyMs)).toBe(true);
    }
  });

  test("hears all its devices soon after the start when they keep their intervals", async () => {
    const often = devices.map((device) => ({ ...device, everyMs: 100 }));
    const report = await runFleet({ url: broker.url, devices: often, seed: 3, forMs: 350 });
    expect(Object.keys(report.byDevice).length).toBe(10);
    expect(report.readings).toBeGreaterThanOrEqual(15);
    expect(report.readings).toBeLessThanOrEqual(50);
  });

  test("ends when it is told to, with nothing in flight", async () => {
    const controller = new AbortController();
    const { readings, acknowledged } = await run({
      messages: Infinity,
      signal: controller.signal,
      onAcknowledged: () => broker.received.length >= 100 && controller.abort(),
    });
    expect(readings).toBeGreaterThanOrEqual(100);
    expect(acknowledged).toBe(readings);
    const told = await run({ messages: Infinity, signal: AbortSignal.abort() });
    expect(told.readings).toBe(0);
  });

  test("shares connections when there are fewer than devices", async () => {
    const report = await run({ connections: 3 });
    expect(report).toMatchObject({ connections: 3, acknowledged: 500 });
    expect(broker.mostConnections).toBe(3);
    expect(new Set(broker.received.map(({ topic }) => topic)).size).toBe(10);
  });
});

describe("a fleet with logins", () => {
  test("comes in as each device, and as one gateway for several", async () => {
    const users: (string | undefined)[] = [];
    await restart({
      mayEnter(user, password) {
        users.push(user);
        return password === `secret of ${user}`;
      },
    });
    const twoBins = devices
      .filter(({ id }) => !id.startsWith("em-"))
      .concat(syntheticDevices(12, "krakow").slice(11));
    const report = await run({ devices: twoBins, loginFor: gatewayFor, messages: 100 });
    expect(report.acknowledged).toBe(100);
    expect(users.length).toBe(new Set(users).size);
    expect(users).toContain("gw-podgorze");
    expect(report.connections).toBe(users.length);
  });

  test("says who was refused", async () => {
    await restart({ mayEnter: (user) => user !== "em-s00003" });
    await expect(run({ loginFor })).rejects.toMatchObject({
      code: "simulator-refused",
      message: expect.stringContaining("em-s00003"),
    });
  });

  test("refuses more users than connections", async () => {
    await expect(run({ loginFor, connections: 5 })).rejects.toMatchObject({ code: "simulator-connections" });
  });

  test("says that no broker answers", async () => {
    const { url } = broker;
    await broker.stop();
    const failure = runFleet({ url, devices: devices.slice(0, 1), seed: 1, rate: 1, patienceMs: 200 });
    await expect(failure).rejects.toMatchObject({ code: "simulator-unreachable", retryable: true });
    broker = await startTestBroker();
  });
});
