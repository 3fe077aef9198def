import type {
  Alert,
  IngestView,
  OffendingValue,
  OverviewFigures,
  Presence,
  QuarantineEntry,
  SeriesPoint,
  StoredReading,
  Stranger,
  UnmappedField,
  UplinkFigures,
} from "../ingest/index.js";
import {
  type CodecMark,
  type DeviceEntry,
  type MeterEntry,
  outsideService,
  unitOf,
} from "../devices/index.js";
import type * as api from "./api.js";
import { codecOf, uplinksOf } from "./lorawan.js";
import { isoOf, isoOrNull } from "./query.js";
import type { Offender, SinkStanding } from "./sinks.js";
import type { StrangerDocument } from "./strangers.js";
import type { UnmappedDocument } from "./unmapped.js";

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** A stored reading as it is answered, with whose decoder made it. */
export const readingOf = (
  reading: StoredReading,
  device: DeviceEntry | undefined,
  madeBy: CodecMark | undefined,
): api.Reading => ({
  device: reading.device,
  quantity: reading.quantity,
  unit: reading.unit,
  time: isoOf(reading.timeMs),
  value: reading.value,
  attributes: reading.attributes,
  outside: (device && outsideService(device, reading.timeMs)) ?? null,
  receivedAt: isoOf(reading.receivedMs),
  sequence: reading.sequence ?? null,
  ...codecOf(madeBy),
});

/** Points of a series as they are answered; numbers that aren't are null. A step mostly begins where the last one ended: said once. */
export const pointsOf = (points: readonly SeriesPoint[]): api.SeriesPoint[] => {
  let endMs = Number.NaN;
  let end = "";
  return points.map((point) => {
    const from = point.fromMs === endMs ? end : isoOf(point.fromMs);
    endMs = point.toMs;
    end = isoOf(endMs);
    return {
      from,
      to: end,
      count: point.count,
      expected: point.expected ?? null,
      min: finite(point.min),
      mean: finite(point.mean),
      max: finite(point.max),
      last: finite(point.last),
    };
  });
};

const meterOf = ({ parent, registers }: MeterEntry): NonNullable<api.Device["meter"]> => ({
  parent: parent ?? null,
  registers: Object.fromEntries(
    Object.entries(registers).map(([quantity, register]) => [
      quantity,
      { ...register, installed: isoOf(register.installed) },
    ]),
  ),
});

/** A device as it is answered, with its newest values. */
export const deviceOf = (
  device: DeviceEntry,
  latest: readonly StoredReading[],
  presence: Presence | undefined,
  uplinks: UplinkFigures | undefined,
): api.Device => ({
  id: device.id,
  class: device.class,
  place: device.place,
  name: device.name ?? null,
  model: device.model ?? null,
  identifiers: { ...device.identifiers },
  at: device.at ?? null,
  everySeconds: device.everyMs === undefined ? null : device.everyMs / 1_000,
  fraction: device.fraction ?? null,
  capacityLitres: device.capacityLitres ?? null,
  emptyMm: device.emptyMm ?? null,
  fullMm: device.fullMm ?? null,
  meter: device.meter ? meterOf(device.meter) : null,
  commissioned: isoOrNull(device.commissioned),
  decommissioned: isoOrNull(device.decommissioned),
  since: isoOf(device.sinceMs),
  presence: presence ? { online: presence.online, since: isoOf(presence.sinceMs) } : null,
  uplinks: uplinksOf(uplinks),
  latest: latest.map(({ quantity, unit, value, timeMs }) => ({ quantity, unit, value, time: isoOf(timeMs) })),
});

const previewBytes = 4_096;
const strangerBytes = 1_024;

const textOf = (bytes: Uint8Array, whole: boolean): string | null => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !whole });
  } catch {
    return null;
  }
};

/** A payload as it is answered: its first bytes, and the same as text. */
const payloadOf = (payload: Uint8Array, most: number): api.Quarantined["payload"] => {
  const truncated = payload.length > most;
  const bytes = truncated ? payload.subarray(0, most) : payload;
  return {
    base64: Buffer.from(bytes).toString("base64"),
    text: textOf(bytes, !truncated),
    bytes: payload.length,
    truncated,
  };
};

/** An unknown device as it is answered. */
export const strangerOf = (stranger: Stranger): StrangerDocument => {
  const { identifier, introduction, suggestion } = stranger;
  return {
    identifier,
    scheme: introduction?.scheme ?? null,
    text: introduction && introduction.text !== identifier ? introduction.text : null,
    format: stranger.format ?? null,
    user: stranger.user,
    topic: stranger.topic,
    firstSeenAt: isoOf(stranger.firstMs),
    lastSeenAt: isoOf(stranger.lastMs),
    messages: stranger.messages,
    payload: payloadOf(stranger.payload, strangerBytes),
    suggestion: { ...suggestion, id: suggestion.id ?? null, class: suggestion.class ?? null },
  };
};

/** A field without a quantity as it is answered. */
export const unmappedOf = ({ firstMs, lastMs, guess, ...field }: UnmappedField): UnmappedDocument => ({
  ...field,
  source: field.source ?? null,
  model: field.model ?? null,
  firstSeenAt: isoOf(firstMs),
  lastSeenAt: isoOf(lastMs),
  guess: { ...guess, quantity: guess.quantity ?? null, ignore: guess.ignore ?? false },
});

/** An entry of quarantine as it is answered; in a list (`whole` false) with the beginning of its bytes. */
export const quarantinedOf = (entry: QuarantineEntry, whole: boolean): api.Quarantined => {
  return {
    id: entry.id,
    message: entry.message,
    device: entry.device,
    user: entry.user,
    topic: entry.topic,
    whole: entry.whole,
    reason: entry.reason,
    paths: entry.paths,
    count: entry.count,
    detail: entry.detail,
    receivedAt: isoOf(entry.receivedMs),
    status: entry.status,
    changedAt: isoOrNull(entry.changedMs),
    changedBy: entry.changedBy ?? null,
    payload: payloadOf(entry.payload, whole ? entry.payload.length : previewBytes),
  };
};

/** A sink as it is answered. */
export const sinkOf = ({ name, status }: IngestView["sinks"][number]): SinkStanding => ({
  name,
  ...status,
  fault: status.fault ?? null,
});

/** A refused value as it is answered. */
export const offenderOf = ({ timeMs, atMs, ...rest }: OffendingValue): Offender => ({
  ...rest,
  unit: unitOf(rest.quantity),
  time: isoOf(timeMs),
  at: isoOf(atMs),
});

/** An alert as it is answered. */
export const alertOf = (alert: Alert): api.Alert => ({
  id: alert.id,
  rule: alert.rule,
  kind: alert.kind,
  severity: alert.severity,
  state: alert.state,
  place: alert.place,
  device: alert.device,
  quantity: alert.quantity,
  value: alert.value,
  limit: alert.limit,
  unit: alert.unit,
  since: isoOf(alert.sinceMs),
  raisedAt: isoOf(alert.raisedMs),
  resolvedAt: isoOrNull(alert.resolvedMs),
  at: isoOf(Math.max(alert.raisedMs, alert.acknowledged?.atMs ?? 0, alert.resolvedMs ?? 0)),
  title: alert.title,
  message: alert.message,
  acknowledged: alert.acknowledged
    ? {
        who: alert.acknowledged.who,
        at: isoOf(alert.acknowledged.atMs),
        note: alert.acknowledged.note ?? null,
      }
    : null,
  delivery: Object.fromEntries(
    alert.deliveries.map(({ channel, status, state, attempts, atMs, fault, nextMs }) => [
      channel,
      { status, state, attempts, at: isoOf(atMs), fault: fault ?? null, nextAt: isoOrNull(nextMs) },
    ]),
  ),
});

/** How things stand, as it is answered. */
export const overviewOf = (view: IngestView, figures: OverviewFigures): api.Overview => {
  const { ready, reasons } = view.ready();
  const { name, timeZone, language } = view.registry.city;
  return {
    demo: figures.demo,
    city: { name, timeZone, language },
    at: isoOf(figures.atMs),
    devices: figures.devices,
    messagesPerSecond: figures.messagesPerSecond,
    today: figures.today,
    openAlerts: figures.openAlerts,
    journal: figures.journal,
    pipelineLag: figures.pipelineLag,
    damagedDays: figures.damagedDays,
    upkeep: figures.upkeep ?? null,
    ready,
    reasons: [...reasons],
  };
};
