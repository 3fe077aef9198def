import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseCity } from "../devices/index.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `
city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: plug-17, class: electricity-meter, place: krakow, every: 5m }
  - { id: unpaced, class: electricity-meter, place: krakow }
  - { id: pro-1, class: electricity-meter, place: krakow, identifiers: { name: shellypro4pm-aabbccddeeff } }
  - { id: pro-1-b, class: electricity-meter, place: krakow, identifiers: { name: "shellypro4pm-aabbccddeeff/switch:1" } }
rules:
  - { id: gone, kind: silent, devices: [plug-17, unpaced], times: 12, offlineFor: 10m, severity: warning, title: { pl: Zniknęło, en: Gone } }
  - { id: silent, kind: silent, devices: [plug-17], times: 12, severity: warning, title: { pl: Milczy, en: Silent } }
`;
const lwt = (
  payload: string,
  minute: number,
  device = "plug-17",
): Parameters<TestPipeline["take"]>[0][number] => ({
  topic: `tele/${device}/LWT`,
  payload,
  receivedMs: nowMs + minute * 60_000,
});

let dir: string;
let works: TestPipeline;
const open = async (): Promise<void> => {
  works = await openTestPipeline(city, nowMs, dir);
};

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "obieg-presence-"));
  const first = await openTestPipeline(city, nowMs, dir);

  await first.registry.apply(parseCity(city, { file: "city.yaml", env: {}, readBeside: () => "" }), "test");
  await first.close();
  await open();
});
afterEach(async () => {
  await works.close();
  rmSync(dir, { recursive: true, force: true });
});

const of = (device = "plug-17"): unknown => works.pipeline.presence.of(device);

test("a device is offline since its last will was received, until it says otherwise; what it repeats moves nothing", async () => {
  expect(of()).toBeUndefined();
  await works.take([lwt("Online", 0), lwt("Online", 1)]);
  expect(of()).toMatchObject({ online: true, sinceMs: nowMs });
  await works.take([lwt("Offline", 2), lwt("Offline", 3)]);
  expect(of()).toMatchObject({ online: false, sinceMs: nowMs + 120_000 });
  await works.take([lwt("Online", 4), lwt("Offline", 5), lwt("Online", 6)]);
  expect(of()).toMatchObject({ online: true, sinceMs: nowMs + 360_000 });
});

test("neither a stranger's word nor a text that isn't one of the two says anything", async () => {
  await works.take([
    lwt("Online", 0, "stranger"),
    lwt("Sometimes", 0),
    lwt("Online".repeat(100), 0),
    lwt("", 0),
  ]);
  expect([of(), of("stranger")]).toEqual([undefined, undefined]);
});

test("the channels of a device come and go with it", async () => {
  const online = (payload: string): Parameters<TestPipeline["take"]>[0][number] => ({
    topic: "shellypro4pm-aabbccddeeff/online",
    payload,
    receivedMs: nowMs,
  });
  await works.take([online("true"), online("false")]);
  expect([of("pro-1"), of("pro-1-b"), of("plug-17")]).toMatchObject([
    { online: false },
    { online: false },
    undefined,
  ]);
});

test("presence outlives a restart, and messages that are taken twice change nothing", async () => {
  const messages = [lwt("Offline", 0), lwt("Online", 1)];
  await works.take(messages);
  await works.close();
  await open();
  expect(of()).toMatchObject({ online: true, sinceMs: nowMs + 60_000 });
  const told: string[] = [];
  works.pipeline.presence.onChange((devices) => told.push(...devices));
  await works.pipeline.presence.take([{ device: "plug-17", online: false, message: 1, receivedMs: nowMs }]);
  expect([of(), told]).toEqual([expect.objectContaining({ online: true }), []]);
});

test("a disk that takes no state takes no message either, so that no word is lost", async () => {
  works.disk.failsState = true;
  await expect(works.take([lwt("Offline", 0)])).rejects.toMatchObject({ code: "state-commit" });
  expect([of(), works.history.position]).toEqual([undefined, 0]);
  works.disk.failsState = false;
  await works.take([lwt("Offline", 0)]);
  expect(of()).toMatchObject({ online: false });
});

test("a device that goes takes its presence with it", async () => {
  await works.take([lwt("Offline", 0)]);
  await works.registry.removeDevice("plug-17", "test");
  await works.pipeline.maintain(nowMs);
  expect(of()).toBeUndefined();
});

const alerts = (): string[] =>
  works.alerts
    .list({ states: ["raised", "acknowledged", "resolved"], limit: 10 })
    .items.map(({ rule, device, state, message }) => `${rule} ${device} ${state}: ${message.en}`)
    .toSorted();
const passTo = async (minute: number): Promise<void> => {
  works.clock.nowMs = nowMs + minute * 60_000;
  await works.pipeline.tick();
};
const power = (minute: number): Parameters<TestPipeline["take"]>[0][number] => ({
  topic: "readings/plug-17",
  payload: '{"power_w": 5}',
  receivedMs: nowMs + minute * 60_000,
});

test("a device's own word raises its silent rule sooner than silence, where the rule says how long it may stand, and its word ends it", async () => {
  await passTo(0);
  await works.take([power(0), lwt("Offline", 1)]);
  await passTo(10);
  expect(alerts()).toEqual([]);
  await passTo(11);
  expect(alerts()).toEqual(["gone plug-17 raised: plug-17 (K): reported itself offline 10 min ago"]);
  await works.close();
  await open();
  works.clock.nowMs = nowMs + 12 * 60_000;
  // Numbered from 1 again; the third comes after what was taken before.
  await works.take([lwt("Online", 12), lwt("Online", 12), lwt("Online", 12)]);
  await passTo(12);
  expect(alerts()).toEqual(["gone plug-17 resolved: plug-17 (K): online again after 11 min"]);
  await passTo(59);
  expect(alerts().filter((alert) => alert.includes("raised"))).toEqual([]);
});

test("a value ends it too, and one that comes after each goodbye never raises it", async () => {
  await passTo(0);
  for (let minute = 0; minute < 60; minute += 5) {
    await works.take([lwt("Online", minute), power(minute), lwt("Offline", minute)]);
    await passTo(minute);
  }
  expect(alerts()).toEqual([]);
  await passTo(65);
  expect(alerts()).toEqual(["gone plug-17 raised: plug-17 (K): reported itself offline 10 min ago"]);
  await works.take([power(66)]);
  await passTo(66);
  expect(alerts()).toEqual(["gone plug-17 resolved: plug-17 (K): data comes again after 11 min"]);
});

/** Sets the wall clock; a steady one shows that a second passed. */
const setClock = async (toMinute: number): Promise<void> => {
  works.clock.steadyMs = (works.clock.steadyMs ?? 0) + 1_000;
  await passTo(toMinute);
};
/** Lets time pass to a minute of the wall clock, looking at it each minute as the service does. */
const liveTo = async (minute: number): Promise<void> => {
  works.clock.steadyMs ??= 0;
  while (works.clock.nowMs < nowMs + minute * 60_000) {
    works.clock.steadyMs += 60_000;
    await passTo((works.clock.nowMs - nowMs) / 60_000 + 1);
  }
};
const aDay = 24 * 60;

test("how long a device has been offline is what passed, not what the clock was set by", async () => {
  works.clock.steadyMs = 0;
  await passTo(0);
  await works.take([power(0), lwt("Offline", 1)]);
  // It leaps before anyone looked at the word, and again after.
  await setClock(aDay);
  expect(alerts()).toEqual([]);
  await liveTo(aDay + 5);
  await setClock(2 * aDay);
  await liveTo(2 * aDay + 4);
  expect(alerts()).toEqual([]);
  await liveTo(2 * aDay + 5);
  expect(alerts()).toEqual(["gone plug-17 raised: plug-17 (K): reported itself offline 10 min ago"]);
});

test("offline by its own word is told also when its last value came while the clock was a day ahead, and isn't when a value came after the word, whatever the clock showed then", async () => {
  works.clock.steadyMs = 0;
  await passTo(0);
  await setClock(aDay);
  await works.take([power(aDay + 1)]);
  await setClock(2);
  await works.take([lwt("Offline", 3)]);
  await liveTo(12);
  expect(alerts()).toEqual([]);
  await liveTo(13);
  expect(alerts()).toEqual(["gone plug-17 raised: plug-17 (K): reported itself offline 10 min ago"]);
  await works.take([power(13), lwt("Online", 13), lwt("Offline", 13)]);
  await setClock(aDay + 14);
  await works.take([power(aDay + 14)]);
  await setClock(15);
  await liveTo(60);
  expect(alerts().filter((alert) => alert.includes("raised"))).toEqual([]);
});

test("time during which the service was down isn't time offline: the device may have come back and gone unheard", async () => {
  await passTo(0);
  await works.take([power(0), lwt("Offline", 1)]);
  await passTo(4);
  await works.close();
  await open();
  works.clock.nowMs = nowMs + 184 * 60_000;
  await works.pipeline.tick();
  await passTo(190);
  expect(alerts()).toEqual([]);
  await passTo(191);
  expect(alerts()).toEqual(["gone plug-17 raised: plug-17 (K): reported itself offline 10 min ago"]);
});

test("a device without an interval can't be silent, but it can say that it goes", async () => {
  await passTo(0);
  await works.take([lwt("Offline", 0, "unpaced")]);
  await passTo(10_000);
  expect(alerts().filter((alert) => alert.includes("unpaced"))).toEqual([
    "gone unpaced raised: unpaced (K): reported itself offline 7 days ago",
  ]);
});

test("offline by its own word is told while messages wait, by the time of those that were taken", async () => {
  const alerts = (): string[] =>
    works.alerts.list({ limit: 10 }).items.map(({ rule, device, state }) => `${rule} ${device} ${state}`);
  await works.pipeline.tick(false);
  await works.pipeline.tick();
  works.clock.nowMs = nowMs + 60 * 60_000;
  await works.take([lwt("Offline", 2), lwt("Online", 5, "unpaced")]);
  await works.pipeline.tick(false);
  expect(alerts()).toEqual([]);
  await works.take([lwt("Online", 13, "unpaced")]);
  await works.pipeline.tick(false);
  expect(alerts()).toEqual(["gone plug-17 raised"]);
  await works.take([lwt("Online", 14)]);
  await works.pipeline.tick(false);
  expect(alerts()).toEqual(["gone plug-17 resolved"]);
});
