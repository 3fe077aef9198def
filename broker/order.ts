import type { Duplex } from "node:stream";
import type { Client } from "aedes";
import type { Packet } from "mqtt-packet";

/** What of a client aedes keeps to itself: how many packets are under way, and what goes on when one is done. */
interface Inner {
  _parsingBatch: number;
  _nextBatch: (error?: Error) => void;
}

/** The order of a connection's packets. */
export interface Order {
  take(packet: Packet): void;
  /** True when nothing waits, so that what comes next may go on at once. */
  isFree(): boolean;
}

/**
 * Keeps the packets of a connection in their order where aedes doesn't: what comes before CONNECT is answered waits for it,
 * and one QoS 2 message at a time is under way, as each is stored, published and answered in steps of different length.
 * `hand` takes a packet on.
 * Guarantee: PUBREC in the order of the messages; no more is read while packets wait.
 * Source: MQTT 3.1.1, 3.1.4 (a client needn't wait for CONNACK), 4.6.
 */
export function openOrder(client: Client, stream: Duplex, hand: (packet: Packet) => void): Order {
  const inner = client as unknown as Inner;
  let held: Packet[] = [];
  let isConnected = false;
  let isBusy = false;
  const pass = (packet: Packet): void => {
    if (packet.cmd !== "publish" || packet.qos !== 2) {
      hand(packet);
      return;
    }
    const goOn = inner._nextBatch;
    isBusy = true;
    inner._nextBatch = (error) => {
      isBusy = false;
      goOn(error);
      release();
    };
    hand(packet);
    inner._nextBatch = goOn;
  };
  const release = (): void => {
    if (stream.destroyed) held = [];
    let next = 0;
    for (; next < held.length && !isBusy; next += 1) {
      const packet = held[next];
      inner._parsingBatch -= 1;
      if (packet) pass(packet);
    }
    held = next === held.length ? [] : held.slice(next);
  };
  client.once("connected", () => {
    isConnected = true;
    release();
  });
  const isFree = (): boolean => isConnected && !isBusy && held.length === 0;
  return {
    isFree,
    take(packet) {
      if (packet.cmd === "connect" || isFree()) {
        pass(packet);
        return;
      }
      inner._parsingBatch += 1;
      held.push(packet);
    },
  };
}
