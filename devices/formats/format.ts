import type { Aftermath, Fault, Past, UplinkCount } from "../codec.js";
import type { LocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";

/** One field of a payload under its own name, before anybody says what it means. */
export interface ParsedField {
  /** Its own name, levels divided by dots: `ENERGY.Total`. */
  from: string;
  /** As it stands in the payload: a number (or true, false) is taken, null is no value, anything else a fault where a number is meant. */
  value: unknown;
  /** Event time, epoch milliseconds; NaN is a fault. */
  timeMs: number;
  /** A time of its own without an offset, in the zone of the source: taken instead of `timeMs`, near which it is. */
  localTime?: string;
  /** JSON pointer into the payload. */
  path: string;
  /** What the format knows of it: a vocabulary name, or a stem with `unit`. Without it a source's map has to say. */
  name?: string;
  /** The same where it depends on the device's class. */
  nameByClass?: Readonly<Record<string, string>>;
  /** UCUM unit of the number. */
  unit?: string;
  /** Multiplies the number before its unit is looked at. */
  scale?: number;
  /** True: no measurement, unless a source's map takes it. */
  ignored?: boolean;
  /** Identity of the device, where it is another than the message's. */
  identity?: string;
  /** Canonical JSON of the attributes; "" unless given. */
  attributes?: string;
}

/** What a message says of a device's being there. */
export interface ParsedPresence {
  online: boolean;
  /** Identity of the device, where it is another than the message's. */
  identity?: string;
}

/** A frame of the device itself inside the message, for the decoder of its model. */
export interface Frame {
  fPort: number;
  bytes: Uint8Array;
  /** Event time, epoch milliseconds. */
  timeMs: number;
  /** JSON pointer into the payload. */
  path: string;
  /** Fields that stand beside it, whoever decodes it. */
  beside: ParsedField[];
  /** True when the message holds no other decoding of it. */
  isNeeded: boolean;
}

/** What a format finds in a message. */
export type Parsed = Found & Aftermath;

type Found =
  | {
      kind: "parsed";
      /** What the message calls its device. */
      identity: string;
      /** The same in other schemes: `{ devEui }`. */
      identifiers?: Readonly<Record<string, string>>;
      fields: ParsedField[];
      faults: Fault[];
      /** True when any program could have published it on such a topic: under a name that isn't known it is somebody else's. */
      isDoubtful?: boolean;
      presence?: readonly ParsedPresence[];
      frame?: Frame;
      uplink?: UplinkCount;
      /** The payload, where a source may name its device by a field of it. */
      body?: unknown;
    }
  | {
      kind: "ignored";
      reason: string;
      identity?: string;
      presence?: readonly ParsedPresence[];
      uplink?: UplinkCount;
    }
  | { kind: "refused"; identity: string | undefined; fault: Fault; isDoubtful?: boolean };

/**
 * Port of every format that isn't native: it reads a payload; which device and quantity are meant is `interpret.ts`'s.
 * Guarantee: `parse` is pure and never throws on any bytes; a fault of one field doesn't cost its neighbours.
 */
export interface Format {
  readonly name: string;
  readonly version: string;
  /** Topic filters that are its own unless a source says otherwise. */
  readonly topics: readonly string[];
  /** Schemes of identifiers that its identity is looked up in, in this order; then ids of devices. */
  readonly schemes: readonly string[];
  /** What an identity says of its device in other schemes, looked up after it. */
  aliasesOf?(identity: string): readonly (readonly [scheme: string, text: string])[];
  /** True when messages can only be read with what earlier ones taught: `parse` gives `lessons` and finds them in `past`. */
  readonly remembers?: boolean;
  parse(message: RawMessage, clock: LocalClock, past: Past): Parsed;
}
