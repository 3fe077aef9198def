/** One message as a device or its gateway puts it on the wire. */
export interface WireMessage {
  topic: string;
  payload: string | Buffer;
  retain?: true;
}

/**
 * Port of every format that a simulated device can speak: its numbers become the messages that the real product sends.
 * An encoder belongs to one device and may count what it sent; it never changes a number but by the format's own resolution.
 */
export interface Encoder {
  /** The messages of one reading (quantities of the vocabulary in their canonical units), in the order they are sent. */
  encode: (timeMs: number, reading: Readonly<Record<string, number>>) => WireMessage[];
  /** What it says each time it has come in, before anything else. */
  greet?: (timeMs: number) => WireMessage[];
  /** What the broker shall say for it when its next connection is lost; asked before each. */
  will?: (timeMs: number) => WireMessage;
  /** Topic filter of what it listens to. */
  readonly hears?: string;
  /** What it answers. */
  answer?: (topic: string, payload: Buffer, timeMs: number) => WireMessage[];
}

/** The numbers that a reading has, under the format's own names; what it hasn't is left out. */
export function renamed(
  reading: Readonly<Record<string, number>>,
  names: Readonly<Record<string, string>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([own, quantity]): [string, number][] => {
      const value = reading[quantity];
      return value === undefined ? [] : [[own, value]];
    }),
  );
}
