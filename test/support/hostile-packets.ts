/** Gives numbers of a seed, the same on every machine (mulberry32). */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }
  chance(share: number): boolean {
    return this.next() < share;
  }
  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }
}

/** Who the packets come from. */
export interface HostileUser {
  user: string;
  secret: string;
  /** Client id of its kept session; other ids are made up, one for each connection. */
  keptId: string;
}

/** What is sent on one connection. */
export interface HostileStream {
  bytes: Buffer;
  /** Lengths of the writes that the bytes go out in. */
  writes: number[];
  /** How many packets were made for it, before they were damaged. */
  packets: number;
  /** True when the second write waits for the answer to CONNECT. */
  waits: boolean;
}

const text = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};
const number = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255]);
const lengthOf = (value: number): Buffer => {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push((left % 128) | (left >= 128 ? 128 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.from(bytes);
};
const packet = (head: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([head]), lengthOf(body.length), body]);
};

/** Bytes that texts, ids and flags stumble over. */
const sharp: [Buffer, ...Buffer[]] = [
  Buffer.from([0]),
  Buffer.from([0, 0]),
  Buffer.from([0xff]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xc0, 0x80]),
  Buffer.from([0xf4, 0x90, 0x80, 0x80]),
  Buffer.from("\uFFFD"),
  Buffer.from("\uFEFF"),
  Buffer.from("+"),
  Buffer.from("#"),
  Buffer.from("/"),
  Buffer.from("$SYS/"),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f]),
];

/** Makes streams of packets, good and bad, from a seed. */
export class HostilePackets {
  readonly #dice: Dice;
  readonly #who: HostileUser;
  #serial = 0;

  constructor(seed: number, who: HostileUser) {
    this.#dice = new Dice(seed);
    this.#who = who;
  }

  /** The first connection's stream: its kept session, so that it has one before made-up ids take what room there is. */
  first(): HostileStream {
    const subscribe = packet(0x82, number(1), text("fuzz/1"), Buffer.from([1]));
    const packets = [this.#connect(true), subscribe];
    return this.#stream(packets, packets[0]?.length ?? 0);
  }

  /** The next connection's stream. */
  next(): HostileStream {
    const dice = this.#dice;
    const packets = [this.#connect(), ...Array.from({ length: 1 + dice.below(24) }, () => this.#packet())];
    if (dice.chance(0.3)) packets.push(packet(0xe0));
    const first = packets[0] ?? Buffer.alloc(0);
    const kind = dice.next();
    if (kind < 0.25) return this.#stream(packets, first.length);
    if (kind < 0.6) this.#damageOne(packets);
    else if (kind < 0.75) for (let n = 2 + dice.below(4); n > 0; n -= 1) this.#damageOne(packets);
    else if (kind < 0.85) this.#disorder(packets);
    else if (kind < 0.95) this.#scribble(packets);
    else this.#splice(packets);
    return this.#stream(packets, first.length);
  }

  #stream(packets: Buffer[], firstLength: number): HostileStream {
    const dice = this.#dice;
    const bytes = Buffer.concat(packets);
    const waits = dice.chance(0.5) && bytes.length > firstLength;
    const writes: number[] = [];
    let left = bytes.length;
    const write = (length: number): void => {
      writes.push(Math.min(length, left));
      left -= Math.min(length, left);
    };
    if (waits) write(firstLength);
    const most = dice.pick([bytes.length, bytes.length, 400, 40, 7]);
    while (left > 0) write(writes.length > 60 ? left : 1 + dice.below(most));
    return { bytes, writes, packets: packets.length, waits };
  }

  #connect(isFirst = false): Buffer {
    const dice = this.#dice;
    const isKept = isFirst || dice.chance(0.15);
    const hasWill = dice.chance(0.1);
    this.#serial += 1;
    const id = isKept ? this.#who.keptId : dice.chance(0.05) ? "" : `${this.#who.keptId}.${this.#serial}`;
    const secret = !isFirst && dice.chance(0.03) ? "wrong" : this.#who.secret;
    const flags = 0xc0 | (isKept ? 0 : 2) | (hasWill ? 4 | (dice.below(3) << 3) : 0);
    const will = hasWill ? [text(this.#topic()), text("gone")] : [];
    const [name, level] = !isFirst && dice.chance(0.04) ? (["MQIsdp", 3] as const) : (["MQTT", 4] as const);
    const head = [text(name), Buffer.from([level, flags]), number(dice.pick([0, 60, 65_535]))];
    return packet(0x10, ...head, text(id), ...will, text(this.#who.user), text(secret));
  }

  #topic(): string {
    const dice = this.#dice;
    const id = dice.below(50);
    return dice.pick([
      `readings/bin-f${id}`,
      `readings/bin-f${id}`,
      `fuzz/${id}`,
      "fuzz/a/b",
      "readings/bin-\uFFFDé",
    ]);
  }

  #filter(): string {
    return this.#dice.pick([
      "fuzz/+",
      "fuzz/#",
      "fuzz/1",
      "fuzz/a/+",
      "rejections/bin-f1",
      "#",
      "readings/+",
    ]);
  }

  #packet(): Buffer {
    const dice = this.#dice;
    // Few of them on purpose: what isn't released stays in a kept session.
    const id = number(dice.chance(0.5) ? 1 + dice.below(400) : 65_535 - dice.below(400));
    const kind = dice.next();
    if (kind < 0.6) return this.#publish(id);
    if (kind < 0.68) {
      const asked = Array.from({ length: 1 + dice.below(3) }, () =>
        Buffer.concat([text(this.#filter()), Buffer.from([dice.below(3)])]),
      );
      return packet(0x82, id, ...asked);
    }
    if (kind < 0.74)
      return packet(0xa2, id, ...Array.from({ length: 1 + dice.below(3) }, () => text(this.#filter())));
    if (kind < 0.86) return packet(0xc0);
    if (kind < 0.94) return packet(0x62, id);
    return packet(dice.pick([0x40, 0x50, 0x70]), id);
  }

  #publish(id: Buffer): Buffer {
    const dice = this.#dice;
    const qos = dice.pick([0, 1, 1, 1, 2]);
    const head = 0x30 | (qos << 1) | (qos > 0 && dice.chance(0.1) ? 8 : 0) | (dice.chance(0.03) ? 1 : 0);
    const payload = dice.pick([
      '{"fill_percent": 12.5}',
      '{"fill_percent": "x"}',
      "",
      "\0\0",
      `[${"1,".repeat(dice.below(600))}1]`,
    ]);
    return packet(head, text(this.#topic()), ...(qos > 0 ? [id] : []), Buffer.from(payload));
  }

  #damageOne(packets: Buffer[]): void {
    const dice = this.#dice;
    const at = dice.below(packets.length);
    const bytes = Buffer.from(packets[at] ?? Buffer.alloc(0));
    const somewhere = dice.below(bytes.length);
    const damages: [() => Buffer, ...(() => Buffer)[]] = [
      // a bit
      () => {
        bytes[somewhere] = (bytes[somewhere] ?? 0) ^ (1 << dice.below(8));
        return bytes;
      },
      // the type or the flags
      () => {
        bytes[0] = dice.below(256);
        return bytes;
      },
      () => {
        bytes[0] = ((bytes[0] ?? 0) & 0xf0) | dice.below(16);
        return bytes;
      },
      // a length that lies
      () => {
        bytes[1] = dice.pick([0, 1, 2, 127, 128, 255, (bytes[1] ?? 0) + 1, (bytes[1] ?? 0) - 1]) & 255;
        return bytes;
      },
      () =>
        Buffer.concat([
          bytes.subarray(0, 1),
          dice.pick([lengthOf(dice.below(9_000)), Buffer.alloc(dice.below(6), 0xff)]),
          bytes.subarray(2),
        ]),
      // cut short
      () => bytes.subarray(0, somewhere),
      // sharp bytes, in place or put between, with the length set right
      () =>
        this.#relength(bytes, (body) =>
          Buffer.concat([body.subarray(0, somewhere), dice.pick(sharp), body.subarray(somewhere)]),
        ),
      () => {
        dice.pick(sharp).copy(bytes, somewhere);
        return bytes;
      },
      // fields cut off or bytes too many, with the length set right
      () => this.#relength(bytes, (body) => body.subarray(0, dice.below(body.length + 1))),
      () =>
        this.#relength(bytes, (body) =>
          Buffer.concat([body, Buffer.alloc(1 + dice.below(4), dice.below(256))]),
        ),
      // an id of 0 where PUBLISH, SUBSCRIBE and the like have it
      () => this.#relength(bytes, (body) => Buffer.concat([Buffer.from([0, 0]), body.subarray(2)])),
    ];
    packets[at] = dice.pick(damages)();
  }

  #relength(bytes: Buffer, change: (body: Buffer) => Buffer): Buffer {
    let from = 1;
    while (from < 5 && ((bytes[from] ?? 0) & 128) !== 0) from += 1;
    const body = change(bytes.subarray(from + 1));
    return Buffer.concat([bytes.subarray(0, 1), lengthOf(body.length), body]);
  }

  #disorder(packets: Buffer[]): void {
    const dice = this.#dice;
    const [first] = packets;
    if (dice.chance(0.4)) packets.shift();
    else if (dice.chance(0.5) && first) packets.splice(1 + dice.below(packets.length), 0, first);
    else packets.splice(1 + dice.below(packets.length), 0, packet(0xe0));
  }

  #scribble(packets: Buffer[]): void {
    const dice = this.#dice;
    const noise = Buffer.from(Array.from({ length: 1 + dice.below(200) }, () => dice.below(256)));
    if (dice.chance(0.3)) packets.length = 0;
    packets.splice(dice.below(packets.length + 1), 0, noise);
  }

  #splice(packets: Buffer[]): void {
    const dice = this.#dice;
    const at = dice.below(packets.length);
    const one = packets[at] ?? Buffer.alloc(0);
    const other = packets[dice.below(packets.length)] ?? Buffer.alloc(0);
    packets[at] = Buffer.concat([
      one.subarray(0, dice.below(one.length + 1)),
      other.subarray(dice.below(other.length + 1)),
    ]);
  }
}
