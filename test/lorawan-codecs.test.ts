import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Outcome, testExamples } from "../devices/lorawan/index.js";
import { type Bench, gives, openBench, receivedMs, uplink } from "./support/codec.js";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
const load: Bench["load"] = (source) => bench.load(source);
const decode: Bench["decode"] = (codec, bytes, fPort) => bench.decode(codec, bytes, fPort);
const dataOf: Bench["dataOf"] = (source, bytes) => bench.dataOf(source, bytes);
const folder = mkdtempSync(join(tmpdir(), "obieg-codecs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("calls decodeUplink(input) with port, bytes, receive time and variables; keeps warnings", () => {
  const codec = load(
    uplink(`return {
      data: { port: input.fPort, sum: input.bytes[0] * 256 + input.bytes[1], list: Array.isArray(input.bytes),
        at: input.recvTime.toISOString(), isDate: input.recvTime instanceof Date, fill: input.variables.empty_mm },
      warnings: ["low battery"] };`),
  );
  expect(codec).toMatchObject({
    convention: "decodeUplink",
    hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(codec.version).toBe(codec.hash.slice(0, 12));
  expect(decode(codec)).toEqual({
    kind: "decoded",
    data: { port: 85, sum: 258, list: true, at: "2026-11-23T06:15:02.201Z", isDate: true, fill: "1200" },
    warnings: ["low battery"],
    faults: [],
  });
});

test("calls Decode(fPort, bytes, variables) of ChirpStack v3", () => {
  const codec = load(
    `function Decode(fPort, bytes, variables) { return { p: fPort, b: bytes[1], v: variables.empty_mm }; }`,
  );
  expect(codec.convention).toBe("Decode");
  expect(decode(codec)).toMatchObject({ kind: "decoded", data: { p: 85, b: 2, v: "1200" } });
});

test("calls Decoder(bytes, port) of the old Things Network, also one that is a constant and forgets var", () => {
  const codec = load(
    `const Decoder = function (bytes, port) { total = 0; for (i = 0; i < bytes.length; i++) total += bytes[i]; return { total, port }; };`,
  );
  expect(codec.convention).toBe("Decoder");
  expect(decode(codec)).toMatchObject({ kind: "decoded", data: { total: 3, port: 85 } });
});

test("prefers decodeUplink where a maker ships every convention in one file", () => {
  const source = `function Decode() { return { from: "Decode" }; } function Decoder() { return { from: "Decoder" }; } ${gives(`{ from: "decodeUplink" }`)}`;
  expect(dataOf(source)).toEqual({ from: "decodeUplink" });
});

test("normalizeUplink gives one object or a list; its errors are warnings and don't cost the data", () => {
  const with_ = (normalizer: string): Outcome =>
    decode(load(`${gives("{ t: 21.5 }")} function normalizeUplink(input) { ${normalizer} }`));
  expect(with_("return { data: { air: { temperature: input.data.t } } };")).toMatchObject({
    normalized: [{ air: { temperature: 21.5 } }],
  });
  expect(with_("return { data: [{ battery: 3.6 }, { air: { temperature: input.data.t } }] };")).toMatchObject(
    {
      normalized: [{ battery: 3.6 }, { air: { temperature: 21.5 } }],
    },
  );
  for (const body of [`return { errors: ["no such field"] };`, `throw new Error("no such field");`]) {
    const outcome = with_(body);
    expect(outcome).toMatchObject({ kind: "decoded", data: { t: 21.5 } });
    expect(outcome).not.toHaveProperty("normalized");
    expect(outcome.warnings.join()).toContain("no such field");
  }
});

test("finds what codecs in the wild call: console, Buffer, TextDecoder, atob, btoa, Intl; time is UTC", () => {
  expect(
    dataOf(
      gives(`(console.log("quiet"), {
        hex: Buffer.from(input.bytes).toString("hex"), be: Buffer.from(input.bytes).readUInt16BE(0), le: Buffer.from("0102", "hex").readInt16LE(0),
        float: Buffer.from([0x41, 0xac, 0, 0]).readFloatBE(0), three: Buffer.from([0xff, 0xff, 0xfe]).readIntBE(0, 3),
        base64: Buffer.from("zażółć").toString("base64"), joined: Buffer.concat([Buffer.from([1]), Buffer.alloc(2)]).length,
        text: new TextDecoder().decode(new Uint8Array([0x7a, 0xc5, 0xbc, 0xff])), back: atob(btoa("Obieg")), coded: new TextEncoder().encode("ż").length,
        number: new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(2.04), zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        local: new Date(2026, 0, 1, 12).toISOString(), hours: new Date("2026-07-01T10:00:00").getHours(), offset: new Date().getTimezoneOffset() })`).replace(
        "Intl.DateTimeFormat()",
        "new Intl.DateTimeFormat()",
      ),
    ),
  ).toEqual({
    hex: "0102",
    be: 258,
    le: 513,
    float: 21.5,
    three: -2,
    base64: "emHFvMOzxYLEhw==",
    joined: 3,
    text: "zż�",
    back: "Obieg",
    coded: 2,
    number: "2",
    zone: "UTC",
    local: "2026-01-01T12:00:00.000Z",
    hours: 10,
    offset: 0,
  });
});

test("is pure: the clock stands at the receive time, chance is steady, and nothing stays from call to call", () => {
  const codec = load(`var calls = 0; var seen = [];
    ${uplink(`calls += 1; seen.push(input.bytes[0]); globalThis.leak = (globalThis.leak || 0) + 1; Array.prototype.evil = 1; Math.max = () => 7;
      const kept = Object.keys(seen).length; return { data: { calls, kept, leak, max: Math.max(1, 2), now: Date.now(), made: new Date().toISOString(), chance: Math.random() } };`)}`);
  const first = decode(codec, [9]);
  expect(first).toMatchObject({
    data: { calls: 1, leak: 1, now: receivedMs, made: "2026-11-23T06:15:02.201Z" },
  });
  expect(decode(codec, [9])).toEqual(first);
  // Another codec, and the same one loaded again, know nothing of it either.
  expect(dataOf(gives(`{ leak: typeof leak, evil: [].evil === undefined, max: Math.max(1, 2) }`))).toEqual({
    leak: "undefined",
    evil: true,
    max: 2,
  });
});

test("NaN, Infinity, functions, getters, cycles, invalid dates and what is too deep or long are refused by field; the others stay", () => {
  const outcome = decode(
    load(
      uplink(`const cycle = { name: "c" }; cycle.self = cycle; let deep = {}; for (let i = 0; i < 20; i++) deep = { deep };
        return { data: { good: 1, "a/b": NaN, list: [1, Infinity], fn: () => 1, get thrown() { throw new Error("boom"); }, cycle, deep,
          day: new Date("nonsense"), long: "x".repeat(2000), big: 12n, none: undefined, when: new Date(0), [Symbol("s")]: 1 } };`),
    ),
  );
  expect(outcome).toMatchObject({
    kind: "decoded",
    data: { good: 1, list: [1, null], cycle: { name: "c" }, big: 12, when: "1970-01-01T00:00:00.000Z" },
  });
  if (outcome.kind !== "decoded") return;
  expect(outcome.faults.map(({ code, path }) => `${code} ${path}`)).toEqual([
    "not-finite /a~1b",
    "not-finite /list/1",
    "wrong-type /fn",
    "codec-output /thrown",
    "codec-output /cycle/self",
    `codec-output /deep${"/deep".repeat(7)}`,
    "invalid-time /day",
    "codec-output /long",
  ]);
});

test("codec test says which examples of a folder pass, where the others differ, and what can't be loaded", () => {
  writeFileSync(
    join(folder, "bin.js"),
    `${gives("{ distance_mm: input.bytes[0] * 256 + input.bytes[1], port: input.fPort }")}
    function normalizeUplink(input) { return { data: { air: { temperature: 20 } } }; }`,
  );
  writeFileSync(
    join(folder, "bin-codec.yaml"),
    `uplinkDecoder:
  fileName: bin.js
  examples:
    - description: right
      input: { fPort: 85, bytes: [0x03, 0x16] }
      output: { data: { distance_mm: 790, port: 85 } }
      normalizedOutput: { data: [{ air: { temperature: 20 } }] }
    - description: wrong
      input: { fPort: 85, bytes: "0317" }
      output: { data: { distance_mm: 790, level: 3, port: 85 } }
downlinkEncoder: { fileName: bin.js, examples: [] }
`,
  );
  writeFileSync(
    join(folder, "port.js"),
    uplink(`return input.fPort === 1 ? { data: {} } : { errors: ["unknown FPort"] };`),
  );
  writeFileSync(
    join(folder, "port.json"),
    JSON.stringify({
      uplinkDecoder: {
        fileName: "port.js",
        examples: [
          { description: "refuses", input: { fPort: 2, bytes: [] }, output: { errors: ["unknown FPort"] } },
          { description: "should", input: { fPort: 1, bytes: [] }, output: { errors: ["unknown FPort"] } },
        ],
      },
    }),
  );
  writeFileSync(join(folder, "broken.yaml"), "uplinkDecoder: { fileName: missing.js, examples: [] }");
  writeFileSync(join(folder, "profile.yaml"), "supportsClassB: false");
  const { results, faults } = testExamples(folder, bench.sandbox);
  expect(results).toEqual([
    { file: "bin-codec.yaml", description: "right", differences: [] },
    {
      file: "bin-codec.yaml",
      description: "wrong",
      differences: ["data/distance_mm: expected 790, got 791", "data/level: expected 3, got nothing"],
    },
    { file: "port.json", description: "refuses", differences: [] },
    {
      file: "port.json",
      description: "should",
      differences: [expect.stringContaining(`expected "unknown FPort", got`)],
    },
  ]);
  expect(faults).toEqual([{ file: "broken.yaml", message: expect.stringContaining("missing.js") as string }]);
  expect(() => testExamples(join(folder, "nowhere"), bench.sandbox)).toThrow("can't be read");
});
