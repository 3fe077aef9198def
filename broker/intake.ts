import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import { isGone } from "./door.js";

/** What of a client aedes keeps to itself: how it reads on, and what tells that it needn't. */
interface Inner {
  _parser: { parse(bytes: Buffer): number };
  _paused?: boolean;
  _parsingBatch: number;
  _keepaliveInterval: number;
  _keepaliveTimer: NodeJS.Timeout | null;
  _nextBatch: (error?: Error | null) => void;
}

/** How much of a connection is under way, and when more is read of it. */
export interface Intake {
  /** Notes packets that are under way, bytes; what it gives is called when they are done, with the error that ends the connection. */
  begin(bytes: number): (error?: Error | null) => void;
}

/** What a packet is counted as beside its bytes. */
const packetBytes = 256;

/**
 * Reads a connection while less than `mostBytes` of it are under way. aedes counts packets instead, and reads on with every piece
 * that comes in: who sends in small pieces would never be held up.
 * Guarantee: bounded by `mostBytes` and one read; bytes are parsed in their order, never one piece within another.
 */
export function openIntake(client: Client, stream: Duplex, mostBytes: number): Intake {
  const inner = client as unknown as Inner;
  let underWay = 0;
  let isReading = false;
  const readOn = (): void => {
    if (isReading) return;
    isReading = true;
    try {
      while (underWay < mostBytes && inner._paused !== true && !isGone(client)) {
        const bytes = stream.read() as Buffer | null;
        if (bytes === null) return;
        inner._parser.parse(bytes);
      }
    } finally {
      isReading = false;
    }
  };
  const next = (error?: Error | null): void => {
    if (error) client.emit("error", error);
    else readOn();
  };
  stream.off("readable", inner._nextBatch);
  stream.on("readable", readOn);
  inner._nextBatch = next;
  // It tells aedes the first packet, which is not to wait for CONNACK.
  inner._parsingBatch = 0;
  const heard = (): void => {
    if (inner._keepaliveInterval > 0) inner._keepaliveTimer?.refresh();
  };
  return {
    begin(bytes) {
      let size = bytes + packetBytes;
      underWay += size;
      heard();
      return (error) => {
        underWay -= size;
        size = 0;
        // Who waited for us wasn't silent.
        heard();
        next(error);
      };
    },
  };
}
