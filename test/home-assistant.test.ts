import { Ajv } from "ajv";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseCity, quantities } from "../devices/index.js";
import { discoveryTopic } from "../ingest/home-assistant/discovery.js";
import { entityOf } from "../ingest/home-assistant/entity.js";
import { type Announcer, openAnnouncer } from "../ingest/home-assistant/index.js";
import type { LiveEvent } from "../ingest/index.js";
import { binaryClasses, discoverySchema, sensorClasses } from "./support/home-assistant.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `
city: { name: K, timeZone: Europe/Warsaw, language: en }
places: [{ id: krakow, kind: city, name: Kraków }]
devices:
  - { id: bin-1, class: bin, place: krakow, every: 15m, name: Kosz przy szkole, model: SE-01, identifiers: { serial: "0042" } }
  - { id: em_1.a, class: electricity-meter, place: krakow, identifiers: { topic: em } }
  - { id: zzz, class: bin, place: krakow }
`;

let works: TestPipeline;
let retained: Map<string, string>;
let published: string[];
let fails: (topic: string) => boolean;
let isBehind: boolean;
let listeners: Set<(event: LiveEvent) => void>;
let announcer: Announcer;

const open = (
  options: { devices: string[]; most: number } | "off" = { devices: ["*"], most: 100 },
): Announcer =>
  openAnnouncer({
    options: options === "off" ? undefined : options,
    state: works.state,
    registry: works.registry,
    latest: (devices) => works.history.latest(devices),
    presenceOf: (device) => works.pipeline.presence.of(device),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    publish: async (topic, payload) => {
      if (fails(topic)) throw new Error("the broker is gone");
      published.push(topic);
      if (payload === "") retained.delete(topic);
      else retained.set(topic, payload);
    },
    isBehind: () => isBehind,
    clock: () => works.clock.nowMs,
    futureSkewMs: 300_000,
    version: "0.1.0",
    log: { warn: (facts: object) => published.push(`warned ${JSON.stringify(facts)}`) } as never,
  });
beforeEach(async () => {
  retained = new Map();
  published = [];
  listeners = new Set();
  fails = () => false;
  isBehind = false;
  works = await openTestPipeline(city, nowMs, undefined, undefined, undefined, (values) => {
    for (const listener of listeners) listener({ topic: "readings", values });
  });
  works.pipeline.presence.onChange((devices) => {
    for (const listener of listeners) listener({ topic: "presence", devices });
  });
  announcer = open();
});
afterEach(async () => {
  announcer.stop();
  await works.close();
});

const send = (device: string, fields: object, minute = 0): Promise<void> =>
  works.take([
    {
      topic: `readings/${device}`,
      payload: JSON.stringify({ time: new Date(nowMs + minute * 60_000).toISOString(), ...fields }),
      receivedMs: nowMs + minute * 60_000,
    },
  ]);
const json = (topic: string): Record<string, never> | undefined => {
  const text = retained.get(topic);
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, never>);
};
const binTopic = "homeassistant/device/obieg/bin-1/config";

const facts = { device: "x", language: "en", everyMs: undefined } as const;

test("every quantity of the vocabulary is described as Home Assistant takes it: unit and statistics fit the device class", () => {
  const wrong = [...quantities.keys()].filter((quantity) => {
    const entity = entityOf(quantity, facts);
    if (!entity) return true;
    const { platform, device_class: kind, unit_of_measurement: unit, state_class: statistics } = entity;
    if (platform === "binary_sensor")
      return unit !== undefined || (kind !== undefined && !binaryClasses.has(kind));
    if (kind === undefined) return false;
    const [units, classes] = sensorClasses[kind] ?? [[], []];
    return !units.includes(unit) || !classes.includes(statistics);
  });
  expect(wrong).toEqual([]);
  expect(entityOf("error_flags", facts)).not.toHaveProperty("state_class");
});

test("no two quantities have one name, in either language: a device may send both", () => {
  for (const language of ["pl", "en"] as const) {
    const names = [...quantities.keys()].map((quantity) => entityOf(quantity, { ...facts, language })?.name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  }
});

test("a device is announced with what it sent, its values follow, and a new quantity joins", async () => {
  await send("bin-1", { fill_percent: 43.2, tilted: 0, battery_v: 3.6 });
  await announcer.tick();
  const discovery = json(binTopic);
  const validate = new Ajv().compile(discoverySchema);
  expect(validate(discovery), JSON.stringify(validate.errors)).toBe(true);
  expect(discovery).toEqual({
    device: {
      identifiers: ["obieg_bin-1"],
      name: "Kosz przy szkole",
      model: "SE-01",
      serial_number: "0042",
      suggested_area: "Kraków",
    },
    origin: { name: "Obieg", sw_version: "0.1.0" },
    components: {
      battery_v: {
        platform: "sensor",
        name: "Battery voltage",
        unique_id: "obieg_bin-1_battery_v",
        value_template: "{{ value_json.battery_v }}",
        device_class: "voltage",
        unit_of_measurement: "V",
        state_class: "measurement",
        entity_category: "diagnostic",
        expire_after: 2700,
      },
      fill_percent: {
        platform: "sensor",
        name: "Fill level",
        unique_id: "obieg_bin-1_fill_percent",
        value_template: "{{ value_json.fill_percent }}",
        unit_of_measurement: "%",
        state_class: "measurement",
        expire_after: 2700,
      },
      tilted: {
        platform: "binary_sensor",
        name: "Tilted",
        unique_id: "obieg_bin-1_tilted",
        value_template: "{{ value_json.tilted }}",
        payload_on: "1",
        payload_off: "0",
        expire_after: 2700,
      },
    },
    state_topic: "latest/bin-1",
    qos: 0,
  });
  expect(json("latest/bin-1")).toEqual({
    time: "2026-11-23T10:00:00.000Z",
    fill_percent: 43.2,
    tilted: 0,
    battery_v: 3.6,
  });
  await send("bin-1", { fill_percent: 50, temperature_celsius: 4 }, 1);
  await send("bin-1", { fill_percent: 44 }, -30);
  await announcer.tick();
  expect(Object.keys(json(binTopic)?.["components"] ?? {})).toContain("temperature_celsius");
  expect(json("latest/bin-1")).toMatchObject({
    time: "2026-11-23T10:01:00.000Z",
    fill_percent: 50,
    temperature_celsius: 4,
  });
});

test("entities are called as the city's language has it, also once that is another", async () => {
  await send("bin-1", { fill_percent: 43.2 });
  await announcer.tick();
  await works.registry.apply(
    parseCity(city.replace("language: en", "language: pl"), {
      file: "city.yaml",
      env: {},
      readBeside: () => "",
    }),
    "test",
  );
  await announcer.tick();
  expect(json(binTopic)).toMatchObject({ components: { fill_percent: { name: "Zapełnienie" } } });
});

test("nothing is published that didn't change, however often it is asked, and nothing while the works are behind", async () => {
  await send("bin-1", { fill_percent: 1 });
  isBehind = true;
  await announcer.tick();
  expect(published).toEqual([]);
  isBehind = false;
  await announcer.tick();
  const before = published.length;
  await announcer.tick();
  expect([before, published.length]).toEqual([2, 2]);
  for (let minute = 1; minute <= 20; minute++) await send("bin-1", { fill_percent: minute }, minute);
  await announcer.tick();
  expect(published.slice(2)).toEqual(["latest/bin-1"]);
  await works.registry.putDevice({ id: "bin-9", class: "bin", place: "krakow" }, "test");
  await announcer.tick();
  expect(published.length).toBe(3);
});

test("after a restart a device is announced with its values before it sends anything", async () => {
  await send("bin-1", { fill_percent: 43.2 });
  await announcer.tick();
  retained.clear();
  announcer = open();
  await announcer.tick();
  expect([...retained.keys()].toSorted()).toEqual([binTopic, "latest/bin-1"]);
});

test("a device that goes is taken back, also one that went while nothing was announced, and everything once it is switched off", async () => {
  await send("bin-1", { fill_percent: 1 });
  await send("zzz", { fill_percent: 1 });
  await send("em_1.a", { power_w: 1 });
  await announcer.tick();
  expect(retained.size).toBe(6);
  await works.registry.removeDevice("zzz", "test");
  await announcer.tick();
  expect(retained.size).toBe(4);
  announcer.stop();
  await works.registry.removeDevice("em_1.a", "test");
  announcer = open();
  await announcer.tick();
  expect([...retained.keys()].toSorted()).toEqual([binTopic, "latest/bin-1"]);
  announcer.stop();
  announcer = open("off");
  await announcer.tick();
  expect([...retained.keys()]).toEqual([]);
  const before = published.length;
  announcer.stop();
  announcer = open("off");
  await announcer.tick();
  expect(published.length).toBe(before);
});

test("no more devices are announced than may be, it is said, and who comes into their place has its values", async () => {
  announcer.stop();
  announcer = open({ devices: ["bin-*", "zzz"], most: 1 });
  for (const id of ["bin-1", "zzz", "em_1.a"]) await send(id, { battery_v: 3 });
  await announcer.tick();
  expect([...retained.keys()].toSorted()).toEqual([binTopic, "latest/bin-1"]);
  expect(published.filter((topic) => topic.startsWith("warned"))).toEqual([
    'warned {"announced":1,"devices":2}',
  ]);
  await works.registry.removeDevice("bin-1", "test");
  await announcer.tick();
  expect([...retained.keys()].toSorted()).toEqual(["homeassistant/device/obieg/zzz/config", "latest/zzz"]);
  expect(json("latest/zzz")).toMatchObject({ battery_v: 3 });
});

test("what the broker didn't take is published in the next turn", async () => {
  await send("bin-1", { fill_percent: 1 });
  fails = () => true;
  await expect(announcer.tick()).rejects.toThrow("the broker is gone");
  fails = (topic) => topic.startsWith("latest/");
  await expect(announcer.tick()).rejects.toThrow("the broker is gone");
  fails = () => false;
  await announcer.tick();
  expect([...retained.keys()].toSorted()).toEqual([binTopic, "latest/bin-1"]);
});

test("availability is the device's own word; one that sleeps between its reports is there until its interval has passed", async () => {
  const lwt = (payload: string): Promise<void> =>
    works.take([{ topic: "tele/bin-1/LWT", payload, receivedMs: works.clock.nowMs }]);
  await send("bin-1", { fill_percent: 1 });
  await announcer.tick();
  expect(json(binTopic)).not.toHaveProperty("availability");
  await lwt("Offline");
  await announcer.tick();
  expect(json(binTopic)).toMatchObject({ availability: [{ topic: "presence/bin-1" }] });
  expect(retained.get("presence/bin-1")).toBe("online");
  works.clock.nowMs = nowMs + 900_000;
  await announcer.tick();
  expect(retained.get("presence/bin-1")).toBe("offline");
  await lwt("Online");
  await announcer.tick();
  expect(retained.get("presence/bin-1")).toBe("online");
});

test("topics of the discovery hold what Home Assistant allows, and no two devices have the same", () => {
  const ids = ["a.b", "a_db", "a_b", "a__b", "a-b", "a._b", "a_.b", "A.b"];
  const topics = ids.map(discoveryTopic);
  expect(new Set(topics).size).toBe(ids.length);
  for (const topic of topics) expect(topic).toMatch(/^homeassistant\/device\/obieg\/[a-zA-Z0-9_-]+\/config$/);
});

test("after a clock that was a day ahead was mended, what comes is shown at once, and a goodbye counts", async () => {
  const aDay = 24 * 60;
  const setClock = (minute: number): void => void (works.clock.nowMs = nowMs + minute * 60_000);
  const lwt = (payload: string): Promise<void> =>
    works.take([{ topic: "tele/bin-1/LWT", payload, receivedMs: works.clock.nowMs }]);
  setClock(aDay);
  await send("bin-1", { fill_percent: 80, battery_v: 3.6 }, aDay);
  await announcer.tick();
  expect(json("latest/bin-1")).toMatchObject({ fill_percent: 80 });
  setClock(1);
  await lwt("Offline");
  await announcer.tick();
  expect(retained.get("presence/bin-1")).toBe("offline");
  await send("bin-1", { fill_percent: 20 }, 1);
  await announcer.tick();
  expect(retained.get("presence/bin-1")).toBe("online");
  expect(json("latest/bin-1")).toEqual({
    time: "2026-11-23T10:01:00.000Z",
    fill_percent: 20,
    battery_v: 3.6,
  });
  // Later ones go by their own time again; one a little ahead of our clock is the newest.
  await send("bin-1", { fill_percent: 25 }, 5);
  await send("bin-1", { fill_percent: 22 }, 3);
  await announcer.tick();
  expect(json("latest/bin-1")).toMatchObject({ time: "2026-11-23T10:05:00.000Z", fill_percent: 25 });
});
