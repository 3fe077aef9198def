import type { Logger } from "pino";
import { type DeviceEntry, matchesGlob, type RegistryView } from "../../devices/index.js";
import type { LiveEvent } from "../index.js";
import type { Presence } from "../presence.js";
import type { StateStore } from "../stores/state.js";
import type { StoredReading } from "../stores/port.js";
import { discoveryOf, discoveryTopic, latestTopic, presenceTopic } from "./discovery.js";

/** Which devices are announced. */
export interface AnnounceOptions {
  /** Ids; `*` stands for any characters. */
  devices: readonly string[];
  /** Devices at most. */
  most: number;
}

/** What the announcer works with. */
export interface AnnouncerParts {
  /** Undefined: nothing is announced, and what was is taken back. */
  options: AnnounceOptions | undefined;
  state: StateStore;
  registry: RegistryView & { onChange(listener: () => void): () => void };
  latest: (
    devices: string[],
  ) => Promise<Pick<StoredReading, "device" | "quantity" | "value" | "timeMs" | "receivedMs">[]>;
  presenceOf: (device: string) => Presence | undefined;
  subscribe: (listener: (event: LiveEvent) => void) => () => void;
  /** Publishes a retained message; an empty payload takes it back. */
  publish: (topic: string, payload: string) => Promise<void>;
  /** True while what can wait should wait. */
  isBehind: () => boolean;
  clock: () => number;
  /** How far ahead of the clock a value may be. */
  futureSkewMs: number;
  version: string;
  log: Pick<Logger, "warn">;
}

/** Tells Home Assistant of our devices. */
export interface Announcer {
  /** Publishes what changed since the last time: descriptions, newest values, presence. */
  tick(): Promise<void>;
  stop(): void;
}

interface Known {
  values: Map<string, { value: number; timeMs: number }>;
  heardMs: number;
}

const atOnce = 20;
/** Devices whose values or presence are published in one turn; the rest follow in the next. */
const perTick = 500;

/**
 * Opens the announcer. Table `home-assistant`: devices that were ever announced and not taken back.
 * Guarantee: bounded to `most` devices; a device that went, or is no longer wanted, is taken back, over a restart too; the newest
 * value counts, whatever came between two turns.
 */
export function openAnnouncer(parts: AnnouncerParts): Announcer {
  const { options, registry, publish, clock } = parts;
  const table = parts.state.table<number, string>("home-assistant");
  const announced = new Set(table.getKeys());
  const known = new Map<string, Known>();
  /** Descriptions and availability as they were published by this process. */
  const told = new Map<string, string>();
  const toldPresence = new Map<string, string>();
  const dirty = new Set<string>();
  /** Devices whose description may have changed. */
  const undescribed = new Set<string>();
  let wanted = new Map<string, DeviceEntry>();
  let isStale = true;

  /** Each of some devices, a few at once; what fails stays in `from`. */
  const each = async (
    from: Set<string>,
    ids: Iterable<string>,
    act: (id: string) => Promise<void>,
  ): Promise<void> => {
    const all = [...ids].slice(0, perTick);
    for (let at = 0; at < all.length; at += atOnce) {
      await Promise.all(
        all.slice(at, at + atOnce).map(async (id) => {
          from.delete(id);
          await act(id).catch((error: unknown) => {
            from.add(id);
            throw error;
          });
        }),
      );
    }
  };

  /** True for a time that a clock stamped which was ahead, and is mended: it says nothing of what is newer. */
  const isAhead = (timeMs: number): boolean => timeMs > clock() + parts.futureSkewMs;
  const note = (
    device: string,
    quantity: string,
    value: number,
    timeMs: number,
    receivedMs: number,
  ): void => {
    let of = known.get(device);
    if (!of) known.set(device, (of = { values: new Map(), heardMs: 0 }));
    of.heardMs = isAhead(of.heardMs) ? receivedMs : Math.max(of.heardMs, receivedMs);
    const before = of.values.get(quantity);
    if (before && before.timeMs > timeMs && !isAhead(before.timeMs)) return;
    if (!before) undescribed.add(device);
    of.values.set(quantity, { value, timeMs });
    dirty.add(device);
  };
  const see = (event: LiveEvent): void => {
    if (event.topic === "presence") for (const device of event.devices) undescribed.add(device);
    if (event.topic !== "readings") return;
    for (const { verdict, device, quantity, value, timeMs, receivedMs } of event.values) {
      if (verdict === "stored" && (isStale || wanted.has(device)))
        note(device, quantity, value, timeMs, receivedMs);
    }
  };

  const choose = async (): Promise<void> => {
    if (!isStale) return;
    isStale = false;
    const fitting = options
      ? registry.devices().filter(({ id }) => options.devices.some((glob) => matchesGlob(glob, id)))
      : [];
    const chosen = fitting.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, options?.most ?? 0);
    if (chosen.length < fitting.length)
      parts.log.warn(
        { announced: chosen.length, devices: fitting.length },
        "not every device is announced to Home Assistant: raise homeAssistant.most or narrow homeAssistant.devices",
      );
    wanted = new Map(chosen.map((device) => [device.id, device]));
    for (const id of wanted.keys()) undescribed.add(id);
    for (const id of known.keys()) if (!wanted.has(id)) known.delete(id);
    const unread = [...wanted.keys()].filter((id) => !known.has(id));
    if (unread.length === 0) return;
    const newest = await parts.latest(unread).catch((error: unknown) => {
      isStale = true;
      throw error;
    });
    for (const { device, quantity, value, timeMs, receivedMs } of newest)
      note(device, quantity, value, timeMs, receivedMs);
  };
  const takeBack = async (): Promise<void> => {
    const gone = [...announced].filter((id) => !wanted.has(id)).slice(0, perTick);
    if (gone.length === 0) return;
    await each(new Set(), gone, async (id) => {
      for (const topic of [discoveryTopic(id), latestTopic(id), presenceTopic(id)]) await publish(topic, "");
      for (const memory of [told, toldPresence, dirty, undescribed]) memory.delete(id);
    });
    await parts.state.transaction(() => {
      for (const id of gone) void table.remove(id);
    });
    for (const id of gone) announced.delete(id);
  };
  const introduce = async (): Promise<void> => {
    const fresh = [...undescribed].filter((id) => wanted.has(id) && known.has(id) && !announced.has(id));
    if (fresh.length === 0) return;
    await parts.state.transaction(() => {
      for (const id of fresh) void table.put(id, clock());
    });
    for (const id of fresh) announced.add(id);
  };
  const describe = async (id: string): Promise<void> => {
    const device = wanted.get(id);
    const values = known.get(id)?.values;
    if (!device || !values) return;
    const discovery = discoveryOf(device, {
      quantities: values.keys(),
      placeName: registry.place(device.place)?.name,
      hasPresence: parts.presenceOf(id) !== undefined,
      language: registry.city.language,
      version: parts.version,
    });
    const text = discovery && JSON.stringify(discovery);
    if (text === undefined || told.get(id) === text) return;
    await publish(discoveryTopic(id), text);
    told.set(id, text);
    dirty.add(id);
  };
  const tellLatest = async (id: string): Promise<void> => {
    const values = known.get(id)?.values;
    if (!values || !told.has(id)) return;
    const times = [...values.values()].map(({ timeMs }) => timeMs);
    const sound = times.filter((timeMs) => !isAhead(timeMs));
    const newestMs = Math.max(...(sound.length > 0 ? sound : times));
    const numbers = Object.fromEntries([...values].map(([quantity, { value }]) => [quantity, value]));
    await publish(latestTopic(id), JSON.stringify({ time: new Date(newestMs).toISOString(), ...numbers }));
  };
  /** One that sleeps between its reports says offline each time: it counts as there until its interval has passed. */
  const availabilityOf = (id: string): string | undefined => {
    const presence = parts.presenceOf(id);
    if (!presence || !told.has(id)) return undefined;
    const heardMs = known.get(id)?.heardMs ?? 0;
    const isDue = isAhead(heardMs) || clock() >= heardMs + (wanted.get(id)?.everyMs ?? 0);
    return presence.online || !isDue ? "online" : "offline";
  };
  const tellPresence = async (id: string): Promise<void> => {
    const text = availabilityOf(id);
    if (text === undefined) return;
    await publish(presenceTopic(id), text);
    toldPresence.set(id, text);
  };
  const stops = [registry.onChange(() => (isStale = true))];
  if (options) stops.push(parts.subscribe(see));
  return {
    async tick() {
      if (parts.isBehind()) return;
      await choose();
      await takeBack();
      await introduce();
      await each(undescribed, undescribed, describe);
      await each(dirty, dirty, tellLatest);
      const changed = [...wanted.keys()].filter((id) => availabilityOf(id) !== toldPresence.get(id));
      await each(new Set(), changed, tellPresence);
    },
    stop() {
      for (const stop of stops) stop();
    },
  };
}
