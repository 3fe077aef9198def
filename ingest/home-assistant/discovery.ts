import type { DeviceEntry } from "../../devices/index.js";
import { type Entity, entityOf } from "./entity.js";

/** What Home Assistant is told of a device. Source: Home Assistant, MQTT integration, device discovery payload. */
export interface Discovery {
  device: {
    identifiers: string[];
    name: string;
    model?: string;
    serial_number?: string;
    suggested_area?: string;
  };
  origin: { name: string; sw_version: string };
  components: Record<string, Entity>;
  state_topic: string;
  availability?: { topic: string }[];
  qos: 0;
}

/** The topic that carries a device's newest values, as JSON by quantity; retained. */
export const latestTopic = (device: string): string => `latest/${device}`;

/** The topic that says `online` or `offline` of a device that ever said so itself; retained. */
export const presenceTopic = (device: string): string => `presence/${device}`;

/** The topic of a device's description. What an id may hold and a topic of the discovery may not is escaped by an underscore. */
export const discoveryTopic = (device: string): string =>
  `homeassistant/device/obieg/${device.replaceAll("_", "__").replaceAll(".", "_d")}/config`;

/** What is known of a device beside its entry in the registry. */
export interface DiscoveryFacts {
  /** Quantities that it ever sent. */
  quantities: Iterable<string>;
  placeName: string | undefined;
  /** True when it says itself whether it is there. */
  hasPresence: boolean;
  /** Language of the entities' names. */
  language: "pl" | "en";
  /** Version of this service. */
  version: string;
}

/** Describes a device; undefined while it sent nothing that the vocabulary holds. */
export function discoveryOf(device: DeviceEntry, facts: DiscoveryFacts): Discovery | undefined {
  const components = Object.fromEntries(
    [...facts.quantities].toSorted().flatMap((quantity): [string, Entity][] => {
      const entity = entityOf(quantity, {
        device: device.id,
        language: facts.language,
        everyMs: device.everyMs,
      });
      return entity ? [[quantity, entity]] : [];
    }),
  );
  if (Object.keys(components).length === 0) return undefined;
  const { id, name, model, identifiers } = device;
  return {
    device: {
      identifiers: [`obieg_${id}`],
      name: name ?? id,
      ...(model === undefined ? {} : { model }),
      ...(identifiers?.["serial"] === undefined ? {} : { serial_number: identifiers["serial"] }),
      ...(facts.placeName === undefined ? {} : { suggested_area: facts.placeName }),
    },
    origin: { name: "Obieg", sw_version: facts.version },
    components,
    state_topic: latestTopic(id),
    ...(facts.hasPresence ? { availability: [{ topic: presenceTopic(id) }] } : {}),
    qos: 0,
  };
}
