import { type DeviceEntry, ObiegError, planImport } from "../../devices/index.js";
import type {
  Alert,
  DeviceInput,
  IdentifiedValue,
  IngestView,
  LiveEvent,
  OffendingValue,
  PublishedMessage,
  QuarantineEntry,
  QuarantineSelection,
  SeriesQuery,
  StoredReading,
} from "../../ingest/index.js";
import { fakeCodecs } from "./fake-codecs.js";
import { fakeMeters } from "./fake-meters.js";
import { pageFrom } from "./fake-page.js";
import { fakePlaces } from "./fake-places.js";
import { fakeStrangers } from "./fake-strangers.js";
import { storedOf } from "./stored.js";

/** Everything that a test may look into or break. */
export interface FakeView extends IngestView {
  readonly published: PublishedMessage[];
  readonly asked: { series: SeriesQuery[]; ledger: { fromDay: string; toDay: string }[] };
  readonly quarantined: QuarantineEntry[];
  readonly stored: StoredReading[];
  readonly alertList: Alert[];
  /** Thrown by the next publish. */
  publishFault: Error | undefined;
  /** Thrown by `history.readings` from this page on. */
  readingsFaultAtPage: number;
  readiness: { ready: boolean; reasons: { code: string; message: string }[] };
  emit(event: LiveEvent): void;
  readonly listeners: number;
}

/** 2026-11-23T10:00:00Z */
export const noonMs = Date.parse("2026-11-23T10:00:00Z");

const device = (id: string, kind: string, place: string): DeviceEntry => ({
  id,
  class: kind,
  place,
  everyMs: 900_000,
  sinceMs: noonMs - 86_400_000,
});

/** A stored reading of `bin-1`; `n` minutes after {@link noonMs}. */
export const reading = (n: number, value = n): StoredReading => ({
  device: "bin-1",
  quantity: "fill_percent",
  unit: "%",
  timeMs: noonMs + n * 60_000,
  value,
  attributes: {},
  receivedMs: noonMs + n * 60_000 + 500,
  sequence: n + 1,
});

/** The same as the pipeline tells it. */
export const stored = (n: number, value = n): IdentifiedValue => {
  const { unit: _unit, ...rest } = reading(n, value);
  return { ...rest, attributes: "", verdict: "stored", late: false, message: n + 1, sequence: n + 1 };
};

/** An entry of quarantine. */
export const refusedEntry = (
  n: number,
  payload: Uint8Array = Buffer.from('{"fill_percent": "much"}'),
): QuarantineEntry => ({
  id: `${n}-1`,
  message: n,
  receivedMs: noonMs + n,
  device: "bin-1",
  user: "bin-1",
  topic: "readings/bin-1",
  payload,
  whole: false,
  reason: "not-a-number",
  paths: ["/fill_percent"],
  count: 1,
  detail: "a text stands where a number is wanted",
  status: "open",
});

/** A value that the sink's server refused. */
export const refusedValue = (sequence: number): OffendingValue => ({
  sequence,
  device: "bin-1",
  quantity: "fill_percent",
  timeMs: noonMs + sequence * 60_000,
  value: 93,
  words: "422: field type conflict",
  atMs: noonMs + sequence * 60_000 + 700,
});

/** An alert that was raised. */
export const raisedAlert = (id: string): Alert => ({
  id,
  rule: "bin-full",
  kind: "threshold",
  severity: "warning",
  state: "raised",
  device: "bin-1",
  place: "krakow/podgorze",
  quantity: "fill_percent",
  value: 93,
  limit: 90,
  unit: "%",
  sinceMs: noonMs,
  atMs: noonMs + 1_000,
  raisedMs: noonMs + 1_000,
  title: { pl: "Pojemnik pełny", en: "Bin full" },
  message: { pl: "93 %", en: "93 %" },
  deliveries: [
    { channel: "hook", status: "dead", state: "raised", attempts: 40, atMs: noonMs + 2_000, fault: "500" },
  ],
});

const selects = (selection: QuarantineSelection, entry: QuarantineEntry): boolean =>
  entry.status === "open" &&
  (selection.ids === undefined || selection.ids.includes(entry.id)) &&
  (selection.reason === undefined || selection.reason === entry.reason) &&
  (selection.device === undefined || selection.device === entry.device) &&
  (selection.fromMs === undefined || entry.receivedMs >= selection.fromMs) &&
  (selection.toMs === undefined || entry.receivedMs < selection.toMs);

/** Makes a small city in memory: two bins and a meter, what they sent, and what went wrong. */
export function makeFakeView(): FakeView {
  const devices = new Map(
    [
      device("bin-1", "bin", "krakow/podgorze"),
      device("bin-2", "bin", "krakow/podgorze"),
      device("em-1", "electricity-meter", "krakow/nowa-huta"),
    ].map((entry) => [entry.id, entry]),
  );
  const places = fakePlaces();
  const listeners = new Set<(event: LiveEvent) => void>();
  const asked: FakeView["asked"] = { series: [], ledger: [] };
  const storedReadings: StoredReading[] = [reading(0), reading(1), reading(2)];
  const quarantined: QuarantineEntry[] = [refusedEntry(1), refusedEntry(2)];
  const alertList = [raisedAlert("a1"), raisedAlert("a2")];
  const resolve = (selection: QuarantineSelection, by: string, status: "replayed" | "dismissed"): number => {
    const chosen = quarantined.filter((entry) => selects(selection, entry));
    for (const entry of chosen) Object.assign(entry, { status, changedBy: by, changedMs: noonMs + 5_000 });
    return chosen.length;
  };
  let pagesRead = 0;

  const offenders = [refusedValue(9), refusedValue(7), refusedValue(3)];
  const view: FakeView = {
    sinks: [
      {
        name: "influxdb",
        status: { position: 9, lag: 4, written: 6, offended: 3, fault: "answered 401: unauthorized access" },
        offenders: ({ limit, cursor }) => pageFrom(offenders, cursor, limit),
      },
    ],
    published: [],
    asked,
    quarantined,
    stored: storedReadings,
    alertList,
    publishFault: undefined,
    readingsFaultAtPage: Infinity,
    readiness: { ready: true, reasons: [] },
    history: {
      async readings({ devices: ids, quantity, fromMs = 0, toMs = Infinity, limit, cursor }) {
        pagesRead += 1;
        if (pagesRead >= view.readingsFaultAtPage)
          throw new ObiegError("history-closed", "gone", { retryable: true });
        const found = storedReadings.filter(
          (one) =>
            (!ids || ids.includes(one.device)) &&
            (quantity === undefined || one.quantity === quantity) &&
            one.timeMs >= fromMs &&
            one.timeMs < toMs,
        );
        return pageFrom(found, cursor, limit);
      },
      async series(query) {
        asked.series.push(query);
        const point = { fromMs: query.fromMs, toMs: query.toMs, count: 3, expected: undefined };
        return [{ ...point, min: 0, mean: Number.NaN, max: 2, last: 2 }];
      },
      latest: async (ids) => (!ids || ids.includes("bin-1") ? storedReadings.slice(-1) : []),
      async ledger({ fromDay, toDay, device: id, limit, cursor }) {
        asked.ledger.push({ fromDay, toDay });
        const accounts = [
          {
            day: fromDay,
            device: id ?? "bin-1",
            messages: { received: 4, decoded: 3, ignored: 0, quarantined: 1 },
            values: { decoded: 3, stored: 3, duplicate: 0, conflict: 0, quarantined: 0, late: 0 },
            slots: { expected: 96, covered: 3, missing: 93 },
            balanced: true,
          },
        ];
        return pageFrom(accounts, cursor, limit);
      },
      quarantine: async ({ id, reason, device: of, status, limit, cursor }) =>
        pageFrom(
          quarantined.filter(
            (entry) =>
              (id === undefined || entry.id === id) &&
              (reason === undefined || entry.reason === reason) &&
              (of === undefined || entry.device === of) &&
              (status === undefined || entry.status === status),
          ),
          cursor,
          limit,
        ),
      status: async () => ({ hotRows: 3, sealedDays: 0, sealedBytes: 0, faults: [] }),
      after: async () => storedOf([]),
    },
    uplinks: () => undefined,
    codecOf: () => undefined,
    registry: {
      city: { name: "Kraków", timeZone: "Europe/Warsaw", language: "pl" },
      device: (id) => devices.get(id),
      devices: () => [...devices.values()],
      byIdentifier: () => undefined,
      sources: () => [],
      place: (id) => places.find((place) => place.id === id),
      places: () => places,
      devicesAt: (place) =>
        [...devices.values()]
          .filter((entry) => entry.place === place || entry.place.startsWith(`${place}/`))
          .map(({ id }) => id),
      changes: {
        async putDevice(input: DeviceInput) {
          if (!places.some(({ id }) => id === input.place))
            throw new ObiegError("registry-unknown-place", `there is no place ${input.place}: add it first`);
          const entry = { ...input, sinceMs: noonMs };
          devices.set(entry.id, entry);
          return entry;
        },
        putPlace: async (place) => void places.push(place),
        removePlace: async (id) =>
          void places.splice(
            places.findIndex((one) => one.id === id),
            1,
          ),
        importDevices: async (file) => planImport(file, view.registry, false),
        removeDevice: async (id) => devices.delete(id),
        apply: async ({ places }) => ({
          added: places.map(({ id }) => ({ kind: "place" as const, id })),
          changed: [],
          removed: [],
        }),
        exportCity: () => "city: { name: Test }\n",
        rotateSecret: async (user) => {
          if (!devices.has(user)) throw new ObiegError("user-not-found", `there is no ${user}`);
          return "a-new-secret-of-some-length";
        },
      },
    },
    meters: fakeMeters(),
    unmapped: () => [],
    codecs: fakeCodecs(),
    strangers: fakeStrangers((entry) => void devices.set(entry.id, entry)),
    alerts: {
      list: ({ states, limit, cursor }) =>
        pageFrom(
          alertList.filter(({ state }) => !states || states.includes(state)),
          cursor,
          limit,
        ),
      get: (id) => alertList.find((alert) => alert.id === id),
      async acknowledge(id, who, note) {
        const alert = alertList.find((one) => one.id === id);
        if (!alert) throw new ObiegError("alert-not-found", `there is no alert ${id}`);
        if (alert.state === "resolved") throw new ObiegError("alert-resolved", "it is over");
        alert.state = "acknowledged";
        alert.acknowledged = { who, atMs: noonMs + 3_000, ...(note === undefined ? {} : { note }) };
        return alert;
      },
    },
    presence: () => undefined,
    quantities: () => [
      {
        name: "fill_percent",
        unit: "%",
        kind: "gauge",
        dimension: "fraction",
        min: 0,
        max: 100,
        classes: ["bin"],
      },
    ],
    async publish(message) {
      if (view.publishFault) throw view.publishFault;
      return view.published.push(message);
    },
    replay: async (selection, who) => ({ replayed: resolve(selection, who, "replayed"), refused: 0 }),
    dismiss: async (selection, who) => ({ dismissed: resolve(selection, who, "dismissed") }),
    ready: () => view.readiness,
    backup: async (dir) => ({ dir, files: 3, bytes: 1_000 }),
    metrics: async () =>
      "# HELP obieg_journal_bytes Bytes.\n# TYPE obieg_journal_bytes gauge\nobieg_journal_bytes 1\n",
    overview: async () => ({
      demo: true,
      atMs: noonMs,
      devices: { total: devices.size, alive: 1 },
      messagesPerSecond: 2.5,
      today: { stored: 3, quarantined: 2, missing: 93 },
      openAlerts: 2,
      journal: { bytes: 1, maxBytes: 1_000 },
      pipelineLag: 0,
      damagedDays: [],
      upkeep: undefined,
    }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    get listeners() {
      return listeners.size;
    },
  };
  return view;
}
