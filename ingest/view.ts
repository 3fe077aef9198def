import {
  type CityRegistry,
  type CodecLibrary,
  type ImportPlan,
  ObiegError,
  planImport,
  quantities,
  type RawMessage,
} from "../devices/index.js";
import type { Alerts } from "./alerts/port.js";
import type { DoorStatus, Figures } from "./figures.js";
import type { BackupReport, IngestView, LiveEvent, Reason, RegistryChanges } from "./index.js";
import type { Intake } from "./intake.js";
import type { Meters } from "./metering.js";
import type { Pipeline } from "./pipeline.js";
import type { History, Sink } from "./stores/port.js";
import type { StateStore } from "./stores/state.js";
import { openDecoderShelf } from "./decoders.js";
import { openEntries } from "./open-entries.js";
import { openStrangers } from "./strangers.js";
import { unmappedFields } from "./unmapped-fields.js";

/** What the view is made of. */
export interface ViewParts {
  history: History;
  registry: CityRegistry;
  /** Decoders that were given to the running service. */
  library: CodecLibrary;
  alerts: Alerts;
  meters: Meters;
  pipeline: Pick<
    Pipeline,
    "replay" | "dismiss" | "renew" | "settled" | "memory" | "presence" | "unmapped" | "uplinks" | "codecs"
  >;
  figures: Figures;
  intake: () => Intake["status"];
  door: () => DoorStatus | undefined;
  state: Pick<StateStore, "fault">;
  sinks: readonly Sink[];
  /** Hands a message to the journal; gives its sequence. */
  accept: (message: RawMessage) => Promise<number>;
  backup: (dir: string) => Promise<BackupReport>;
  dayOf: (timeMs: number) => string;
  clock: () => number;
}

/** The view, and the way to tell those who watch. */
export interface OpenView {
  view: IngestView;
  tell: (event: LiveEvent) => void;
}

const aliveIntervals = 3;
const usualIntervalMs = 3_600_000;

/** How the dashboards change the registry; `onChange` is called when a change is in force. */
function changesOf(registry: CityRegistry, onChange: () => void): RegistryChanges {
  const changed = async <T>(change: Promise<T>): Promise<T> => {
    const result = await change;
    onChange();
    return result;
  };
  return {
    async putDevice(entry, who) {
      await changed(registry.putDevice(entry, who));
      const made = registry.device(entry.id);
      if (!made) throw new ObiegError("device-not-found", `${entry.id} was removed meanwhile`);
      return made;
    },
    putPlace: async (place, who) => void (await changed(registry.putPlace(place, who))),
    removePlace: async (id, who) => void (await changed(registry.removePlace(id, who))),
    async importDevices(file, who, { dryRun, skipFaulty }) {
      let plan = planImport(file, registry, skipFaulty);
      if (dryRun) return plan;
      const ask = (): ImportPlan["added"] => {
        plan = planImport(file, registry, skipFaulty);
        return [...plan.added, ...plan.changed];
      };
      await changed(registry.putDevices(ask, who));
      return plan;
    },
    async removeDevice(id, who) {
      if (!registry.device(id)) return false;
      await changed(registry.removeDevice(id, who));
      return true;
    },
    apply: (city, who, dryRun) => (dryRun ? registry.diff(city) : changed(registry.apply(city, who))),
    exportCity: () => registry.exportCity(),
    rotateSecret: (user, who) => registry.rotateSecret(user, who),
  };
}

/** Opens what the dashboards see. */
export function openView(parts: ViewParts): OpenView {
  const { history, registry, pipeline, clock } = parts;
  const listeners = new Set<(event: LiveEvent) => void>();

  const reasons = (): Reason[] => {
    const found: Reason[] = [];
    const door = parts.door();
    if (!door) found.push({ code: "starting", message: "the front door isn't open yet" });
    if (door?.journal.fault) found.push(door.journal.fault);
    const { fault } = parts.intake();
    if (fault) found.push(fault);
    const { fault: stateFault } = parts.state;
    if (stateFault && stateFault.code !== fault?.code)
      found.push({ code: stateFault.code, message: stateFault.message });
    return found;
  };

  const changes = changesOf(registry, () => pipeline.renew());
  const { replay, dismiss } = openEntries(history, pipeline);

  const view: IngestView = {
    history,
    alerts: parts.alerts,
    meters: parts.meters,
    sinks: parts.sinks,
    registry: {
      get city() {
        return registry.city;
      },
      device: (id) => registry.device(id),
      devices: () => registry.devices(),
      byIdentifier: (scheme, text) => registry.byIdentifier(scheme, text),
      sources: () => registry.sources(),
      place: (id) => registry.place(id),
      places: () => registry.places(),
      devicesAt: (place) => registry.devicesAt(place),
      changes,
    },
    codecs: openDecoderShelf(parts.library, registry, history, () => pipeline.renew()),
    strangers: openStrangers({
      history,
      registry,
      memory: pipeline.memory,
      putDevice: (entry, who) => changes.putDevice(entry, who),
      replay,
    }),
    presence: (device) => pipeline.presence.of(device),
    unmapped: () => unmappedFields(pipeline.unmapped, registry),
    uplinks: (device) => pipeline.uplinks.of(device),
    codecOf: (device, quantity, receivedMs) => pipeline.codecs.of(device, quantity, receivedMs),
    quantities: () =>
      [...quantities.values()].map(({ name, unit, kind, dimension, plausible, classes }) => ({
        name,
        unit,
        kind,
        dimension,
        min: plausible[0],
        max: plausible[1],
        classes,
      })),
    publish: (message) => parts.accept({ ...message, clientId: "http", qos: 1 }),
    replay,
    dismiss,
    ready() {
      const found = reasons();
      return { ready: found.length === 0, reasons: found };
    },
    backup: (dir) => parts.backup(dir),
    metrics: () => parts.figures.text(),
    async overview() {
      const atMs = clock();
      const [today, { faults, upkeep }, heard] = await Promise.all([
        history.ledgerTotals(parts.dayOf(atMs)),
        history.status(),
        history.heard(),
      ]);
      const devices = registry.devices();
      const isAlive = (id: string, everyMs = usualIntervalMs): boolean =>
        atMs - (heard.get(id) ?? Number.NEGATIVE_INFINITY) <= aliveIntervals * everyMs;
      const { journal } = parts.door() ?? { journal: { bytes: 0, maxBytes: 0 } };
      const open = parts.alerts.list({ states: ["raised", "acknowledged"], limit: 10_000 });
      return {
        demo: registry.city.demo,
        atMs,
        devices: {
          total: devices.length,
          alive: devices.filter(({ id, everyMs }) => isAlive(id, everyMs)).length,
        },
        messagesPerSecond: parts.figures.messagesPerSecond(),
        today,
        openAlerts: open.items.length,
        journal: { bytes: journal.bytes, maxBytes: journal.maxBytes },
        pipelineLag: parts.intake().durable - parts.intake().position,
        damagedDays: faults.map(({ file, message }) => ({ file, message })),
        upkeep,
      };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const tell = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };
  pipeline.presence.onChange((devices) => tell({ topic: "presence", devices }));
  return { view, tell };
}
