import type { Client } from "aedes";
import type { Packet } from "mqtt-packet";
import { isGone } from "./door.js";
import type { Intake } from "./intake.js";

/** What of a client aedes keeps to itself: what is called when a packet is done. */
interface Inner {
  _nextBatch: (error?: Error | null) => void;
  connackSent: boolean;
}

/** QoS 2 messages under way, by client and packet id: the same one is never handled twice at once, over whatever connections. */
export class Handshakes {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Goes on when the key is free, at once or later; then it is taken until {@link leave}. */
  enter(key: string, go: () => void): void {
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.push(go);
    else {
      this.#waiting.set(key, []);
      go();
    }
  }

  leave(key: string): void {
    const go = this.#waiting.get(key)?.shift();
    if (go) go();
    else this.#waiting.delete(key);
  }
}

/** The order of a connection's packets. */
export interface Order {
  take(packet: Packet): void;
  /** True when nothing waits, so that what comes next may go on at once. */
  isFree(): boolean;
}

/** True for packets that aedes handles in several steps, each of which another packet could come between. */
const isAlone = (packet: Packet): boolean =>
  packet.cmd === "subscribe" ||
  packet.cmd === "unsubscribe" ||
  packet.cmd === "pubrel" ||
  (packet.cmd === "publish" && packet.qos === 2);

/** True for answers to what we sent, and signs of life: nothing depends on their order. */
const isAnswer = ({ cmd }: Packet): boolean =>
  cmd === "puback" || cmd === "pubrec" || cmd === "pubcomp" || cmd === "pingreq";

/**
 * Keeps the packets of a connection in their order where aedes doesn't: what comes before CONNECT is answered waits for it,
 * and what takes several steps (SUBSCRIBE, UNSUBSCRIBE, QoS 2) is under way alone. An UNSUBSCRIBE that a SUBSCRIBE of the same
 * filter overtakes would leave a listener behind for ever.
 * `hand` takes a packet on.
 * Guarantee: PUBREC in the order of the messages.
 * Source: MQTT 3.1.1, 3.1.4 (a client needn't wait for CONNACK), 4.6.
 */
export function openOrder(
  client: Client,
  intake: Intake,
  handshakes: Handshakes,
  hand: (packet: Packet) => void,
): Order {
  const inner = client as unknown as Inner;
  type Done = ReturnType<Intake["begin"]>;
  const held: { packet: Packet; done: Done }[] = [];
  let isConnected = false;
  let isBusy = false;
  const handOn = (packet: Packet, done: Done): void => {
    const before = inner._nextBatch;
    inner._nextBatch = done;
    hand(packet);
    inner._nextBatch = before;
  };
  const alone = (packet: Packet, done: Done, over?: () => void): void => {
    isBusy = true;
    handOn(packet, (error) => {
      over?.();
      isBusy = false;
      done(error);
      release();
    });
  };
  const pass = (packet: Packet, done: Done): void => {
    if (!isAlone(packet)) return handOn(packet, done);
    if (packet.cmd !== "publish") return alone(packet, done);
    isBusy = true;
    const key = `${packet.messageId} ${client.id}`;
    const leave = (): void => handshakes.leave(key);
    handshakes.enter(key, () => (isGone(client) ? leave() : alone(packet, done, leave)));
  };
  const release = (): void => {
    while (!isBusy && !isGone(client)) {
      const one = held.shift();
      if (!one) return;
      pass(one.packet, one.done);
    }
  };
  client.once("connected", () => {
    isConnected = true;
    release();
  });
  const isFree = (): boolean => isConnected && !isBusy && held.length === 0;
  return {
    isFree,
    take(packet) {
      const done = intake.begin(packet.length ?? 0);
      // The queue of a session may take long to send: what is answered meanwhile isn't sent again.
      if (inner.connackSent && isAnswer(packet)) handOn(packet, done);
      else if (packet.cmd === "connect" || isFree()) pass(packet, done);
      else held.push({ packet, done });
    },
  };
}
