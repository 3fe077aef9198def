import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

interface Source {
  time: string;
  value: number;
  receivedAt: string | null;
  entry: string | null;
}
interface Interval {
  from: string;
  to: string;
  amount: number;
  unit: string;
  mark: string;
  why: string;
  apart: number;
  serial: string | null;
  first: Source | null;
  last: Source | null;
  entry: string | null;
}
interface Amount {
  from: string;
  to: string;
  amount: number;
  measured: number;
  estimated: number;
  corrected: number;
}

const quantity = "energy_import_kwh";
let obieg: Obieg;
const copy = makeFolder();

beforeAll(async () => {
  const register = `{ serial: E-1, digits: 5, maxRate: 40, installed: "2020-01-01T00:00:00+01:00" }`;
  obieg = await startObieg({
    city: testCity({
      devices: [
        `{ id: em-9, class: electricity-meter, place: krakow, every: 15m, meter: { parent: em-1, registers: { ${quantity}: ${register} } } }`,
      ],
    }),
    env: secrets,
  });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
  removeFolder(copy);
});

/** A moment of the night of the 26th of October 2025, in which Kraków's clocks go back at 01:00 UTC. */
const at = (clock: string): string =>
  `2025-10-${clock >= "20" ? "25" : "26"}T${clock.length === 5 ? `${clock}:00.000` : clock}Z`;
const publish = async (...readings: [clock: string, value: number][]): Promise<void> => {
  const payload = readings.map(([clock, value]) => ({ time: at(clock), [quantity]: value }));
  const gateway = { user: "gw-1", secret: secrets.GATEWAY_SECRET };
  const { code, output } = await mosquittoPub(
    obieg.mqttPort,
    gateway,
    "readings/em-9",
    JSON.stringify(payload),
  );
  expect([code, output]).toEqual([0, ""]);
};
const night = `quantity=${quantity}&from=${at("21:00")}&to=${at("03:00")}`;
const itemsOf = async <T>(path: string): Promise<T[]> => {
  const { status, body, text } = await obieg.api(`/api/v1/${path}`);
  if (status !== 200) throw new Error(text);
  return (body as { items: T[] }).items;
};
const list = <T>(path: string): Promise<T[]> => itemsOf<T>(`devices/em-9/${path}`);
const rows = (items: Interval[]): (string | number)[][] =>
  items.map(({ from, to, amount, mark, why }) => [
    `${from.slice(11, 16)}-${to.slice(11, 16)}`,
    Number(amount.toFixed(6)),
    mark,
    why,
  ]);
const write = (body: object): ReturnType<Obieg["api"]> =>
  obieg.api("/api/v1/devices/em-9/meter/entries", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ quantity, ...body }),
  });

test("a meter's night of rollover, glitch, exchange, correction and removal is read back as it flowed", async () => {
  // Out of order, one of them twice, in four messages.
  await publish(["22:30", 99_998], ["21:45", 99_990], ["22:15", 99_994]);
  await publish(["23:30", 101.5], ["22:45", 3], ["23:05", 0], ["23:15", 6]);
  await publish(["22:45", 3], ["23:00", 4], ["00:30", 105.5], ["01:30", 109.5]);
  await publish(["02:00", 111]);
  const before = await until(
    () => list<Interval>(`intervals?${night}`),
    (items) => items.at(-1)?.to === at("02:00"),
  );
  // 99,998 to 100,000 are 2 and 3 more. 4 to 6 past the zero. 6 to 101.5 is more than flows in a quarter (11.002).
  expect(rows(before)).toEqual([
    ["21:45-22:15", 4, "estimated", "gap"],
    ["22:15-22:30", 4, "measured", "normal"],
    ["22:30-22:45", 5, "measured", "rollover"],
    ["22:45-23:00", 1, "measured", "normal"],
    ["23:00-23:15", 2, "measured", "normal"],
    ["23:15-23:30", 0, "suspect", "jump"],
    ["23:30-00:30", 4, "estimated", "gap"],
    ["00:30-01:30", 4, "estimated", "gap"],
    ["01:30-02:00", 1.5, "estimated", "gap"],
  ]);
  expect(before[5]?.apart).toBe(95.5);

  // It was exchanged at 23:20, taken out at 01:45, and 2 kWh were read too little in the hour from midnight.
  const exchange = {
    id: "protocol-17",
    kind: "exchanged",
    time: at("23:20"),
    register: { serial: "E-2" },
    final: 6.5,
    start: 100,
    why: "protocol 17/2025",
  };
  for (const body of [
    exchange,
    exchange,
    { kind: "removed", time: at("01:45"), final: 110.5, why: "protocol 18/2025" },
    { kind: "corrected", from: at("22:00"), to: at("23:00"), amount: 2, why: "complaint 4" },
  ])
    expect((await write(body)).status).toBe(201);
  const refused = await write({ ...exchange, id: "again", time: at("02:30") });
  expect([refused.status, refused.body]).toMatchObject([422, { code: "meter-life" }]);

  const whole = await list<Interval>(`intervals?${night}`);
  expect(rows(whole)).toEqual([
    ["21:45-22:15", 4, "estimated", "gap"],
    ["22:00-23:00", 2, "corrected", "correction"],
    ["22:15-22:30", 4, "measured", "normal"],
    ["22:30-22:45", 5, "measured", "rollover"],
    ["22:45-23:00", 1, "measured", "normal"],
    ["23:00-23:15", 2, "measured", "normal"],
    ["23:15-23:20", 0.5, "measured", "normal"],
    ["23:20-23:30", 1.5, "measured", "normal"],
    ["23:30-00:30", 4, "estimated", "gap"],
    ["00:30-01:30", 4, "estimated", "gap"],
    ["01:30-01:45", 1, "measured", "normal"],
  ]);
  expect(whole[6]).toMatchObject({
    unit: "kWh",
    serial: "E-1",
    first: { time: at("23:15"), value: 6, entry: null },
    last: { time: at("23:20"), value: 6.5, receivedAt: null, entry: "protocol-17" },
  });
  const entries = await list<{ sequence: number; kind: string; who: string; why: string }>("meter/entries");
  expect(entries.map(({ sequence, kind, who, why }) => [sequence, kind, who, why])).toEqual([
    [1, "exchanged", "environment", "protocol 17/2025"],
    [2, "removed", "environment", "protocol 18/2025"],
    [3, "corrected", "environment", "complaint 4"],
  ]);
  const meter = (await obieg.api("/api/v1/devices/em-9/meter")).body as {
    parent: string;
    registers: { serial: string; to: string; final: number; start: number }[];
  };
  expect(meter).toMatchObject({
    parent: "em-1",
    registers: [
      { serial: "E-1", to: at("23:20"), final: 6.5 },
      { serial: "E-2", to: at("01:45"), start: 100, final: 110.5 },
    ],
  });
  const audit = (await obieg.api("/api/v1/audit")).body as { items: { action: string; target: string }[] };
  expect(audit.items.filter(({ action }) => action === "meter.entry").length).toBeGreaterThanOrEqual(3);
});

test("hours and local days of it add up over midnight and the doubled hour, a late reading changes what it touches", async () => {
  const amounts = async (step: string): Promise<(string | number)[][]> =>
    (await list<Amount>(`amounts?${night}&step=${step}`)).map(
      ({ from, amount, measured, estimated, corrected }) =>
        [
          from.slice(8, 16),
          ...[amount, measured, estimated, corrected].map((n) => Number(n.toFixed(6))),
        ] as const,
    ) as (string | number)[][];
  // 21:45-22:15 is half each; half of 23:30-00:30 and of 00:30-01:30 on either side.
  expect(await amounts("hour")).toEqual([
    ["25T21:00", 2, 0, 2, 0],
    ["25T22:00", 14, 10, 2, 2],
    ["25T23:00", 6, 4, 2, 0],
    ["26T00:00", 4, 0, 4, 0],
    ["26T01:00", 3, 1, 2, 0],
  ]);
  // Sunday began at 22:00 UTC. Whole within it, a gap is as good as measured; the half of one isn't.
  expect(await amounts("day")).toEqual([
    ["25T21:00", 2, 0, 2, 0],
    ["25T22:00", 27, 23, 2, 2],
  ]);
  await publish(["23:45", 102.5]);
  const after = await until(
    () => list<Interval>(`intervals?${night}`),
    (items) => items.length === 12,
  );
  expect(rows(after).slice(7, 10)).toEqual([
    ["23:20-23:30", 1.5, "measured", "normal"],
    ["23:30-23:45", 1, "measured", "normal"],
    ["23:45-00:30", 3, "estimated", "gap"],
  ]);
});

test("what was written of a meter stands in a backup", async () => {
  const amounts = await list<Interval>(`intervals?${night}`);
  const dir = join(copy, "data");
  mkdirSync(dir);
  const made = await obieg.api("/api/v1/backup", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ dir }),
  });
  expect(made.status).toBe(200);
  const original = obieg;
  const restored = await startObieg({ dir: copy, env: secrets });
  obieg = restored;
  const read = await list<Interval>(`intervals?${night}`);
  obieg = original;
  await restored.stop();
  expect(read).toEqual(amounts);
});

test("a reading outside a device's service is kept, marked and counted by no meter", async () => {
  const device = { class: "electricity-meter", place: "krakow", everySeconds: 900 };
  const put = (service: object): ReturnType<Obieg["api"]> =>
    obieg.api("/api/v1/devices/em-9", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...device, ...service }),
    });
  const marks = async (): Promise<(string | null)[][]> =>
    (
      await itemsOf<{ time: string; outside: string | null }>(`readings?device=em-9&quantity=${quantity}`)
    ).map(({ time, outside }) => [time.slice(11, 16), outside]);
  const readings = await marks();
  expect(readings).toHaveLength(12);
  expect(readings.every(([, outside]) => outside === null)).toBe(true);
  const { status, body } = await put({ commissioned: at("22:15"), decommissioned: at("23:15") });
  expect([status, body]).toMatchObject([
    200,
    { commissioned: at("22:15"), decommissioned: at("23:15"), meter: null },
  ]);
  const told = await marks();
  expect(told.filter(([, outside]) => outside !== null)).toEqual([
    ["21:45", "before-commissioning"],
    ["23:15", "after-decommissioning"],
    ["23:30", "after-decommissioning"],
    ["23:45", "after-decommissioning"],
    ["00:30", "after-decommissioning"],
    ["01:30", "after-decommissioning"],
    ["02:00", "after-decommissioning"],
  ]);
  expect(told.map(([time]) => time)).toEqual(readings.map(([time]) => time));
  expect((await put({ commissioned: at("23:15"), decommissioned: at("22:15") })).status).toBe(422);
});
