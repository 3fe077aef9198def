import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Entry {
  id: string;
  device: string;
  reason: string;
  whole: boolean;
  paths: string[];
}
interface Account {
  device: string;
  balanced: boolean;
  messages: Record<string, number>;
  values: Record<string, number>;
}
interface Kind {
  name: string;
  payload: string | Buffer;
  topic?: string;
  /** What is quarantined of it: `reason`, and the paths of fields unless the whole message is. */
  owed: string[];
}

let obieg: Obieg;
let gateway: MqttClient;

const connect = (user: string, password: string): Promise<MqttClient> =>
  connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: user,
    password,
    clientId: user,
    reconnectPeriod: 0,
  });
const metric = async (line: RegExp): Promise<boolean> => line.test((await obieg.api("/metrics")).text);
const items = async <T>(path: string): Promise<T[]> =>
  ((await obieg.api(`/api/v1/${path}`)).body as { items: T[] }).items;

beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
  gateway = await connect("gw-1", secrets.GATEWAY_SECRET);
});
afterAll(async () => {
  await gateway.endAsync();
  await obieg.stop();
  removeFolder(obieg.dir);
});

const nested = (depth: number, open: string, close: string): string =>
  `${open.repeat(depth)}1${close.repeat(depth)}`;
const day = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();
/** A time on the present day that is neither late nor ahead; a good reading's value tells which one it is. */
const goodTime = (n: number): string => iso(Date.now() - 60_000 + n);

/** Every kind of what can't be taken, in one stream. */
const kinds = (): Kind[] => [
  { name: "garbage", payload: "{garbage", owed: ["invalid-json"] },
  { name: "nothing", payload: "", owed: ["invalid-json"] },
  {
    name: "bytes that aren't UTF-8",
    payload: Buffer.from('{"vehicle": "\xff", "fill_percent": 1}', "latin1"),
    owed: ["invalid-json"],
  },
  { name: "NUL bytes", payload: Buffer.alloc(300), owed: ["invalid-json"] },
  { name: "half a message", payload: '{"fill_percent": 4', owed: ["invalid-json"] },
  { name: "NaN", payload: '{"fill_percent": NaN}', owed: ["invalid-json"] },
  { name: "Infinity", payload: '{"fill_percent": Infinity}', owed: ["invalid-json"] },
  { name: "JSON that is a number", payload: "42", owed: ["wrong-type"] },
  { name: "JSON that is a text", payload: '"full"', owed: ["wrong-type"] },
  { name: "JSON that is null", payload: "null", owed: ["wrong-type"] },
  { name: "a list of numbers", payload: "[1, 2]", owed: ["wrong-type /0 /1"] },
  {
    name: "a text, a list, an object, where a number is expected",
    payload: '{"fill_percent": "much", "weight_kg": [1], "temperature_celsius": {"a": 1}, "battery_v": 3.5}',
    owed: ["wrong-type /fill_percent /weight_kg /temperature_celsius"],
  },
  {
    name: "a number beyond all numbers",
    payload: '{"weight_kg": 1e999, "battery_v": 3.51}',
    owed: ["not-finite /weight_kg"],
  },
  {
    name: "an unknown quantity",
    payload: '{"fill_furlongs": 3, "battery_v": 3.52}',
    owed: ["unknown-quantity /fill_furlongs"],
  },
  {
    name: "an unknown unit",
    payload: '{"battery": {"value": 3.6, "unit": "kWh"}, "battery_v": 3.53}',
    owed: ["unknown-quantity /battery"],
  },
  {
    name: "names that would break a sink's line",
    payload: '{"fill\\\\": 1, "a,b": 1, "c\\nd": 1, "e=f": 1, "__proto__": 1, "": 1, "battery_v": 3.54}',
    owed: ["unknown-quantity /fill\\ /a,b /c\nd /e=f /__proto__ /"],
  },
  {
    name: "implausible values",
    payload: '{"fill_percent": 4300, "temperature_celsius": -400, "battery_v": 3.55}',
    owed: ["implausible-value /fill_percent /temperature_celsius"],
  },
  {
    name: "a state that is none",
    payload: '{"tilted": 0.5, "battery_v": 3.56}',
    owed: ["implausible-value /tilted"],
  },
  {
    name: "a time in the future",
    payload: `{"time": "${iso(Date.now() + day)}", "fill_percent": 1}`,
    owed: ["time-in-future /fill_percent"],
  },
  {
    name: "an ancient time",
    payload: '{"time": "1999-12-31T23:59:59Z", "fill_percent": 1}',
    owed: ["time-too-old /fill_percent"],
  },
  { name: "the epoch", payload: '{"time": 0, "fill_percent": 1}', owed: ["time-too-old /fill_percent"] },
  {
    name: "seconds for milliseconds",
    payload: `{"time": ${Math.floor(Date.now() / 1_000)}, "fill_percent": 1}`,
    owed: ["time-too-old /fill_percent"],
  },
  {
    name: "a time without offset",
    payload: '{"time": "2026-11-23T10:00:00", "fill_percent": 1}',
    owed: ["invalid-time /fill_percent"],
  },
  {
    name: "a time beyond all times",
    payload: '{"time": 1e300, "fill_percent": 1}',
    owed: ["time-in-future /fill_percent"],
  },
  {
    name: "an attribute that would break a sink's line",
    payload: '{"vehicle": "KR 1\\\\", "fill_percent": 1}',
    owed: ["invalid-attribute /fill_percent"],
  },
  {
    name: "a nested bomb of lists",
    payload: nested(50_000, "[", "]"),
    owed: ["wrong-type /0"],
  },
  {
    name: "a nested bomb in a field",
    payload: `{"fill_percent": ${nested(2_000, '{"value":', "}")}, "battery_v": 3.57}`,
    owed: ["wrong-type /fill_percent"],
  },
  {
    name: "too many readings",
    payload: `[${Array(1_001).fill('{"fill_percent":1}').join(",")}]`,
    owed: ["too-many-readings"],
  },
  {
    name: "an unknown device",
    topic: "readings/bin-404",
    payload: '{"fill_percent": 1}',
    owed: ["unknown-device"],
  },
  ...["bin-\\", "bin-1\n", "bin-1,place=x", "bin-\u202e1", "bin- 1", "bin-1\\", `bin-${"x".repeat(80)}`].map(
    (id): Kind => ({
      name: `an unknown device ${JSON.stringify(id)}`,
      topic: `readings/${id}`,
      payload: '{"fill_percent": 1}',
      owed: ["unknown-device"],
    }),
  ),
];

test("every kind of garbage is acknowledged, kept with its code and told to who builds the device; the message after it is stored", async () => {
  const heard: { topic: string; reason: string; id: string; detail: string }[] = [];
  const tools = await connect("tools", secrets.TOOLS_SECRET);
  tools.on("message", (topic, payload) => heard.push({ topic, ...JSON.parse(payload.toString()) }));
  await tools.subscribeAsync("rejections/#", { qos: 1 });
  const sent = kinds();
  for (const [n, { topic = "readings/bin-1", payload }] of sent.entries()) {
    await gateway.publishAsync(topic, payload, { qos: 1 });
    await gateway.publishAsync("readings/bin-1", `{"time": "${goodTime(n)}", "weight_kg": ${n}}`, { qos: 1 });
  }
  const stored = await until(
    () => items<{ value: number }>("readings?device=bin-1&quantity=weight_kg&limit=1000"),
    (list) => list.length >= sent.length,
  );
  expect(stored.map(({ value }) => value)).toEqual(sent.map((_kind, n) => n));

  const kept = await items<Entry>("quarantine?status=open&limit=1000");
  const inOrder = kept.map(({ reason, whole, paths }) => (whole ? reason : `${reason} ${paths.join(" ")}`));
  expect(inOrder).toEqual(sent.flatMap(({ owed }) => owed));
  const beside = await items<{ value: number }>("readings?device=bin-1&quantity=battery_v");
  expect(beside.map(({ value }) => value)).toEqual(
    sent.flatMap(({ payload }) => {
      const found = /"battery_v": ([\d.]+)/.exec(payload.toString());
      return found ? [Number(found[1])] : [];
    }),
  );

  const nameable = kept.filter(({ device }) => /^[A-Za-z0-9._-]{1,64}$/.test(device));
  await until(
    async () => heard.length,
    (count) => count >= nameable.length,
  );
  expect(heard.map(({ topic, reason, id }) => `${topic} ${reason} ${id}`)).toEqual(
    nameable.map(({ device, reason, id }) => `rejections/${device} ${reason} ${id}`),
  );
  expect(heard.every(({ detail }) => detail.length > 10)).toBe(true);
  await tools.endAsync();

  const accounts = await items<Account>("ledger");
  expect(accounts.filter(({ balanced }) => !balanced)).toEqual([]);
  const unknown = sent.filter(({ topic }) => topic !== undefined).length;
  const whole = sent.filter(({ owed: [first = ""] }) => !first.includes(" ")).length;
  expect(accounts.find(({ device }) => device === "(unknown)")?.messages).toEqual({
    received: unknown,
    decoded: 0,
    ignored: 0,
    quarantined: unknown,
  });
  expect(accounts.find(({ device }) => device === "bin-1")?.messages).toEqual({
    received: 2 * sent.length - unknown,
    decoded: 2 * sent.length - whole,
    ignored: 0,
    quarantined: whole - unknown,
  });
});

test.each([
  ["10 MB", 10_000_000, "packet-too-large"],
  ["a byte above the limit", 262_145, "message-too-large"],
])(
  "a payload of %s is refused at the door: no PUBACK, counted, and the next message is taken",
  async (_name, size, reason) => {
    const client = await connect("em-1", secrets.METER_SECRET);
    const outcome = await new Promise<string>((resolve) => {
      client.on("error", () => undefined);
      client.on("close", () => resolve("closed"));
      client.publish("readings/em-1", Buffer.alloc(size, "9"), { qos: 1 }, (error) => {
        if (!error) resolve("acknowledged");
      });
    });
    expect(outcome).toBe("closed");
    client.end(true);
    await until(
      () => metric(new RegExp(`obieg_messages_refused_total\\{reason="${reason}"\\} [1-9]`)),
      Boolean,
    );
    const time = iso(Date.now() - 30_000 + size / 1e6);
    const next = await connect("em-1", secrets.METER_SECRET);
    await next.publishAsync("readings/em-1", `{"time": "${time}", "energy_import_kwh": 5}`, { qos: 1 });
    await next.endAsync();
    await until(
      () => items<{ time: string }>("readings?device=em-1"),
      (list) => list.some((reading) => reading.time === new Date(time).toISOString()),
    );
    expect((await items<Entry>("quarantine?device=em-1")).length).toBe(0);
  },
);

test("PUT /devices refuses an id, a class or a fraction that could break a topic or a sink's line", async () => {
  const put = (id: string, body: object): Promise<{ status: number; body: never; text: string }> =>
    obieg.api(`/api/v1/devices/${encodeURIComponent(id)}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ class: "bin", place: "krakow", ...body }),
    });
  const ids = [
    "bin\\",
    "a\nb",
    "a,b",
    "a=b",
    "a#",
    "+",
    "a/b",
    "a\u0007",
    "a\u202eb",
    "a b",
    "(unknown)",
    "ż",
    "x".repeat(65),
  ];
  for (const id of ids) {
    const { status, text } = await put(id, {});
    expect([400, 422], `${JSON.stringify(id)}: ${text}`).toContain(status);
    expect(text).toMatch(/"code":"(device-invalid|request-invalid)"/);
  }
  for (const wrong of [
    { class: "bin,x" },
    { class: "bin\\" },
    { fraction: "bio\n" },
    { emptyMm: 5, fullMm: 9 },
  ])
    expect(await put("bin-ok", wrong)).toMatchObject({ status: 422, body: { code: "device-invalid" } });
  expect((await put("bin-ok", { place: "nowhere" })).body).toMatchObject({ code: "place-not-found" });
  expect((await items<{ id: string }>("devices")).map(({ id }) => id)).toEqual(["bin-1", "em-1"]);
});

test("a city that doesn't fit together is refused as a whole, and the running service keeps the one it has", async () => {
  const before = (await obieg.api("/api/v1/city")).text;
  const sent = await obieg.api("/api/v1/city", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      city: { name: "K", timeZone: "Europe/Warsaw" },
      places: [{ id: "krakow", kind: "city", name: "K" }],
      devices: [{ id: "bin-1", class: "bin", place: "nowhere" }],
    }),
  });
  expect(sent).toMatchObject({ status: 400, body: { code: "request-invalid" } });
  expect((await obieg.api("/api/v1/city")).text).toBe(before);
});
