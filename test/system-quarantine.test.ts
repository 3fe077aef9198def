import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub, mosquittoSub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Entry {
  id: string;
  device: string;
  reason: string;
  paths: string[];
  status: string;
  payload: { text: string | null };
}
interface Account {
  device: string;
  balanced: boolean;
  messages: Record<string, number>;
  values: Record<string, number>;
}

const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
const gateway = { user: "gw-1", secret: secrets.GATEWAY_SECRET };
let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const entries = async (status: string): Promise<Entry[]> =>
  ((await obieg.api(`/api/v1/quarantine?status=${status}`)).body as { items: Entry[] }).items;
const accounts = async (): Promise<Account[]> =>
  ((await obieg.api("/api/v1/ledger")).body as { items: Account[] }).items;
const values = async (query: string): Promise<{ time: string; value: number }[]> =>
  ((await obieg.api(`/api/v1/readings?${query}`)).body as { items: { time: string; value: number }[] }).items;
const send = async (method: string, path: string, body: unknown): Promise<{ status: number; body: never }> =>
  obieg.api(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

test("what can't be taken is kept with its reason, told to who builds the device, and costs its neighbours nothing", async () => {
  const heard = mosquittoSub(
    obieg.mqttPort,
    { user: "tools", secret: secrets.TOOLS_SECRET },
    "rejections/bin-1",
  );
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_connections 1$/m.test(text),
  );
  const bad = [
    "{garbage",
    '{"time": "2026-11-23T10:00:00Z", "fill_percent": 43.2, "temperature_celsius": "hot", "battery_v": 3.6}',
    '{"time": "2026-11-23T11:00:00Z", "fill_percent": 430, "no_such_quantity": 1, "battery_v": 3.5}',
    '{"time": "2099-01-01T00:00:00Z", "fill_percent": 1}',
    '{"time": "1999-01-01T00:00:00Z", "fill_percent": 1}',
    '{"fill_percent": NaN}',
    `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
    "[]",
  ];
  for (const payload of bad)
    expect((await mosquittoPub(obieg.mqttPort, bin, "readings/bin-1", payload)).code).toBe(0);
  expect(
    (
      await mosquittoPub(
        obieg.mqttPort,
        gateway,
        "readings/bin-9",
        '{"time": "2026-11-23T09:00:00Z", "fill_percent": 7}',
      )
    ).code,
  ).toBe(0);
  const open = await until(
    () => entries("open"),
    (list) => list.some(({ device }) => device === "bin-9"),
  );
  const seen = open.map(({ device, reason, paths }) => `${device} ${reason} ${paths.join(" ")}`.trim());
  expect(seen).toEqual([
    "bin-1 invalid-json",
    "bin-1 wrong-type /temperature_celsius",
    "bin-1 implausible-value /fill_percent",
    "bin-1 unknown-quantity /no_such_quantity",
    "bin-1 time-in-future /fill_percent",
    "bin-1 time-too-old /fill_percent",
    "bin-1 invalid-json",
    "bin-1 wrong-type /0",
    "bin-9 unknown-device",
  ]);
  expect(await values("device=bin-1&quantity=battery_v")).toMatchObject([{ value: 3.6 }, { value: 3.5 }]);
  expect(await values("device=bin-1&quantity=fill_percent")).toMatchObject([{ value: 43.2 }]);
  expect((await accounts()).every(({ balanced }) => balanced)).toBe(true);
  await until(
    async () => heard.lines,
    (lines) => lines.length >= 7,
  );
  expect(heard.lines.every((line) => line.startsWith("rejections/bin-1 {"))).toBe(true);
  heard.stop();
});

test("a message of a device that wasn't known stands in history with its own time once the device is added and it is replayed", async () => {
  const before = (await accounts()).find(({ device }) => device === "(unknown)");
  expect(before?.messages).toMatchObject({ received: 1, quarantined: 1 });
  const early = await send("POST", "/api/v1/quarantine/replay", { reason: "unknown-device" });
  expect(early.body).toEqual({ replayed: 0, refused: 1 });

  const added = await send("PUT", "/api/v1/devices/bin-9", {
    class: "bin",
    place: "krakow/podgorze",
    everySeconds: 900,
  });
  expect(added.status).toBe(201);
  const done = await send("POST", "/api/v1/quarantine/replay", { reason: "unknown-device" });
  expect(done.body).toEqual({ replayed: 1, refused: 0 });
  expect(await values("device=bin-9")).toMatchObject([{ time: "2026-11-23T09:00:00.000Z", value: 7 }]);
  const again = await send("POST", "/api/v1/quarantine/replay", { reason: "unknown-device" });
  expect(again.body).toEqual({ replayed: 0, refused: 0 });
  expect(await values("device=bin-9")).toHaveLength(1);

  const after = await accounts();
  expect(after.every(({ balanced }) => balanced)).toBe(true);
  expect(after.find(({ device }) => device === "bin-9")).toMatchObject({
    messages: { received: 1, decoded: 1, quarantined: 0 },
    values: { stored: 1 },
  });
  expect((await entries("replayed")).map(({ device }) => device)).toEqual(["bin-9"]);
});

test("what is dismissed stays to be read and counted", async () => {
  const open = await entries("open");
  const done = await send("POST", "/api/v1/quarantine/dismiss", { device: "bin-1" });
  expect(done.body).toEqual({ dismissed: open.length });
  expect(await entries("open")).toEqual([]);
  expect(await entries("dismissed")).toHaveLength(open.length);
  expect((await accounts()).every(({ balanced }) => balanced)).toBe(true);
});
