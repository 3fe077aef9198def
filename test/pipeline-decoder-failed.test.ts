import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Codec, type DecodedField, formats } from "../devices/index.js";
import { openStrangers } from "../ingest/strangers.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";
import { accountsOf } from "./support/accounts.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow }
  - { id: meter, class: water-meter, place: krakow, identifiers: { name: meter, topic: meter, serial: meter } }
`;
const field = (name: unknown, value: number): DecodedField => ({
  name: name as string,
  value,
  timeMs: nowMs + value,
  attributes: "",
  path: "/field",
});

let works: TestPipeline;
/** A decoder with a mistake, until it is mended: it throws, or gives a field at which the judge of fields throws. */
let mistake: "throws" | "gives" | "none";
let recalled: unknown[];
const odd: Codec = {
  format: "odd",
  version: "3",
  remembers: true,
  decode(message, _registry, past) {
    recalled.push(past?.recall("odd"));
    const value = Number(Buffer.from(message.payload).toString());
    if (mistake === "throws" && value === 2) throw new TypeError("Cannot convert object to primitive value");
    return {
      kind: "decoded",
      device: "bin-1",
      fields: [field(mistake === "gives" && value === 2 ? {} : "fill_percent", value)],
      faults: [],
      unmapped: [{ field: "more", value, path: "/more" }],
      presence: [{ device: "bin-1", online: true }],
      uplink: { count: value, session: "", timeMs: nowMs },
      lessons: new Map([["odd", value]]),
      answers: [{ topic: `answer/${value}`, payload: new Uint8Array() }],
    };
  },
};

beforeEach(async () => {
  [mistake, recalled] = ["throws", []];
  works = await openTestPipeline(city, nowMs, undefined, (topic) => (topic === "odd" ? odd : undefined));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await works.close();
});

const message = (payload: string, topic = "odd"): Parameters<TestPipeline["take"]>[0][number] => ({
  topic,
  payload,
  receivedMs: nowMs,
});
const values = async (): Promise<number[]> =>
  (await works.history.readings({ limit: 10 })).items.map(({ value }) => value).toSorted((a, b) => a - b);
const open = async (): Promise<string[]> =>
  (await works.history.quarantine({ limit: 10, status: "open" })).items.map(
    ({ id, reason, device }) => `${id} ${reason} ${device}`,
  );
const accounts = async (): Promise<string[]> =>
  (await accountsOf(works.history, { fromDay: "2026-11-23", toDay: "2026-11-23" }))
    .filter(({ messages }) => messages.received !== 0 || messages.quarantined !== 0)
    .map(({ device, messages: { received, decoded, quarantined }, balanced }) =>
      [device, received, decoded, quarantined, balanced ? "balanced" : "not balanced"].join(" "),
    );

test.each([
  ["throws", "(unknown)", ["(unknown) 1 0 1 balanced", "bin-1 2 2 0 balanced"]],
  ["gives", "bin-1", ["bin-1 3 2 1 balanced"]],
] as const)(
  "a message at which a decoder fails (it %s) is quarantined alone, and replayed once that is mended",
  async (kind, device, counted) => {
    mistake = kind;
    await works.take([message("1"), message("2"), message("3")]);
    expect(works.history.position).toBe(3);
    expect(await values()).toEqual([1, 3]);
    expect(await open()).toEqual([`1-u1 unmapped-field bin-1`, `2-0 decoder-failed ${device}`]);
    expect((await accounts()).toSorted()).toEqual(counted);
    const { items } = await works.history.quarantine({ limit: 10, reason: "decoder-failed" });
    expect(items.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["2"]);
    expect(items[0]?.detail).toMatch(/^odd 3 failed at this message: TypeError: .{10,}; mended by a newer/);
    // Nothing that it taught or said stands.
    expect(recalled).toEqual([undefined, 1, 1]);
    expect(works.answers.map(({ topic }) => topic)).toEqual(["answer/1", "answer/3"]);
    expect(works.pipeline.memory.past(4).recall("odd")).toBe(3);

    expect(await works.pipeline.replay(items, "anna")).toEqual({ replayed: 0, refused: 1 });
    mistake = "none";
    expect(await works.pipeline.replay(items, "anna")).toEqual({ replayed: 1, refused: 0 });
    expect(await values()).toEqual([1, 2, 3]);
    expect(await open()).toEqual(["1-u1 unmapped-field bin-1"]);
    expect((await accounts()).filter((line) => !line.includes(" 0 0 0 "))).toEqual(["bin-1 3 3 0 balanced"]);
  },
);

test("what storage throws is no message's fault: the batch is taken again as it is", async () => {
  mistake = "none";
  const { history } = works;
  vi.spyOn(history, "identify").mockRejectedValueOnce(new RangeError("no room"));
  await expect(works.take([message("1")])).rejects.toThrow("no room");
  const gather = history.gather.bind(history);
  vi.spyOn(history, "gather").mockImplementationOnce(() => {
    const gathered = gather();
    gathered.add = () => {
      throw new RangeError("no room");
    };
    return gathered;
  });
  await expect(works.take([message("1")])).rejects.toThrow("no room");
  expect([await open(), history.position]).toEqual([[], 0]);
});

/** What had a decoder of ours fail once: payloads by topic. */
const nested = (times: number): string =>
  `[{"n":"a","v":${'{"tag":4,"contents":['.repeat(times)}1${"]}".repeat(times)}}]`;
test.each([
  ["a medium that is an object", "wmbusmeters/meter", '{"media":{"toString":1,"valueOf":1},"total_m3":1}'],
  [
    "a medium of deep lists",
    "wmbusmeters/meter",
    `{"media":${"[".repeat(11_300)}${"]".repeat(11_300)},"total_m3":1}`,
  ],
  [
    "a unit of temperature that is an object",
    "tele/meter/SENSOR",
    '{"TempUnit":{"toString":1},"AM":{"Temperature":20}}',
  ],
  [
    "a unit of pressure that is an object",
    "tele/meter/SENSOR",
    '{"PressureUnit":{"toString":1},"AM":{"Pressure":990}}',
  ],
  [
    "a unit of temperature that every object has",
    "tele/meter/SENSOR",
    '{"Time":"2025-11-01T00:00:00","TempUnit":"constructor","AM":{"Temperature":20}}',
  ],
  [
    "a unit of pressure that every object has",
    "tele/meter/SENSOR",
    '{"Time":"2025-11-01T00:00:00","PressureUnit":"valueOf","AM":{"Pressure":990}}',
  ],
  ["a decimal fraction of decimal fractions", "senml/meter", nested(11_300)],
])("%s is read, or refused in its format's own words", async (_name, topic, payload) => {
  await works.take([message(payload, topic), message("1")]);
  expect(works.history.position).toBe(2);
  expect(await values()).toContain(1);
  expect((await open()).filter((entry) => entry.includes("decoder-failed"))).toEqual([]);
});

test("a list of unknown devices is given though a decoder fails at what one of them sent", async () => {
  await works.take([message('{"total_m3":1}', "wmbusmeters/stranger")]);
  const strangers = openStrangers({
    history: works.history,
    memory: works.pipeline.memory,
    registry: works.registry,
    putDevice: () => Promise.reject(new Error("isn't asked")),
    replay: () => Promise.reject(new Error("isn't asked")),
  });
  const { wmbusmeters } = Object.fromEntries(formats);
  if (!wmbusmeters) throw new Error("there is no such format");
  vi.spyOn(wmbusmeters, "parse").mockImplementation(() => {
    throw new RangeError("Maximum call stack size exceeded");
  });
  expect((await strangers.list({ limit: 10 })).items).toMatchObject([
    { identifier: "stranger", introduction: undefined, suggestion: { quantities: [], unmapped: [] } },
  ]);
});
