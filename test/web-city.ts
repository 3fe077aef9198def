import type { WebMock } from "./web-mock.js";
import { intervalsOf, meterOf } from "./web-meter.js";
import { strangersOf } from "./web-strangers.js";

const minute = 60_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** How things stand in the made-up city, for {@link serveCity} and its events. */
export const overviewOf = (change: object = {}): object => ({
  demo: true,
  city: { name: "Kraków", timeZone: "Europe/Warsaw", language: "pl" },
  at: iso(Date.now()),
  devices: { total: 24, alive: 22 },
  messagesPerSecond: 12.4,
  today: { stored: 128_431, quarantined: 3, missing: 17 },
  openAlerts: 2,
  journal: { bytes: 73_400_320, maxBytes: 1_073_741_824 },
  pipelineLag: 0,
  damagedDays: [],
  upkeep: null,
  ready: true,
  reasons: [],
  ...change,
});

const latest = (quantity: string, unit: string, value: number, agoMs: number): object => ({
  quantity,
  unit,
  value,
  time: iso(Date.now() - agoMs),
});

const bin = (number: number): object => ({
  id: `bin-${String(number).padStart(4, "0")}`,
  class: "bin",
  place: number % 2 === 0 ? "krakow/podgorze" : "krakow/stare-miasto",
  at: [50.04, 19.95],
  model: "LDDS75",
  identifiers: { devEui: "70B3D57ED0061234" },
  fraction: "plastics_metals",
  capacityLitres: 1_100,
  since: "2026-01-12T09:30:00Z",
  uplinks: { heard: 977, lost: 3, resets: 1 },
  everySeconds: 900,
  latest: [
    latest("fill_percent", "%", (number * 13) % 100, number === 7 ? 26 * 60 * minute : number * 40_000),
    latest("temperature_celsius", "°C", 4.2, number === 7 ? 26 * 60 * minute : number * 40_000),
    latest("battery_percent", "%", number === 3 ? 12 : 91, number === 7 ? 26 * 60 * minute : number * 40_000),
  ],
});

const devicesOf = (): object => ({
  items: [
    ...Array.from({ length: 20 }, (_, index) => bin(index + 1)),
    {
      id: "em-204",
      class: "electricity-meter",
      place: "krakow/podgorze/szkola-25",
      everySeconds: 900,
      latest: [latest("power_w", "W", 5230, minute), latest("energy_import_kwh", "kWh", 48_211.4, minute)],
    },
    {
      id: "wm-31",
      class: "water-meter",
      place: "krakow/podgorze/szkola-25",
      everySeconds: 3600,
      latest: [latest("leak", "", 0, minute), latest("water_m3", "m³", 1204.331, minute)],
    },
    {
      id: "air-09",
      class: "air-sensor",
      place: "krakow/stare-miasto",
      everySeconds: 600,
      latest: [latest("pm10_ug_m3", "µg/m³", 61.4, minute), latest("battery_v", "V", 3.61, minute)],
    },
    { id: "gw-new", class: "air-sensor", place: "krakow", everySeconds: 600, latest: [] },
  ],
  next: null,
});

/** A series with a hole of six steps in the middle, where nothing came. */
const seriesOf = (query: URLSearchParams): object => {
  const step = { "15m": 900_000, hour: 3_600_000, day: 86_400_000 }[query.get("step") ?? "15m"] ?? 900_000;
  const from = Math.ceil(Date.parse(query.get("from") ?? "") / step) * step;
  const to = Date.parse(query.get("to") ?? "");
  const steps = Math.floor((to - from) / step);
  const hole = Math.floor(steps / 2);
  const items = Array.from({ length: steps }, (_, index) => {
    const mean = 45 + 25 * Math.sin((index / steps) * 12) - 30;
    return {
      from: iso(from + index * step),
      to: iso(from + (index + 1) * step),
      count: 4,
      expected: 4,
      min: mean - 6,
      mean,
      max: mean + 8,
      last: mean + 1,
    };
  });
  return { items: items.filter((_, index) => index < hole || index >= hole + 6), next: null };
};

const alert = (id: string, state: string, change: object): object => ({
  id,
  rule: "bin-full",
  kind: "threshold",
  severity: "warning",
  state,
  place: "krakow/podgorze",
  device: "bin-0006",
  quantity: "fill_percent",
  value: 93,
  limit: 85,
  unit: "%",
  since: iso(Date.now() - 95 * minute),
  at: iso(Date.now() - 95 * minute),
  title: { pl: "Kosz bin-0006 jest pełny", en: "Bin bin-0006 is full" },
  message: {
    pl: "Zapełnienie przekracza 85 % od 30 minut. Zaplanuj odbiór.",
    en: "Fill level above 85 % for 30 minutes. Plan a collection.",
  },
  ...change,
});

const places = {
  items: [
    { id: "krakow", kind: "city", name: "Kraków", at: null },
    { id: "krakow/podgorze", kind: "district", name: "XIII Podgórze", at: null },
    { id: "krakow/stare-miasto", kind: "district", name: "I Stare Miasto", at: null },
    { id: "krakow/podgorze/szkola-25", kind: "building", name: "Szkoła Podstawowa nr 25", at: null },
  ],
  next: null,
};

const alertsOf = (query: URLSearchParams): object => {
  const all: Record<string, object[]> = {
    raised: [
      alert("a-1", "raised", {
        delivery: {
          crews: {
            status: "pending",
            state: "raised",
            attempts: 3,
            at: iso(Date.now()),
            fault: "answered 500",
            nextAt: "2026-11-24T05:00:07Z",
          },
        },
      }),
      alert("a-2", "raised", {
        severity: "critical",
        rule: "leak",
        device: "wm-31",
        quantity: "leak",
        value: 1,
        limit: 1,
        unit: "",
        title: { pl: "Wyciek w szkole nr 25", en: "Leak at school 25" },
        message: { pl: "Wodomierz zgłasza wyciek.", en: "The water meter reports a leak." },
        acknowledged: null,
        delivery: {
          webhook: { status: "dead", state: "raised", attempts: 14, at: iso(Date.now()), fault: "HTTP 500" },
          mqtt: { status: "delivered", state: "raised", attempts: 1, at: iso(Date.now()), fault: null },
        },
      }),
    ],
    acknowledged: [
      alert("a-3", "acknowledged", {
        title: { pl: "Kosz bin-0014 jest pełny", en: "Bin bin-0014 is full" },
        device: "bin-0014",
        acknowledged: { who: "jan", at: iso(Date.now() - 20 * minute), note: "odbiór o 9:00" },
      }),
    ],
    resolved: [
      alert("a-0", "resolved", { title: { pl: "Kosz bin-0002 był pełny", en: "Bin bin-0002 was full" } }),
    ],
    withdrawn: [],
  };
  return { items: all[query.get("state") ?? "raised"] ?? [], next: null };
};

const quarantined = (id: string, payload: Buffer, text: string | undefined, change: object): object => ({
  id,
  device: "bin-0004",
  user: "gw-podgorze",
  topic: "readings/bin-0004",
  reason: "implausible-value",
  paths: ["/fill_percent"],
  count: 1,
  detail: "fill_percent is 143; it lies between 0 and 100",
  receivedAt: iso(Date.now() - 12 * minute),
  status: "open",
  payload: { base64: payload.toString("base64"), ...(text === undefined ? {} : { text }) },
  ...change,
});

const quarantineOf = (): object => {
  const text = '{"time":"2026-11-23T10:00:00Z","fill_percent":143}';
  const bytes = Buffer.from([0, 255, 16, 32, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  return {
    items: [
      quarantined("10-1", Buffer.from(text), text, {}),
      quarantined("11-1", bytes, undefined, {
        device: "(unknown)",
        topic: "readings/what",
        reason: "unknown-device",
        paths: [],
        count: 0,
        detail: "no device what in the registry; add it to city.yaml",
      }),
    ],
    next: null,
  };
};

const sinksOf = (): object => ({
  items: [
    { name: "influxdb", position: 90, lag: 12, written: 80, offended: 2, fault: "answered 401: who are you" },
  ],
  next: null,
});

const offendersOf = (): object => ({
  items: [
    {
      sequence: 77,
      device: "wm-31",
      quantity: "water_m3",
      unit: "m³",
      time: "2026-11-24T05:00:00Z",
      value: 1_204.331,
      words:
        '422: failure writing points to database: partial write: field type conflict: input field "water_m3"',
      at: "2026-11-24T05:00:07Z",
    },
    {
      sequence: 70,
      device: "bin-0004",
      quantity: "fill_percent",
      unit: "%",
      time: "2026-11-23T05:00:00Z",
      value: 93,
      words: "400: point is outside retention policy",
      at: "2026-11-23T05:00:07Z",
    },
  ],
  next: null,
});

const ledgerOf = (query: URLSearchParams): object => {
  const account = (device: string, missing: number, quarantined: number, balanced = true): object => ({
    day: query.get("day"),
    device,
    messages: { received: 96 + quarantined, decoded: 96, ignored: 0, quarantined },
    values: { decoded: 288, stored: 285, duplicate: 3, conflict: 0, quarantined: 0, late: 2 },
    slots: { expected: 96, covered: 96 - missing, missing },
    balanced,
  });
  return {
    items: [
      account("bin-0001", 0, 0),
      account("bin-0007", 96, 0),
      account("em-204", 0, 0),
      account("(unknown)", 0, 3),
    ],
    next: null,
  };
};

const quantities = {
  items: [
    { name: "fill_percent", unit: "%", kind: "gauge", classes: ["bin"] },
    { name: "temperature_celsius", unit: "°C", kind: "gauge", classes: ["bin", "air-sensor"] },
    { name: "battery_percent", unit: "%", kind: "gauge", classes: ["*"] },
    { name: "battery_v", unit: "V", kind: "gauge", classes: ["*"] },
    { name: "power_w", unit: "W", kind: "gauge", classes: ["electricity-meter"] },
    { name: "energy_import_kwh", unit: "kWh", kind: "counter", classes: ["electricity-meter"] },
    { name: "water_m3", unit: "m³", kind: "counter", classes: ["water-meter"] },
    { name: "leak", unit: "", kind: "state", classes: ["water-meter"] },
    { name: "pm10_ug_m3", unit: "µg/m³", kind: "gauge", classes: ["air-sensor"] },
  ],
};

/** Scripts the stand-in as a small made-up city, with a session that begins logged in or out. */
export function serveCity(mock: WebMock, session: { role: string } | undefined): void {
  let role = session?.role;
  const inside = (give: (query: URLSearchParams) => object) => (query: URLSearchParams) =>
    role === undefined ? 401 : give(query);
  mock.answer("GET /session", () => (role === undefined ? 401 : { user: "ewa", role }));
  mock.answer("POST /session", (_, body) => {
    if ((body as { password?: string }).password !== "secret") return 401;
    role = "operator";
    return { user: "ewa", role };
  });
  mock.answer("DELETE /session", () => {
    role = undefined;
    return {};
  });
  mock.answer(
    "GET /overview",
    inside(() => overviewOf()),
  );
  mock.answer("GET /devices", inside(devicesOf));
  mock.answer(
    "GET /places",
    inside(() => places),
  );
  mock.answer("GET /series", inside(seriesOf));
  mock.answer("GET /devices/em-204/meter", inside(meterOf));
  mock.answer("GET /devices/em-204/intervals", inside(intervalsOf));
  mock.answer("GET /alerts", inside(alertsOf));
  mock.answer("GET /quarantine", inside(quarantineOf));
  mock.answer("GET /sinks", inside(sinksOf));
  mock.answer("GET /sinks/influxdb/offenders", inside(offendersOf));
  mock.answer("GET /ledger", inside(ledgerOf));
  mock.answer(
    "GET /quantities",
    inside(() => quantities),
  );
  mock.answer("POST /quarantine/dismiss", () => ({ dismissed: 1 }));
  mock.answer("GET /unknown-devices", inside(strangersOf));
  mock.answer("POST /quarantine/replay", () => ({ replayed: 1, refused: 0 }));
}
