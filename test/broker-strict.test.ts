import { afterAll, beforeAll, expect, test } from "vitest";
import { generate } from "mqtt-packet";
import { connectPacket, type FrontDoor, openFrontDoor } from "./support/front-door.js";
import { until } from "./support/obieg.js";

let door: FrontDoor;
beforeAll(async () => {
  door = await openFrontDoor();
});
afterAll(() => door.broker.close());

const text = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};
const packet = (first: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([first, body.length]), body]);
};
const id = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
const connect = (flags: number, ...payload: Buffer[]): Buffer =>
  packet(0x10, text("MQTT"), Buffer.from([4, flags, 0, 60]), ...payload);
const user = text("bin-1");
const secret = text("secret of bin-1");
const valid = generate(connectPacket("bin-1"));
const topic = text("readings/bin-1");
const payload = Buffer.from('{"fill_percent": 1}');

/** What MQTT 3.1.1 forbids, by the reason that it is counted under. Bytes go after a CONNECT unless they are one. */
const forbidden: [claim: string, reason: string, bytes: Buffer][] = [
  [
    "a topic that isn't UTF-8",
    "not-utf8",
    packet(0x32, text(Buffer.from([0x72, 0xff, 0xfe])), id(7), payload),
  ],
  [
    "a surrogate in a topic",
    "not-utf8",
    packet(0x32, text(Buffer.from([0x72, 0xed, 0xa0, 0x80])), id(7), payload),
  ],
  [
    "a surrogate in a filter",
    "not-utf8",
    packet(0x82, id(7), text(Buffer.from([0x72, 0xed, 0xa0, 0x80])), Buffer.from([1])),
  ],
  ["a topic that holds U+0000", "topic-invalid", packet(0x32, text("readings/bin-1\0"), id(7), payload)],
  ["a wildcard in a published topic", "topic-invalid", packet(0x32, text("readings/+"), id(7), payload)],
  ["packet id 0 in PUBLISH", "packet-id-0", packet(0x32, topic, id(0), payload)],
  [
    "packet id 0 in SUBSCRIBE",
    "packet-id-0",
    packet(0x82, id(0), text("rejections/bin-1"), Buffer.from([1])),
  ],
  ["packet id 0 in UNSUBSCRIBE", "packet-id-0", packet(0xa2, id(0), text("rejections/bin-1"))],
  ["a PUBLISH that ends before its packet id", "packet-id-0", packet(0x34, topic)],
  ["QoS 3 in PUBLISH", "qos-3", packet(0x36, topic, id(7), payload)],
  ["DUP with QoS 0", "dup-without-qos", packet(0x38, topic, payload)],
  ["UNSUBSCRIBE without a filter", "no-filter", packet(0xa2, id(7))],
  ["SUBSCRIBE without a filter", "no-filter", packet(0x82, id(7))],
  [
    "a filter with a wildcard in a level",
    "filter-invalid",
    packet(0x82, id(7), text("rejections/bin+"), Buffer.from([1])),
  ],
  [
    "reserved flags in SUBSCRIBE",
    "reserved-flags",
    packet(0x80, id(7), text("rejections/bin-1"), Buffer.from([1])),
  ],
  ["reserved flags in PINGREQ", "reserved-flags", packet(0xc1)],
  [
    "reserved bits beside the QoS of a filter",
    "client-error",
    packet(0x82, id(7), text("rejections/bin-1"), Buffer.from([0x05])),
  ],
  ["QoS 3 of a filter", "qos-3", packet(0x82, id(7), text("rejections/bin-1"), Buffer.from([3]))],
  ["packet type 0", "packet-type", packet(0x00)],
  ["packet type 15", "packet-type", packet(0xf0)],
  ["a packet that only a server sends", "packet-type", packet(0x20, Buffer.from([0, 0]))],
  ["a length of five bytes", "length-malformed", Buffer.from([0x32, 0xff, 0xff, 0xff, 0xff, 0x01])],
  ["a length of 10 MB", "packet-too-large", Buffer.from([0x32, 0x80, 0x80, 0x80, 0x05])],
  ["a PUBACK of five bytes", "length-wrong", packet(0x40, id(7), Buffer.from([1, 2, 3]))],
  ["a PINGREQ with a body", "length-wrong", packet(0xc0, Buffer.from([1]))],
  ["a second CONNECT", "connect-repeated", valid],
];
const forbiddenConnects: [claim: string, reason: string, bytes: Buffer][] = [
  ["a PUBLISH before CONNECT", "connect-expected", packet(0x32, topic, id(7), payload)],
  [
    "a wrong protocol name for its level",
    "protocol-name",
    packet(0x10, text("MQIsdp"), Buffer.from([4, 0xc2, 0, 60]), text("x"), user, secret),
  ],
  ["an empty client id with a kept session", "client-id-empty", connect(0xc0, text(""), user, secret)],
  ["a password without a user", "password-without-user", connect(0x42, text("x"), secret)],
  ["a will with QoS 3", "will-qos-3", connect(0xde, text("x"), topic, text(payload), user, secret)],
  ["a will's QoS without a will", "connection-error", connect(0xca, text("x"), user, secret)],
  ["a will's RETAIN without a will", "connection-error", connect(0xe2, text("x"), user, secret)],
  ["CONNECT's reserved flag", "connection-error", connect(0xc3, text("x"), user, secret)],
  [
    "bytes behind CONNECT's last field",
    "length-wrong",
    connect(0xc2, text("x"), user, secret, Buffer.from([0])),
  ],
  [
    "a surrogate in a client id",
    "not-utf8",
    connect(0xc2, text(Buffer.from([0x72, 0xed, 0xa0, 0x80])), user, secret),
  ],
  [
    "a wildcard in a will's topic",
    "will-topic",
    connect(0xc6, text("x"), text("readings/#"), text(payload), user, secret),
  ],
  ["reserved flags in CONNECT", "reserved-flags", Buffer.concat([Buffer.from([0x11]), valid.subarray(1)])],
  ["a CONNECT of 100 kB", "packet-too-large", Buffer.from([0x10, 0xa0, 0x8d, 0x06])],
];

test.each([
  ...forbidden.map((one) => [...one, true] as const),
  ...forbiddenConnects.map((one) => [...one, false] as const),
])(
  "%s closes the connection, counted as %s; nothing is acknowledged or kept, others are served",
  async (_claim, reason, bytes, afterConnect) => {
    const good = await door.connect("gw-1", { clientId: "good" });
    const before = door.refused();
    const all = Object.values(before).reduce((sum, count) => sum + count, 0);
    const admitted = door.admitted.length;
    const raw = await door.socket();
    if (afterConnect) {
      raw.send(valid);
      await until(
        async () => raw.received().length,
        (length) => length >= 4,
      );
    }
    raw.send(bytes);
    await raw.closed;
    const after = door.refused();
    // mqtt-packet finds some of it first: then it is counted as the connection's error.
    const counted = (after[reason] ?? 0) > (before[reason] ?? 0);
    const byParser = ["client-error", "connection-error"].some(
      (name) => (after[name] ?? 0) > (before[name] ?? 0),
    );
    expect([counted || byParser, Object.values(after).reduce((sum, count) => sum + count, 0)]).toEqual([
      true,
      all + 1,
    ]);
    const answered = raw.received().subarray(afterConnect ? 4 : 0);
    expect(answered.toString("hex")).toBe("");
    expect(door.admitted).toHaveLength(admitted);
    await good.publishAsync("readings/bin-2", "{}", { qos: 1 });
    expect(door.admitted.at(-1)).toMatchObject({ topic: "readings/bin-2", user: "gw-1" });
    await good.endAsync();
  },
);

test("packets cut at every byte are read as if they came whole", async () => {
  const raw = await door.socket();
  raw.socket.setNoDelay(true);
  const bytes = Buffer.concat([valid, packet(0x32, topic, id(7), payload), packet(0xc0)]);
  for (const byte of bytes) {
    raw.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(
    async () => raw.received().toString("hex"),
    (hex) => hex === "20020000400200 07d000".replace(" ", ""),
  );
  raw.socket.destroy();
});

test("a topic that holds U+FFFD itself is UTF-8, and published", async () => {
  const raw = await door.socket();
  raw.send(
    generate(connectPacket("gw-1", { clientId: "replacement" })),
    packet(0x32, text("readings/bin-\uFFFD"), id(7), payload),
  );
  await until(
    async () => raw.received().toString("hex"),
    (hex) => hex === "2002000040020007",
  );
  expect(door.admitted.at(-1)).toMatchObject({ topic: "readings/bin-\uFFFD" });
  raw.socket.destroy();
});

test("nothing counts that comes after DISCONNECT", async () => {
  const admitted = door.admitted.length;
  const raw = await door.socket();
  raw.send(Buffer.concat([valid, packet(0xe0), packet(0x32, topic, id(7), payload), packet(0x00)]));
  await raw.closed;
  expect(raw.received().toString("hex")).toBe("20020000");
  expect(door.admitted).toHaveLength(admitted);
});

test("a SUBSCRIBE that names a filter twice is answered with a code for each", async () => {
  const raw = await door.socket();
  const filter = text("rejections/bin-1");
  raw.send(valid, packet(0x82, id(9), filter, Buffer.from([0]), filter, Buffer.from([1])));
  await until(
    async () => raw.received().toString("hex"),
    (hex) => hex === "20020000900400090001",
  );
  raw.socket.destroy();
});

test("what is sent before CONNACK is taken in its order, however much it is", async () => {
  const from = door.admitted.length;
  const raw = await door.socket();
  const publish = (n: number): Buffer =>
    packet(n % 3 === 0 ? 0x34 : 0x32, topic, id(n + 1), Buffer.from(`${n}`));
  raw.send(Buffer.concat([valid, ...Array.from({ length: 200 }, (_, n) => publish(n))]));
  await until(
    async () => raw.received().length,
    (length) => length === 4 + 200 * 4,
  );
  expect(
    door.admitted.slice(from).map(({ payload: bytes }) => Number(Buffer.from(bytes).toString())),
  ).toEqual(Array.from({ length: 200 }, (_, n) => n));
  raw.socket.destroy();
});

test.each([0, 2, 6, 127, 134])(
  "protocol level %i is answered with return code 1 before the connection is closed (MQTT-3.1.2-2)",
  async (level) => {
    const before = door.refused()["protocol-level"] ?? 0;
    const raw = await door.socket();
    raw.send(
      Buffer.concat([
        packet(0x10, text("MQTT"), Buffer.from([level, 0xc2, 0, 60]), text("x"), user, secret),
        packet(0x32, topic, id(7), payload),
      ]),
    );
    await raw.closed;
    expect(raw.received().toString("hex")).toBe("20020001");
    expect(door.refused()["protocol-level"]).toBe(before + 1);
  },
);

test("PUBREL for an id that nothing waits under is answered with PUBCOMP", async () => {
  const raw = await door.socket();
  raw.send(valid, packet(0x62, id(515)));
  await until(
    async () => raw.received().toString("hex"),
    (hex) => hex === "2002000070020203",
  );
  raw.socket.destroy();
});
