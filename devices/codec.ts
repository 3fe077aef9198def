import type { RawMessage } from "./message.js";
import type { RegistryView } from "./registry.js";

/** One number of a payload, named and timed, before the vocabulary has judged it. */
export interface DecodedField {
  /** A vocabulary name (`energy_import_kwh`), the same in another unit (`energy_import_wh`), or a bare stem with `unit`. */
  name: string;
  /** UCUM code when the payload gives the unit apart from the name. */
  unit?: string;
  value: number;
  /** Event time, epoch milliseconds. */
  timeMs: number;
  /** Canonical JSON of the attributes (sorted keys), or "" for none. */
  attributes: string;
  /** Where in the payload, as a JSON pointer: `/3/energy_import_kwh`. */
  path: string;
}

/** A number of a payload that has no quantity: neither its format nor a source's map names one. */
export interface UnmappedField {
  /** The field's own name, levels divided by dots: `ENERGY.Period`. */
  field: string;
  value: number;
  /** JSON pointer into the payload. */
  path: string;
}

/** Which version of a model's decoder made values. */
export interface CodecMark {
  model: string;
  version: string;
  /** SHA-256 of its script, hexadecimal; "" for a format of ours. */
  hash: string;
}

/** What a frame's counter says: gaps are lost uplinks. */
export interface UplinkCount {
  /** The device's own count, up to 32 bits. */
  count: number;
  /** Changes when the device joins anew; "" where the network server doesn't say. */
  session: string;
  /** When the network server received it, epoch milliseconds. */
  timeMs: number;
}

/** What a message says of one device. */
export interface DeviceFields {
  device: string;
  fields: DecodedField[];
  faults: Fault[];
  unmapped?: UnmappedField[];
  /** Whose decoder made the fields below this pointer; null: none did, in a message in which one might. */
  made?: { by: CodecMark; path: string } | null;
  /** What its decoder warned of, in its own words: bounded, never to be trusted as markup. */
  warnings?: string[];
}

/** Something of a message that can't be taken: why, and where. Codes are listed in the room's README. */
export interface Fault {
  code: string;
  /** JSON pointer into the payload; "" for the whole message. */
  path: string;
  /** What was found and what to write instead; bounded to 300 characters; no secrets. */
  detail: string;
}

/** What a device is called, in a scheme of identifiers. */
export interface Introduction {
  scheme: string;
  text: string;
}

/** Whether a device is there, as it (or who speaks for it) says itself: a last will, a topic of availability, a birth or a death. */
export interface PresenceSign {
  device: string;
  online: boolean;
}

/** What earlier messages taught, as seen from a message's place among them. */
export interface Past {
  /** Sequence of the message in the journal; what was learned at a later one is of its future. */
  sequence: number;
  /** What was learned under a key; never to be changed in place. */
  recall(key: string): unknown;
}

/** What a message teaches for those after it: plain data by key; undefined forgets. */
export type Lessons = ReadonlyMap<string, unknown>;

/** Something to be said back to who sent a message. */
export interface Answer {
  topic: string;
  payload: Uint8Array;
}

/** What comes of a message beside what it says. */
export interface Aftermath {
  lessons?: Lessons;
  answers?: readonly Answer[];
}

/** What a codec makes of one message. */
export type Decoded = Judged & Aftermath & { uplink?: UplinkCount };

type Judged =
  | (DeviceFields & {
      kind: "decoded";
      presence?: PresenceSign[];
      /** What the message says of other devices: their values count under them, the message under `device`. */
      others?: DeviceFields[];
    })
  | { kind: "ignored"; reason: string; device?: string; presence?: PresenceSign[] }
  | { kind: "refused"; device: string | undefined; fault: Fault }
  /** What decodes it is being started; ask again when `ready` resolves (it never rejects). */
  | { kind: "waiting"; ready: Promise<void> };

/**
 * Port that every wire format stands behind.
 * Guarantee: `decode` is pure and never throws on any bytes; a fault of one field doesn't cost its neighbours.
 */
export interface Codec {
  readonly format: string;
  readonly version: string;
  /** True when messages can only be read with what earlier ones taught. */
  readonly remembers?: boolean;
  /** `past`: what the messages before it taught; nothing unless given. */
  decode(message: RawMessage, registry: RegistryView, past?: Past): Decoded;
  /**
   * The identifier by which a device that a message calls `name` would be found; undefined when its id has to be that name.
   * Guarantee: as `decode`.
   */
  introduce?(message: RawMessage, name: string): Introduction | undefined;
}
