import { generate } from "mqtt-packet";
import { messageOf, type Workload } from "./workload.js";

/** PUBLISH packets of one connection, one after another in one buffer. */
export interface Packets {
  bytes: Buffer;
  /** Where each packet begins, and where the last one ends. */
  offsets: Uint32Array;
  count: number;
}

/** A CONNECT packet, MQTT 3.1.1, clean session, no keep-alive. */
export function connectPacket(clientId: string, user: string, password: string): Buffer {
  return generate({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    clientId,
    keepalive: 0,
    username: user,
    password: Buffer.from(password),
  });
}

/**
 * Encodes a workload for so many connections in turn: QoS 1, packet ids from 1.
 * Source: MQTT 3.1.1, 3.3 (PUBLISH), 2.2.3 (remaining length).
 */
export function encodePackets(load: Workload, connections: number): Packets[] {
  return Array.from({ length: connections }, (_, connection) => {
    const count = Math.ceil((load.messages - connection) / connections);
    const offsets = new Uint32Array(count + 1);
    let bytes = Buffer.allocUnsafe(count * 256);
    let at = 0;
    for (let i = 0; i < count; i += 1) {
      const { topic, payload } = messageOf(load, i * connections + connection);
      const remaining = 4 + topic.length + payload.length;
      if (at + remaining + 5 > bytes.length) bytes = Buffer.concat([bytes], bytes.length * 2);
      offsets[i] = at;
      bytes[at++] = 0x32;
      let length = remaining;
      for (; length > 127; length >>= 7) bytes[at++] = (length & 127) | 128;
      bytes[at++] = length;
      at = bytes.writeUInt16BE(topic.length, at);
      at += bytes.write(topic, at, "latin1");
      at = bytes.writeUInt16BE((i % 65_535) + 1, at);
      at += bytes.write(payload, at, "latin1");
    }
    offsets[count] = at;
    return { bytes: bytes.subarray(0, at), offsets, count };
  });
}
