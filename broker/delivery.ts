import type { Duplex } from "node:stream";
import type { AedesPublishPacket, Client } from "aedes";

/** How aedes hands a message to a connected client; `done` when the client's buffer has room again. */
type Deliver = (packet: AedesPublishPacket, done: () => void) => void;

/**
 * Lets nobody wait for a subscriber that reads slowly: a publisher goes on as soon as its message is in the subscriber's buffer.
 * `tooMuch` is told when more than `mostBytes` wait there, before anything is added. Retained messages still come as fast as they are read.
 * Guarantee: bounded by `mostBytes` and what one turn of the event loop brings.
 */
export function freeDelivery(client: Client, stream: Duplex, mostBytes: number, tooMuch: () => void): void {
  const inner = client as unknown as Record<"deliver0" | "deliverQoS", Deliver>;
  const free =
    (deliver: Deliver): Deliver =>
    (packet, done) => {
      // Retained messages, sent for a SUBSCRIBE, have no broker's number.
      if (!packet.brokerId) {
        deliver(packet, done);
        return;
      }
      if (stream.writableLength > mostBytes) tooMuch();
      else deliver(packet, () => undefined);
      setImmediate(done);
    };
  inner.deliver0 = free(inner.deliver0);
  inner.deliverQoS = free(inner.deliverQoS);
}

const mostIds = 65_535;

/**
 * Gives what is sent to a client packet ids that don't wait for its answer. aedes counts on from anywhere, over those of a kept session too.
 * Source: MQTT 3.1.1, 2.3.1-2.
 */
export function freeIds(client: Client, isInUse: (id: number) => boolean): void {
  const inner = client as unknown as { _nextId: number };
  let next = inner._nextId;
  const pass = (): number => {
    for (let tried = 0; tried < mostIds && isInUse(next); tried += 1) next = (next % mostIds) + 1;
    return next;
  };
  Object.defineProperty(inner, "_nextId", {
    get: pass,
    set(id: number) {
      next = id;
    },
  });
}
