import { Fault, Fields, isFilter, Refusal } from "./mqtt-fields.js";

/** What the service bounds beyond MQTT; a packet outside ends the connection or isn't answered. */
export interface ModelBounds {
  connectBytes: number;
  packetBytes: number;
  payloadBytes: number;
  topicBytes: number;
  topicLevels: number;
}

/** Who the model takes for a good client, and what it may do. */
export interface ModelUser {
  user: string;
  secret: string;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  /** Client ids whose sessions may be kept. */
  mayKeep(clientId: string): boolean;
}

/** A filter of a SUBSCRIBE. */
export interface AskedFilter {
  filter: string;
  qos: number;
}

/** What may come back on a stream of bytes. */
export interface Judgement {
  connack: "none" | "refused" | "accepted";
  clientId: string;
  /** Packet ids of what may be answered, in the order in which they may be. */
  puback: number[];
  pubrec: number[];
  pubcomp: number[];
  pubrel: number[];
  unsuback: number[];
  suback: { id: number; codes: number }[];
  pingresp: number;
  /** Messages that may be kept, a will included. */
  messages: number;
  /** Filters that may have been granted, with the QoS asked for. */
  filters: AskedFilter[];
  /**
   * `open`: all of it must be answered. `partial`: so too, but the last packet isn't whole. `closed`: the connection has to be closed.
   * `any`: the service may go on or close, as a bound of its own or an answer to nothing came up.
   */
  end: "open" | "partial" | "closed" | "any";
  /** What ended it. */
  why: string;
}

/** Judges what one client sent on one connection by MQTT 3.1.1, written from the specification alone. */
export class Model {
  readonly #user: ModelUser;
  readonly #bounds: ModelBounds;
  #found: Judgement = Model.#empty();
  #will = false;
  #isKept = false;
  /** Why the service refused something, if it did. */
  #refused = "";

  private constructor(user: ModelUser, bounds: ModelBounds) {
    this.#user = user;
    this.#bounds = bounds;
  }

  /** What may come back on a connection that carries these bytes. */
  static judge(stream: Buffer, user: ModelUser, bounds: ModelBounds): Judgement {
    return new Model(user, bounds).#run(stream);
  }

  static #empty(): Judgement {
    return {
      connack: "none",
      clientId: "",
      puback: [],
      pubrec: [],
      pubcomp: [],
      pubrel: [],
      unsuback: [],
      suback: [],
      pingresp: 0,
      messages: 0,
      filters: [],
      end: "open",
      why: "",
    };
  }

  /** While a refusal is on its way, answers to what the service sent and signs of life may still be taken. */
  #overtake(type: number, fields: Fields): string | undefined {
    if (type === 5) this.#found.pubrel.push(fields.id());
    if (type === 12) this.#found.pingresp += 1;
    return type === 14 ? "DISCONNECT" : undefined;
  }

  #judge(head: number, fields: Fields): string | undefined {
    try {
      return this.#packet(head, fields);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refused = error.message;
      return undefined;
    }
  }

  #run(stream: Buffer): Judgement {
    let at = 0;
    try {
      for (let isFirst = true; at < stream.length; isFirst = false) {
        const head = stream[at] ?? 0;
        this.#checkHead(head, isFirst);
        const length = this.#length(stream, at + 1, isFirst);
        if (length === undefined) return this.#stop("partial", "a length isn't whole");
        this.#checkLength(head >> 4, length.value);
        const from = at + 1 + length.bytes;
        if (from + length.value > stream.length) return this.#stop("partial", "a packet isn't whole");
        const fields = new Fields(stream.subarray(from, from + length.value));
        const isLast = this.#refused === "" ? this.#judge(head, fields) : this.#overtake(head >> 4, fields);
        if (isLast !== undefined) return this.#stop("closed", isLast);
        at = from + length.value;
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return this.#stop("closed", error.message);
    }
    return this.#stop(this.#found.end, this.#found.why);
  }

  #stop(end: Judgement["end"], why: string): Judgement {
    if (this.#will) this.#found.messages += 1;
    if (this.#refused !== "") return { ...this.#found, end: "closed", why: this.#refused };
    // What may be closed at any time stays so.
    const isLoose = this.#found.end === "any" && end !== "closed";
    return { ...this.#found, end: isLoose ? "any" : end, why: isLoose ? this.#found.why : why };
  }

  #checkHead(head: number, isFirst: boolean): void {
    const type = head >> 4;
    const flags = head & 15;
    if (isFirst && type !== 1) throw new Fault("the first packet isn't CONNECT");
    if (!isFirst && type === 1) throw new Fault("a second CONNECT");
    if ([0, 2, 9, 11, 13, 15].includes(type)) throw new Fault(`a client doesn't send type ${type}`);
    if (type === 3) {
      if (((flags >> 1) & 3) === 3) throw new Fault("QoS 3");
      if (((flags >> 1) & 3) === 0 && (flags & 8) !== 0) throw new Fault("DUP with QoS 0");
    } else if (flags !== ([6, 8, 10].includes(type) ? 2 : 0)) throw new Fault("reserved flags");
  }

  #length(stream: Buffer, from: number, isFirst: boolean): { value: number; bytes: number } | undefined {
    let value = 0;
    for (let n = 0; n < 4; n += 1) {
      const byte = stream[from + n];
      if (byte === undefined) return undefined;
      value += (byte & 127) * 128 ** n;
      if (byte < 128) {
        const most = isFirst ? this.#bounds.connectBytes : this.#bounds.packetBytes;
        if (value > most) throw new Fault("longer than the service takes");
        return { value, bytes: n + 1 };
      }
    }
    throw new Fault("a length of more than four bytes");
  }

  #checkLength(type: number, length: number): void {
    if ((type === 12 || type === 14) && length !== 0) throw new Fault("a body where none is");
    if (type >= 4 && type <= 7 && length !== 2) throw new Fault("an acknowledgement of another length");
  }

  /** Acts on one packet; gives why the connection ends after it. */
  #packet(head: number, fields: Fields): string | undefined {
    const found = this.#found;
    switch (head >> 4) {
      case 1:
        return this.#connect(fields);
      case 3:
        this.#publish(head & 15, fields);
        break;
      case 4:
      case 7:
        fields.id();
        this.#loosen("an acknowledgement of nothing");
        break;
      case 5:
        found.pubrel.push(fields.id());
        this.#loosen("an acknowledgement of nothing");
        break;
      case 6: {
        const id = fields.id();
        found.pubcomp.push(id);
        break;
      }
      case 8:
        this.#subscribe(fields);
        break;
      case 10:
        this.#unsubscribe(fields);
        break;
      case 12:
        found.pingresp += 1;
        break;
      default:
        this.#will = false;
        return "DISCONNECT";
    }
    return undefined;
  }

  #loosen(why: string): void {
    this.#found.end = "any";
    this.#found.why = why;
  }

  #connect(fields: Fields): string | undefined {
    const name = fields.text();
    const level = fields.byte();
    if (name !== "MQTT" && name !== "MQIsdp") throw new Fault("another protocol");
    // 131 and 132 are bridges' 3 and 4.
    const version = level & 127;
    if (version !== 3 && version !== 4) {
      this.#found.connack = "refused";
      return "a protocol level that isn't spoken";
    }
    if (name !== (version === 3 ? "MQIsdp" : "MQTT")) throw new Fault("the name of another level");
    const flags = fields.byte();
    if ((flags & 1) !== 0) throw new Fault("the reserved flag of CONNECT");
    const has = (bit: number): boolean => (flags & bit) !== 0;
    const willQos = (flags >> 3) & 3;
    if (willQos === 3) throw new Fault("a will with QoS 3");
    if (!has(4) && (flags & 0x38) !== 0) throw new Fault("flags of a will without one");
    if (has(64) && !has(128)) throw new Fault("a password without a user");
    fields.number();
    const clientId = fields.text();
    this.#isKept = !has(2);
    if (clientId === "" && this.#isKept) throw new Fault("a kept session without a client id");
    let will: string | undefined;
    if (has(4)) {
      will = fields.text();
      fields.binary();
      this.#checkTopic(will);
    }
    const user = has(128) ? fields.text() : "";
    const secret = has(64) ? fields.binary().toString() : "";
    fields.end();
    const mayWill = will === undefined || (this.#isShort(will) && this.#user.mayPublish(will));
    const isLong = version === 3 && clientId.length > 128;
    if (user !== this.#user.user || secret !== this.#user.secret || !mayWill || isLong) {
      this.#found.connack = "refused";
      return "refused";
    }
    this.#will = will !== undefined;
    this.#found.connack = "accepted";
    this.#found.clientId = clientId;
    return undefined;
  }

  #checkTopic(topic: string): void {
    if (topic === "") throw new Fault("an empty topic");
    if (/[+#]/.test(topic)) throw new Fault("a wildcard in a topic");
  }

  #isShort(topic: string): boolean {
    const { topicBytes, topicLevels } = this.#bounds;
    return Buffer.byteLength(topic) <= topicBytes && topic.split("/").length <= topicLevels;
  }

  #publish(flags: number, fields: Fields): void {
    const qos = (flags >> 1) & 3;
    const topic = fields.text();
    this.#checkTopic(topic);
    const id = qos > 0 ? fields.id() : 0;
    const payload = fields.rest();
    if (!this.#isShort(topic) || payload.length > this.#bounds.payloadBytes)
      throw new Refusal("beyond a bound of the service");
    if (!this.#user.mayPublish(topic)) throw new Refusal("a topic that isn't this user's");
    const found = this.#found;
    found.messages += 1;
    if (qos === 1) found.puback.push(id);
    if (qos === 2) {
      this.#keep();
      found.pubrec.push(id);
    }
  }

  /** A session is kept: the service may have no room for one more. */
  #keep(): void {
    if (this.#isKept && !this.#user.mayKeep(this.#found.clientId)) this.#loosen("one kept session more");
  }

  #subscribe(fields: Fields): void {
    const id = fields.id();
    const filters: AskedFilter[] = [];
    do {
      const filter = fields.text();
      if (!isFilter(filter)) throw new Fault("a filter that can't be");
      const qos = fields.byte();
      if (qos > 2) throw new Fault("reserved bits or QoS 3 of a filter");
      filters.push({ filter, qos });
    } while (!fields.isOver);
    if (filters.some(({ filter }) => !this.#isShort(filter))) this.#loosen("beyond a bound of the service");
    this.#keep();
    this.#found.suback.push({ id, codes: filters.length });
    this.#found.filters.push(...filters.filter(({ filter }) => this.#user.maySubscribe(filter)));
  }

  #unsubscribe(fields: Fields): void {
    const id = fields.id();
    do {
      const filter = fields.text();
      if (!isFilter(filter)) throw new Fault("a filter that can't be");
      if (!this.#isShort(filter)) this.#loosen("beyond a bound of the service");
    } while (!fields.isOver);
    this.#found.unsuback.push(id);
  }
}
