import { afterEach, beforeEach, expect, test } from "vitest";
import { type Codec, type DeviceFields, parseCity } from "../devices/index.js";
import type { QuarantineEntry } from "../ingest/stores/port.js";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: d1, class: bin, place: krakow }
  - { id: d2, class: bin, place: krakow }
`;
const mapped = `${city}sources:
  - { format: influx, map: [{ from: m.foo, quantity: weight_kg }] }
`;

/** A gateway whose decoder warns of both of its devices. */
const gateway: Codec = {
  format: "gateway",
  version: "1",
  decode() {
    const partOf = (device: string): DeviceFields => {
      const faults = ["a-reason", "another-reason"].map((code) => ({
        code,
        path: `/${device}`,
        detail: code,
      }));
      const unmapped = ["x", "y"].map((field) => ({ field, value: 1, path: `/${device}/${field}` }));
      return { device, fields: [], faults, unmapped, warnings: [`${device} is dirty`, `${device} is old`] };
    };
    return { kind: "decoded", ...partOf("d1"), others: [partOf("d2"), partOf("stranger")] };
  },
};

let works: TestPipeline;
beforeEach(async () => {
  works = await openTestPipeline(city, nowMs, undefined, (topic) =>
    topic === "gateway" ? gateway : undefined,
  );
});
afterEach(() => works.close());

const lines = {
  topic: "influx/ns",
  payload: "m,device=d1 foo=1\nm,device=d2 bar=9,foo=2",
  receivedMs: nowMs,
};
/** All entries, a page each. */
const entries = async (status: QuarantineEntry["status"] = "open"): Promise<QuarantineEntry[]> => {
  const found: QuarantineEntry[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await works.history.quarantine({ status, limit: 1, ...(cursor ? { cursor } : {}) });
    found.push(...page.items);
    if (page.next === undefined) return found;
    cursor = page.next;
  }
};
const told = (list: readonly QuarantineEntry[]): string[] =>
  list.map(({ id, device, paths }) => `${id} ${device} ${paths.join()}`).toSorted();

test("fields without a quantity, of several devices in one message, are entries of their own: dismissed and replayed one by one", async () => {
  await works.take([lines]);
  expect(told(await entries())).toEqual(["1-u1 d1 /1/foo", "1-u2 d2 /2/bar", "1-u3 d2 /2/foo"]);
  const [first, , third] = (await entries()).toSorted((one, other) => (one.id < other.id ? -1 : 1));
  if (!first || !third) throw new Error("there are three");
  await works.pipeline.dismiss([first], "anna");
  expect(told(await entries("dismissed"))).toEqual(["1-u1 d1 /1/foo"]);
  expect(told(await entries())).toEqual(["1-u2 d2 /2/bar", "1-u3 d2 /2/foo"]);

  await works.registry.apply(parseCity(mapped, { file: "city.yaml", env: {}, readBeside: () => "" }), "anna");
  expect(await works.pipeline.replay([third], "anna")).toEqual({ replayed: 1, refused: 0 });
  expect((await works.history.readings({ limit: 10 })).items).toMatchObject([{ device: "d2", value: 2 }]);
  expect(told(await entries())).toEqual(["1-u2 d2 /2/bar"]);
});

test("no two entries of a message have the same id, whatever of its devices was refused, unmapped or warned of", async () => {
  await works.take([{ topic: "gateway", payload: "", receivedMs: nowMs }, lines]);
  const ids = (await entries()).map(({ id }) => id);
  expect(ids.toSorted().join(" ")).toBe(
    "1-1 1-2 1-3 1-4 1-5 1-u1 1-u2 1-u3 1-u4 1-w1 1-w2 1-w3 1-w4 2-u1 2-u2 2-u3",
  );
});
