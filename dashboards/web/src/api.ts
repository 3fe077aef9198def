import { all, call, type List, type Page, Problem } from "./call.ts";

export { type List, type Page, Problem } from "./call.ts";

/** Who is logged in. Viewers look; operators acknowledge and replay; admins do all. */
export interface Session {
  user: string;
  role: "viewer" | "operator" | "admin";
}

/** The city as the registry names it; `timeZone` is an IANA name. */
export interface City {
  name: string;
  timeZone: string;
  language?: "pl" | "en";
}

/** How things stand now: `GET /overview`, and the `overview` event. Counts of `today` are of the city's local day. */
export interface Overview {
  demo: boolean;
  city: City;
  at: string;
  devices: { total: number; alive: number };
  messagesPerSecond: number;
  today: { stored: number; quarantined: number; missing: number };
  openAlerts: number;
  journal: { bytes: number; maxBytes: number };
  /** Messages acknowledged and not yet processed. */
  pipelineLag: number;
  /** Sealed days whose file is damaged or missing; answers that need them are refused. */
  damagedDays: { file: string; message: string }[];
  /** Why the history's upkeep failed last. */
  upkeep: { code: string; message: string } | null;
  ready: boolean;
  reasons: (string | { code: string; message: string })[];
}

/** The newest value of a quantity; `time` RFC 3339. */
export interface Latest {
  quantity: string;
  unit: string;
  value: number;
  time: string;
}

/** Whether a device is there by its own word, and since when. */
export interface Presence {
  online: boolean;
  since: string;
}

/** A registered device with its newest values. */
export interface Device {
  id: string;
  name?: string | null;
  class: string;
  place: string;
  model?: string | null;
  identifiers?: Record<string, string>;
  at?: [number, number] | null;
  fraction?: string | null;
  capacityLitres?: number | null;
  since?: string;
  commissioned?: string | null;
  decommissioned?: string | null;
  everySeconds?: number | null;
  /** Frames of a LoRaWAN device. */
  uplinks?: { heard: number; lost: number; resets: number } | null;
  presence?: Presence | null;
  latest: Latest[];
}

/** A `readings` event: one stored value. */
export interface Reading extends Latest {
  device: string;
}

/** Aggregates of one step, `from` inclusive, `to` exclusive; `count` 0 or no point at all means a gap. */
export interface SeriesPoint {
  from: string;
  to: string;
  count: number;
  expected?: number | null;
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
}

/** A row of the vocabulary. */
export interface Quantity {
  name: string;
  unit: string;
  kind: "gauge" | "counter" | "amount" | "state";
  classes: string[];
}

/** A sentence in both languages of the page. */
export interface Bilingual {
  pl: string;
  en: string;
}

/** States of an alert; `withdrawn` means that late data showed it was never so. */
export type AlertState = "raised" | "acknowledged" | "resolved" | "withdrawn";

/** How an alert's way to one channel stands; `fault` in the receiver's words. */
export interface Delivery {
  status: "pending" | "delivered" | "dead" | "shed";
  attempts: number;
  fault: string | null;
  /** Not tried again before this; null when nothing waits for its time. */
  nextAt?: string | null;
}

/** A node of the tree of places; the tree is in the id: `krakow/podgorze`. */
export interface Place {
  id: string;
  name: string;
}

/** A deviation that a rule found; also the `alerts` event. */
export interface Alert {
  id: string;
  rule: string;
  kind: string;
  severity: "info" | "warning" | "critical";
  state: AlertState;
  place: string;
  device?: string | null;
  quantity?: string | null;
  value?: number | null;
  limit?: number | null;
  unit?: string | null;
  since: string;
  at: string;
  title: Bilingual;
  message: Bilingual;
  acknowledged?: { who: string; at: string; note: string | null } | null;
  /** How its way out stands, by channel; `dead` after a day without success. */
  delivery?: Record<string, Delivery> | null;
}

/** Raw bytes, perhaps only the beginning: `truncated`, of `bytes`. */
export interface Payload {
  base64: string;
  text?: string | null;
  bytes?: number;
  truncated?: boolean;
}

/** Something that couldn't be taken, with its raw bytes. */
export interface Quarantined {
  id: string;
  device: string;
  user: string;
  topic: string;
  reason: string;
  paths: string[];
  count: number;
  detail: string;
  receivedAt: string;
  status: "open" | "replayed" | "dismissed";
  payload: Payload;
}

/** A store that is fed from history, and how it stands; `fault` says why it waits. */
export interface SinkStanding {
  name: string;
  lag: number;
  offended: number;
  fault: string | null;
}

/** A value that a sink's server refused, with the server's `words`. */
export interface Offender {
  sequence: number;
  device: string;
  quantity: string;
  unit: string;
  time: string;
  value: number;
  words: string;
  at: string;
}

/** What a replay did, in entries. */
export interface Replayed {
  replayed: number;
  refused: number;
}

/** A local day's account of one device; `balanced` when all three sums reconcile to zero. */
export interface LedgerAccount {
  day: string;
  device: string;
  messages: { received: number; decoded: number; ignored: number; quarantined: number };
  values: {
    decoded: number;
    stored: number;
    duplicate: number;
    conflict: number;
    quarantined: number;
    late: number;
  };
  slots: { expected: number; covered: number; missing: number };
  balanced: boolean;
}

/** The session of this browser, or undefined when nobody is logged in. Throws {@link Problem}. */
export async function readSession(): Promise<Session | undefined> {
  try {
    return await call<Session>("GET", "/session");
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return undefined;
    throw error;
  }
}

/** Logs in; the service sets the cookie. Throws {@link Problem} (401 wrong, 429 too often). */
export const logIn = (user: string, password: string): Promise<Session> =>
  call("POST", "/session", {}, { user, password });

/** Ends the session. */
export const logOut = (): Promise<void> => call("DELETE", "/session");

/** How things stand. */
export const readOverview = (): Promise<Overview> => call("GET", "/overview");

/** Every device with its newest values. */
export const readDevices = (): Promise<List<Device>> => all("/devices");

/** The vocabulary. */
export const readQuantities = async (): Promise<Quantity[]> => (await all<Quantity>("/quantities")).items;

/** The tree of places. */
export const readPlaces = async (): Promise<Place[]> => (await all<Place>("/places")).items;

/** What to chart: times in epoch milliseconds, `step` a duration (`15m`) or a calendar step (`hour`, `day`) in `tz`. */
export interface SeriesRequest {
  device: string;
  quantity: string;
  fromMs: number;
  toMs: number;
  step: string;
  tz: string;
}

/** Aggregates of one quantity of one device, oldest first. */
export const readSeries = async (ask: SeriesRequest): Promise<SeriesPoint[]> =>
  (
    await all<SeriesPoint>("/series", {
      device: ask.device,
      quantity: ask.quantity,
      from: new Date(ask.fromMs).toISOString(),
      to: new Date(ask.toMs).toISOString(),
      step: ask.step,
      tz: ask.tz,
    })
  ).items;

/** Alerts in a state; all states when not told. */
export const readAlerts = (state?: AlertState): Promise<List<Alert>> => all("/alerts", { state });

/** Takes an alert in hand, with a note for the others. */
export const acknowledgeAlert = (id: string, note: string): Promise<unknown> =>
  call(
    "POST",
    `/alerts/${encodeURIComponent(id)}/acknowledge`,
    {},
    note.trim() === "" ? {} : { note: note.trim() },
  );

/** A page of what waits in quarantine; `cursor` "" for the first. */
export const readQuarantine = (cursor: string): Promise<Page<Quarantined>> =>
  call("GET", "/quarantine", { status: "open", limit: 100, cursor });

/** The stores that are fed from history. */
export const readSinks = async (): Promise<SinkStanding[]> => (await all<SinkStanding>("/sinks")).items;

/** The newest values that a sink's server refused. */
export const readOffenders = (sink: string): Promise<Page<Offender>> =>
  call("GET", `/sinks/${encodeURIComponent(sink)}/offenders`, { limit: 50 });

/** Which entries are meant: those named, or all of a reason, a device, or both. */
export interface Selection {
  ids?: string[];
  reason?: string;
  device?: string;
}

/** Sends entries through the pipeline once more. */
export const replayQuarantine = (ask: Selection): Promise<Replayed> =>
  call("POST", "/quarantine/replay", {}, ask);

/** Puts entries aside; they stay to be read. */
export const dismissQuarantine = (ask: Selection): Promise<{ dismissed: number }> =>
  call("POST", "/quarantine/dismiss", {}, ask);

/** The accounts of one local day, `YYYY-MM-DD`. */
export const readLedger = (day: string): Promise<List<LedgerAccount>> => all("/ledger", { day });
