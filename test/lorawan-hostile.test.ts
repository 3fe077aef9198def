import { beforeAll, expect, test } from "vitest";
import { type Bench, gives, openBench, receivedMs, uplink } from "./support/codec.js";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
const load: Bench["load"] = (source) => bench.load(source);
const decode: Bench["decode"] = (codec, bytes, fPort) => bench.decode(codec, bytes, fPort);
const dataOf: Bench["dataOf"] = (source, bytes) => bench.dataOf(source, bytes);
const faultOf: Bench["faultOf"] = (source) => bench.faultOf(source);

const hostile: [name: string, code: string, source: string][] = [
  ["an endless loop", "codec-time", uplink("for (;;);")],
  [
    "a loop that catches everything",
    "codec-time",
    uplink("for (;;) { try { (function f() { f(); })(); } catch (e) {} }"),
  ],
  [
    "a loop inside a built-in, where the interpreter never asks",
    "codec-time",
    uplink("const a = []; a.length = 4294967295; return { data: { at: a.indexOf(1) } };"),
  ],
  [
    "a regular expression that goes back for ever",
    "codec-time",
    uplink(`return { data: { ok: /(a+)+b/.test("a".repeat(40)) } };`),
  ],
  ["endless allocation", "codec-memory", uplink("const a = []; for (;;) a.push(new Uint8Array(1000));")],
  ["deep recursion", "codec-stack", uplink("function f() { return f() + 1; } return { data: { f: f() } };")],
  [
    "deep recursion inside a built-in",
    "codec-stack",
    uplink(`JSON.parse("[".repeat(100000)); return { data: {} };`),
  ],
  [
    "10,000 fields",
    "codec-output",
    uplink("const data = {}; for (let i = 0; i < 10000; i++) data['f' + i] = i; return { data };"),
  ],
  [
    "a list of a billion",
    "codec-output",
    uplink("const list = []; list.length = 1e9; return { data: { list } };"),
  ],
  ["no object", "codec-output", uplink("return 42;")],
  ["no data", "codec-output", uplink("return {};")],
  ["an exception", "codec-threw", uplink(`throw new TypeError("bytes too short");`)],
  [
    "an exception that is a trap itself",
    "codec-threw",
    uplink(`throw { get message() { throw 1; }, toString() { throw 2; } };`),
  ],
  ["errors", "codec-errors", uplink(`return { errors: ["unknown FPort", "and more"] };`)],
  [
    "errors by a getter that throws",
    "codec-output",
    uplink(`return { get errors() { throw new Error("boom"); } };`),
  ],
];

test("hostile codecs come to a coded fault in time, and the next call of any codec is undisturbed", () => {
  const good = load(gives("{ sum: input.bytes[0] + input.bytes[1] }"));
  for (const [name, code, source] of hostile) {
    expect([name, faultOf(source).code]).toEqual([name, code]);
    expect([name, decode(good)]).toEqual([
      name,
      { kind: "decoded", data: { sum: 3 }, warnings: [], faults: [] },
    ]);
  }
  expect(faultOf(uplink(`throw new TypeError("bytes too short");`)).detail).toContain("bytes too short");
  expect(faultOf(uplink(`return { errors: ["unknown FPort", "and more"] };`)).detail).toBe(
    "unknown FPort; and more",
  );
});

test("has no way out: no host objects, timers, modules, network or proxies, whichever way it is asked", () => {
  const names = [
    "process",
    "require",
    "module",
    "global",
    "fetch",
    "XMLHttpRequest",
    "WebSocket",
    "setTimeout",
    "setInterval",
    "queueMicrotask",
    "Proxy",
    "WebAssembly",
    "Atomics",
    "performance",
    "std",
    "os",
    "Bun",
    "Deno",
  ];
  const asked = gives(`{ found: ${JSON.stringify(names)}.filter((name) => name in globalThis),
    made: ${JSON.stringify(names)}.filter((name) => { try { return Function("return typeof " + name)() !== "undefined"; } catch { return false; } }),
    climbed: typeof (function () {}).constructor("return this")().process, input: Object.getPrototypeOf(input) === Object.prototype,
    console: typeof console.log.constructor("return this")().process }`);
  expect(dataOf(asked)).toEqual({
    found: [],
    made: [],
    climbed: "undefined",
    input: true,
    console: "undefined",
  });
  const imported = uplink(
    `import("fs").then((fs) => { globalThis.fs = fs; }); return { data: { fs: typeof globalThis.fs } };`,
  );
  expect(dataOf(imported)).toEqual({ fs: "undefined" });
});

test("tricks with prototypes change a codec's own result at most, never ours", () => {
  const tricks = `JSON.stringify = () => "no"; JSON.parse = () => { throw 1; }; Reflect.ownKeys = () => []; Reflect.apply = () => 1;
    Object.prototype.toJSON = () => "no"; String.prototype.slice = () => "no"; Array.isArray = () => true; Object.getOwnPropertyDescriptor = () => undefined;
    Date.prototype.toISOString = () => "no"; Array.prototype.join = () => "no"; Number.isFinite = () => true; Object.hasOwn = () => true;`;
  expect(
    dataOf(
      `${tricks} ${gives(`{ a: 1, at: input.recvTime, __proto__: { polluted: 1 }, ["__proto__"]: { polluted: 2 } }`)}`,
    ),
  ).toEqual(JSON.parse(`{ "a": 1, "at": "2026-11-23T06:15:02.201Z", "__proto__": { "polluted": 2 } }`));
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  expect(Object.prototype).not.toHaveProperty("toJSON");
});

test("refuses what can't be loaded, saying why: no function, a fault of syntax, a loop or an exception at the top", () => {
  const why = (source: string): unknown => {
    try {
      return load(source).convention;
    } catch (error) {
      return [(error as { code: string }).code, (error as Error).message];
    }
  };
  const refused = (text: string): unknown => ["codec-invalid", expect.stringContaining(text)];
  expect(why("var x = 1;")).toEqual(refused("no function decodeUplink, Decode or Decoder"));
  expect(why("function decodeUplink( {")).toEqual(refused("line 1"));
  expect(why("for (;;);")).toEqual(refused("didn't end within"));
  expect(why(`throw new Error("at the top");`)).toEqual(refused("at the top"));
  expect(why("x".repeat(600_000))).toEqual(refused("longer than"));
  expect(why(gives("{}"))).toBe("decodeUplink");
});

test("refuses frames that LoRaWAN can't carry, before the codec sees them", () => {
  const outcome = load(gives("{}")).decode({ fPort: 1, bytes: new Uint8Array(5_000), receivedMs });
  expect(outcome).toMatchObject({ kind: "failed", fault: { code: "codec-input" } });
});

test("the engine's own stack is whole after a hundred calls that ended in the midst of a built-in", () => {
  const deep = load(uplink(`JSON.parse("[".repeat(100000)); return { data: {} };`));
  const good = load(gives("{ sum: input.bytes[0] + input.bytes[1] }"));
  for (let i = 0; i < 100; i += 1) expect(decode(deep)).toMatchObject({ fault: { code: "codec-stack" } });
  expect(decode(good)).toMatchObject({ data: { sum: 3 } });
});

test("memory stays flat over many calls, hostile ones among them", () => {
  const codecs = [
    gives("{ list: Array.from({ length: 500 }, (_, i) => i) }"),
    ...hostile.slice(4, 9).map(([, , source]) => source),
  ].map(load);
  const round = (): void => codecs.forEach((codec) => void decode(codec));
  for (let i = 0; i < 5; i += 1) round();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 20; i += 1) round();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});
