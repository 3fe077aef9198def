import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { HostileStream } from "./hostile-packets.js";
import { matches } from "./mqtt-fields.js";
import { type Judgement, Model, type ModelBounds, type ModelUser } from "./mqtt-model.js";

const withinMs = 20_000;
/** First bytes of what a server answers, by type. Source: MQTT 3.1.1, 2.2. */
const heads = new Map([0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0].map((head) => [head >> 4, head]));
const publishType = 3;

/** What came back on a connection, by type, read strictly. */
class Answers {
  connack: number | undefined;
  readonly ids: Record<number, number[]> = { 4: [], 5: [], 6: [], 7: [], 11: [] };
  readonly subacks: { id: number; codes: number }[] = [];
  /** Messages that weren't looked at yet. */
  readonly messages: { topic: string; qos: number }[] = [];
  pingresp = 0;
  /** Packet ids of messages, and of those that came with DUP: what a kept session was sent before. */
  readonly first = new Set<number>();
  readonly again = new Set<number>();
  count = 0;
  fault = "";
  #bytes = Buffer.alloc(0);

  take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (; at < 5; at += 1) {
        const byte = this.#bytes[at];
        if (byte === undefined) return;
        length += (byte & 127) * 128 ** (at - 1);
        if (byte < 128) break;
      }
      const end = at + 1 + length;
      if (this.#bytes.length < end) return;
      this.#answer(this.#bytes[0] ?? 0, this.#bytes.subarray(at + 1, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #answer(head: number, body: Buffer): void {
    const type = head >> 4;
    if (this.count === 0 && type !== 2) this.fault ||= `type ${type} before CONNACK`;
    this.count += 1;
    const qos = (head >> 1) & 3;
    const isAgain = (head & 8) !== 0;
    const isRight = type === publishType ? qos < 3 && (qos > 0 || !isAgain) : head === heads.get(type);
    if (!isRight) this.fault ||= `an answer that begins with ${head.toString(16)}`;
    if (type === 2) {
      if (this.connack !== undefined || body.length !== 2) this.fault ||= "a CONNACK that can't be";
      this.connack = body[1];
    } else if (type === publishType) {
      const topicEnd = 2 + body.readUInt16BE(0);
      this.messages.push({ topic: body.subarray(2, topicEnd).toString(), qos });
      if (qos > 0) this.#use(body.readUInt16BE(topicEnd), isAgain);
    } else if (type === 9) this.subacks.push({ id: body.readUInt16BE(0), codes: body.length - 2 });
    else if (type === 13) this.pingresp += 1;
    else if (this.ids[type] && body.length === 2) this.ids[type].push(body.readUInt16BE(0));
    else this.fault ||= `an answer of type ${type} with ${body.length} bytes`;
  }

  /** No connection here is sent so much that an id would come round (MQTT 3.1.1, 2.3.1). */
  #use(id: number, isAgain: boolean): void {
    const isFree = !this.again.has(id) && (isAgain || !this.first.has(id));
    if (id === 0 || !isFree) this.fault ||= `the packet id ${id} of two messages`;
    (isAgain ? this.again : this.first).add(id);
  }
}

/** What a session holds: its filters, and ids that its client said it received. */
interface Session {
  isKept: boolean;
  /** With the highest QoS that was asked for each. */
  filters: ReadonlyMap<string, number>;
  received: Set<number>;
}

/** Why answers go beyond what may come, or `undefined`. */
function tooMuch(answers: Answers, judged: Judgement, session: Session): string | undefined {
  if (answers.fault !== "") return answers.fault;
  if (answers.connack === 0 && judged.connack !== "accepted") return "CONNECT was accepted";
  if (answers.connack !== undefined && judged.connack === "none") return "CONNECT was answered";
  // PUBACK and PUBREC come in the order of what they answer (MQTT 3.1.1, 4.6); the others come as they may.
  const ordered: [string, readonly number[], readonly number[]][] = [
    ["PUBACK", answers.ids[4] ?? [], judged.puback],
    ["PUBREC", answers.ids[5] ?? [], judged.pubrec],
  ];
  for (const [name, got, may] of ordered)
    if (got.some((one, at) => one !== may[at]))
      return `${name} ${got.join(" ")} where only ${may.join(" ")} may come`;
  const suback = ({ id, codes }: { id: number; codes: number }): string => `${id} with ${codes} codes`;
  const loose: [string, readonly unknown[], readonly unknown[]][] = [
    ["PUBCOMP", answers.ids[7] ?? [], judged.pubcomp],
    ["UNSUBACK", answers.ids[11] ?? [], judged.unsuback],
    ["SUBACK", answers.subacks.map(suback), judged.suback.map(suback)],
  ];
  for (const [name, got, may] of loose) {
    const left = [...may];
    for (const one of got) {
      const at = left.indexOf(one);
      if (at < 0) return `${name} ${got.join(" ")} where only ${may.join(" ")} may come`;
      left.splice(at, 1);
    }
  }
  // A session that goes on has its PUBRELs sent again (4.4).
  const released = answers.ids[6]?.find((id) => !session.received.has(id));
  if (released !== undefined) return `PUBREL ${released} for what nobody received`;
  if (answers.pingresp > judged.pingresp) return "a PINGRESP too many";
  if (answers.again.size > 0 && !session.isKept) return "a message that comes again to who keeps no session";
  // Each answer is looked at as it comes: what was looked at before is known.
  const stray = answers.messages.splice(0).find(({ topic, qos }) => {
    const asked = [...session.filters].filter(([filter]) => matches(filter, topic));
    return qos > Math.max(-1, ...asked.map(([, most]) => most));
  });
  return stray && `a message to ${stray.topic} with QoS ${stray.qos} that nobody here asked for`;
}

function isComplete(answers: Answers, judged: Judgement): boolean {
  const { ids } = answers;
  return (
    (answers.connack === 0) === (judged.connack === "accepted") &&
    ids[4]?.length === judged.puback.length &&
    ids[5]?.length === judged.pubrec.length &&
    ids[7]?.length === judged.pubcomp.length &&
    ids[11]?.length === judged.unsuback.length &&
    answers.subacks.length === judged.suback.length &&
    answers.pingresp === judged.pingresp
  );
}

/** A client that sends hostile streams and holds what comes back against the model. */
export class HostileClient {
  /** Messages that the streams so far may have had kept. */
  messages = 0;
  readonly ends: Record<Judgement["end"], number> = { open: 0, partial: 0, closed: 0, any: 0 };
  readonly #port: number;
  readonly #user: ModelUser;
  readonly #bounds: ModelBounds;
  /** What kept sessions may hold by now, by client id. */
  readonly #kept = new Map<string, Session>();

  constructor(port: number, user: ModelUser, bounds: ModelBounds) {
    this.#port = port;
    this.#user = user;
    this.#bounds = bounds;
  }

  /**
   * Sends one stream on a connection of its own. Resolves when the connection is over.
   * Throws with the stream in hex when something came back that may not, or didn't that must.
   */
  async play(stream: HostileStream): Promise<void> {
    const judged = Model.judge(stream.bytes, this.#user, this.#bounds);
    this.messages += judged.messages;
    this.ends[judged.end] += 1;
    const before = this.#kept.get(judged.clientId);
    const filters = new Map(before?.filters);
    for (const { filter, qos } of judged.filters)
      filters.set(filter, Math.max(qos, filters.get(filter) ?? 0));
    const session: Session = {
      isKept: this.#user.mayKeep(judged.clientId),
      filters,
      received: new Set([...(before?.received ?? []), ...judged.pubrel]),
    };
    if (session.isKept) this.#kept.set(judged.clientId, session);
    const answers = new Answers();
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    let isClosed = false;
    let fault: string | undefined;
    let wake = (): void => undefined;
    socket.on("data", (chunk: Buffer) => {
      answers.take(chunk);
      fault ??= tooMuch(answers, judged, session);
      wake();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      isClosed = true;
      wake();
    });
    const met = async (what: string, condition: () => boolean): Promise<void> => {
      const late = setTimeout(() => {
        fault ??= `${what}: not within ${withinMs} ms`;
        wake();
      }, withinMs);
      while (fault === undefined && !condition()) await new Promise<void>((resolve) => (wake = resolve));
      clearTimeout(late);
    };
    await met(
      "connected",
      () => isClosed || !socket.connecting || (socket.once("connect", () => wake()), false),
    );
    await this.#write(socket, stream, () => met("CONNECT answered", () => isClosed || answers.count > 0));
    if (judged.end === "open" || judged.end === "partial") {
      await met("all answered", () => isClosed || isComplete(answers, judged));
      if (!isComplete(answers, judged)) fault ??= "closed, though nothing was wrong";
    }
    if (judged.end !== "closed") socket.end();
    await met("closed", () => isClosed);
    socket.destroy();
    if (fault !== undefined)
      throw new Error(
        `${fault}\njudged ${JSON.stringify(judged)}\nanswers ${JSON.stringify(answers)}\nwrites ${stream.writes.join(" ")}, waits ${stream.waits}\n${stream.bytes.toString("hex")}`,
      );
  }

  async #write(socket: Socket, stream: HostileStream, connected: () => Promise<void>): Promise<void> {
    let at = 0;
    for (const [n, length] of stream.writes.entries()) {
      if (socket.destroyed) return;
      socket.write(stream.bytes.subarray(at, at + length));
      at += length;
      const isAnswered = (): boolean =>
        Model.judge(stream.bytes.subarray(0, at), this.#user, this.#bounds).end !== "partial";
      if (n === 0 && stream.waits && isAnswered()) await connected();
      else if (stream.writes.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    if (socket.writableNeedDrain && !socket.destroyed)
      await Promise.race([once(socket, "drain"), once(socket, "close")]);
  }
}
