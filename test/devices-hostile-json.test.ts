import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createValidator,
  type DeviceEntry,
  formats,
  openCodecs,
  parseCity,
  type RegistryView,
} from "../devices/index.js";

const dir = join(import.meta.dirname, "cases");
const receivedMs = Date.parse("2026-11-23T10:00:05Z");
const depth = 12_000;
const deep = (open: string, inside: string, close: string): string =>
  `${open.repeat(depth)}${inside}${close.repeat(depth)}`;

/** Texts that JavaScript finds on every object. */
const inherited = [
  "constructor",
  "__proto__",
  "valueOf",
  "toString",
  "hasOwnProperty",
  "isPrototypeOf",
  "__defineGetter__",
];
/** Values, as they stand in JSON, that no device means well with. */
const hostile = [
  ...inherited.map((name) => JSON.stringify(name)),
  '{"toString": 1, "valueOf": 1}',
  '{"toString": null}',
  '{"__proto__": {"slice": 1}, "constructor": 1, "length": -1}',
  '{"value": {"toString": 1}, "unit": {"valueOf": 1}}',
  '{"value": 1, "unit": "constructor"}',
  '{"tag": 4, "contents": [1, {"toString": 1}]}',
  '[{"toString": 1}]',
  "[[[]]]",
  "1e999",
  "-0",
  "20",
  "null",
  "true",
  '"\\ud800"',
  deep("[", "1", "]"),
  deep('{"a":', "1", "}"),
  deep('{"tag":4,"contents":[', "1", "]}"),
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes a payload where `picks` says: a value becomes a hostile one, is joined by one, or gets another name. Gives JSON. */
function spoil(
  payload: string,
  picks: readonly { at: number; how: number; what: number; key: string }[],
): string {
  const spots: { holder: Record<string, Json>; key: string }[] = [];
  const collect = (holder: Json): void => {
    if (typeof holder !== "object" || holder === null) return;
    for (const key of Object.keys(holder)) {
      spots.push({ holder: holder as Record<string, Json>, key });
      collect((holder as Record<string, Json>)[key] ?? null);
    }
  };
  const root: Record<string, Json> = { root: JSON.parse(payload) as Json };
  collect(root);
  for (const { at, how, what, key } of picks) {
    const spot = spots[at % spots.length];
    if (!spot) continue;
    const { holder } = spot;
    const put = (name: string, value: Json): void =>
      void Object.defineProperty(holder, name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    if (how === 0 || holder === root || Array.isArray(holder)) put(spot.key, `@@${what % hostile.length}@@`);
    else if (how === 1) put(key, `@@${what % hostile.length}@@`);
    else put(key, holder[spot.key] ?? null);
  }
  return JSON.stringify(root["root"]).replaceAll(/"@@(\d+)@@"/g, (_all, n) => hostile[Number(n)] ?? "");
}

interface Sample {
  topic: string;
  payload: string;
}
/** JSON that a format takes: what its golden cases send. */
const samplesOf = (format: string): { folder: string; samples: Sample[] }[] => {
  const start = format === "wmbusmeters" ? "wmbus" : format === "zigbee2mqtt" ? "zigbee" : format;
  return readdirSync(dir)
    .filter((name) => name.startsWith(`${start}-`))
    .map((folder) => ({
      folder,
      samples: readFileSync(join(dir, folder, "input.jsonl"), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => JSON.parse(line) as Partial<Sample>)
        .filter((one): one is Sample => {
          try {
            return typeof one.payload === "string" && typeof JSON.parse(one.payload) !== "string";
          } catch {
            return false;
          }
        }),
    }));
};

/** A registry that knows every device, each as one of some class. */
function everyDevice(folder: string, deviceClass: string): RegistryView {
  const own = join(dir, folder, "city.yaml");
  const text = readFileSync(existsSync(own) ? own : join(dir, "city.yaml"), "utf8");
  const city = parseCity(text, {
    file: "city.yaml",
    env: {},
    readBeside: (name) => readFileSync(join(dir, folder, name), "utf8"),
  });
  const device: DeviceEntry = { id: "bin-1", class: deviceClass, place: "krakow", sinceMs: 0 };
  return {
    city: city.city,
    sources: () => city.sources,
    device: () => device,
    byIdentifier: () => device,
  } as unknown as RegistryView;
}

const picks = fc.array(
  fc.record({
    at: fc.nat(200),
    how: fc.nat(2),
    what: fc.nat(hostile.length - 1),
    key: fc.constantFrom(
      ...inherited,
      "",
      "tag",
      "contents",
      "value",
      "unit",
      "media",
      "TempUnit",
      "PressureUnit",
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

for (const format of formats.keys()) {
  const cases = samplesOf(format);
  test(`${format}: no JSON, however hostile, has it or the judge of its fields throw`, () => {
    expect(cases.length).toBeGreaterThan(0);
    const validate = createValidator();
    const taught = new Map<string, unknown>();
    const heard = cases.flatMap(({ folder, samples }) => {
      const registry = everyDevice(folder, folder.includes("heat") ? "heat-meter" : "electricity-meter");
      const codecFor = openCodecs(registry);
      const topics = new Set(
        readFileSync(join(dir, folder, "input.jsonl"), "utf8")
          .split("\n")
          .filter((line) => line.trim() !== "")
          .map((line) => (JSON.parse(line) as Sample).topic),
      );
      // Of formats that aren't JSON something of that kind comes on their topics all the same.
      const sent =
        samples.length > 0 ? samples : [...topics].map((topic) => ({ topic, payload: '{"a":[1]}' }));
      return sent.map((sample) => ({ ...sample, registry, codecFor }));
    });
    const read = ({ topic, registry, codecFor }: (typeof heard)[number], text: string): void => {
      const message = {
        topic,
        payload: Buffer.from(text),
        user: "u",
        clientId: "c",
        qos: 1 as const,
        receivedMs,
      };
      const past = { sequence: 1, recall: (key: string) => taught.get(key) };
      const decoded = codecFor(topic)?.decode(message, registry, past);
      for (const [key, value] of decoded?.lessons ?? []) taught.set(key, value);
      if (decoded?.kind !== "decoded") return;
      for (const part of [decoded, ...(decoded.others ?? [])]) {
        const device = registry.device(part.device);
        if (device) validate(part, device, receivedMs, { futureSkewMs: 300_000 });
      }
    };
    for (const one of heard) for (const text of hostile) read(one, text);
    fc.assert(
      fc.property(fc.constantFrom(...heard), picks, (one, where) => read(one, spoil(one.payload, where))),
      { numRuns: 1_000 },
    );
  });
}
