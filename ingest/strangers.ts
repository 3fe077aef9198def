import {
  createResolver,
  type CityRegistry,
  decodeOrRefuse,
  type DeviceEntry,
  type Introduction,
  ObiegError,
  openCodecs,
  type RawMessage,
  suggestClass,
  suggestId,
} from "../devices/index.js";
import type { MemoryBook } from "./memory.js";
import { unknownDeviceCode } from "./quarantine.js";
import type { History, Page, QuarantinedName } from "./stores/port.js";

/** A device that sends with somebody's valid credential and isn't registered. Times of receipt, epoch milliseconds. */
export interface Stranger {
  /** What its messages call it. */
  identifier: string;
  /** The identifier that adopting gives it; undefined when its id has to be `identifier`. */
  introduction: Introduction | undefined;
  /** Wire format of its newest message; undefined when no source speaks on that topic any more. */
  format: string | undefined;
  /** Who published its newest message, and where. */
  user: string;
  topic: string;
  firstMs: number;
  lastMs: number;
  /** Messages of it that wait in quarantine. */
  messages: number;
  payload: Uint8Array;
  /** What its newest messages, three at most, suggest. */
  suggestion: {
    id: string | undefined;
    class: string | undefined;
    /** Quantities that its format knows, and fields that nobody gave one. */
    quantities: string[];
    unmapped: string[];
  };
}

/** What adopting a stranger says of it beside its identifier. */
export type Adoption = Omit<DeviceEntry, "sinceMs">;

/** What came of an adoption: the device, and what became of its quarantined past, in entries. */
export interface Adopted {
  device: DeviceEntry;
  replayed: number;
  refused: number;
}

/** What is looked at. */
export interface StrangerParts {
  history: Pick<History, "quarantinedNames">;
  memory: MemoryBook;
  registry: CityRegistry;
  putDevice(entry: Adoption, who: string): Promise<DeviceEntry>;
  replay(
    selection: { reason: string; device: string },
    who: string,
  ): Promise<{ replayed: number; refused: number }>;
}

/** Unknown devices, and the way to adopt one. */
export interface Strangers {
  /**
   * Those with open messages in quarantine, the one heard last first. Throws `bad-cursor`.
   * Guarantee: at most 200 a page; nothing is left out: what doesn't fit stands on the next page.
   */
  list(query: { limit: number; cursor?: string }): Promise<Page<Stranger>>;
  /**
   * Registers a stranger under its identifier and replays what it sent before. Throws `unknown-device-not-found`, `device-exists`,
   * `native-id`, and what {@link CityRegistry.putDevice} throws.
   */
  adopt(identifier: string, adoption: Adoption, who: string): Promise<Adopted>;
}

const mostPage = 200;
const mostLooked = 65_536;
const mostNames = 30;

/** Opens the look at who sends without being known. It stands on quarantine alone, so that it is exact after any restart. */
export function openStrangers(parts: StrangerParts): Strangers {
  const { history, registry, memory } = parts;
  const codecFor = openCodecs(registry);
  const resolve = createResolver();

  const introduce = (name: QuarantinedName): Introduction | undefined => {
    const [last] = name.newest;
    try {
      return last && codecFor(last.topic)?.introduce?.(messageOf(last), name.device);
    } catch {
      // A decoder that fails at it says nothing.
      return undefined;
    }
  };
  const isKnown = (identifier: string, introduction: Introduction | undefined): boolean =>
    (introduction && registry.byIdentifier(introduction.scheme, introduction.text)) !== undefined ||
    registry.device(identifier) !== undefined;

  const fieldsOf = ({ device, newest }: QuarantinedName): { found: Set<string>; unmapped: Set<string> } => {
    const found = new Set<string>();
    const unmapped = new Set<string>();
    for (const one of newest) {
      if (one.payload.length > mostLooked) continue;
      const codec = codecFor(one.topic);
      const decoded = codec && decodeOrRefuse(codec, messageOf(one), registry, memory.past(one.message));
      if (decoded?.kind !== "decoded") continue;
      for (const part of [decoded, ...(decoded.others ?? [])]) {
        if (part.device !== device) continue;
        for (const { name, unit } of part.fields) {
          const quantity = resolve(name, unit, "")?.quantity.name;
          if (quantity === undefined) unmapped.add(name.slice(0, 100));
          else found.add(quantity);
        }
        for (const { field } of part.unmapped ?? []) unmapped.add(field.slice(0, 100));
      }
    }
    return { found, unmapped };
  };
  const strangerOf = (name: QuarantinedName, introduction: Introduction | undefined): Stranger => {
    const [last] = name.newest;
    const { found, unmapped } = fieldsOf(name);
    const isTaken = (id: string): boolean => registry.device(id) !== undefined;
    return {
      identifier: name.device,
      introduction,
      format: last && codecFor(last.topic)?.format,
      user: last?.user ?? "",
      topic: last?.topic ?? "",
      firstMs: name.firstMs,
      lastMs: name.lastMs,
      messages: name.messages,
      payload: last?.payload ?? new Uint8Array(),
      suggestion: {
        id: suggestId(name.device, isTaken),
        class: suggestClass(found),
        quantities: [...found].slice(0, mostNames),
        unmapped: [...unmapped].slice(0, mostNames),
      },
    };
  };

  return {
    async list({ limit, cursor }) {
      const page = await history.quarantinedNames({
        reason: unknownDeviceCode,
        limit: Math.min(limit, mostPage),
        ...(cursor === undefined ? {} : { cursor }),
      });
      const items = page.items.flatMap((name) => {
        const introduction = introduce(name);
        return isKnown(name.device, introduction) ? [] : [strangerOf(name, introduction)];
      });
      return { items, next: page.next };
    },
    async adopt(identifier, adoption, who) {
      const found = await history.quarantinedNames({
        reason: unknownDeviceCode,
        device: identifier,
        limit: 1,
      });
      const [name] = found.items;
      if (!name)
        throw new ObiegError(
          "unknown-device-not-found",
          `no message of an unknown device ${identifier} waits`,
        );
      const introduction = introduce(name);
      if (!introduction && adoption.id !== identifier)
        throw new ObiegError("native-id", `it publishes under its own id: give it the id ${identifier}`);
      if (registry.device(adoption.id))
        throw new ObiegError(
          "device-exists",
          `${adoption.id} is registered already: give another id, or add the identifier to it (PUT /devices/${adoption.id})`,
        );
      const identifiers = {
        ...adoption.identifiers,
        ...(introduction ? { [introduction.scheme]: introduction.text } : {}),
      };
      const hasAny = Object.keys(identifiers).length > 0;
      const device = await parts.putDevice({ ...adoption, ...(hasAny ? { identifiers } : {}) }, who);
      const report = await parts.replay({ reason: unknownDeviceCode, device: identifier }, who);
      return { device, ...report };
    },
  };
}

const messageOf = ({ topic, user, payload, receivedMs }: QuarantinedName["newest"][number]): RawMessage => ({
  topic,
  payload,
  user,
  clientId: "",
  qos: 1,
  receivedMs,
});
