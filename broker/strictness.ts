import type { Packet } from "mqtt-packet";
import { isFilter, isTopic } from "../devices/index.js";

const topicFault = (topic: string): string | undefined => (isTopic(topic) ? undefined : "topic-invalid");
const filterFault = (filter: string): string | undefined => (isFilter(filter) ? undefined : "filter-invalid");
const firstOf = <T>(list: readonly T[], fault: (one: T) => string | undefined): string | undefined => {
  for (const one of list) {
    const found = fault(one);
    if (found !== undefined) return found;
  }
  return undefined;
};
/** The parser says -1 when a packet ends before its id. */
const hasId = ({ messageId = 0 }: { messageId?: number | undefined }): boolean => messageId > 0;
const names = new Map([
  [3, "MQIsdp"],
  [4, "MQTT"],
  [5, "MQTT"],
]);

/**
 * True for a CONNECT, read as far as its level, of a level that there is none of.
 * Source: MQTT 3.1.1, 3.1.2.2: it is answered before the connection is closed, whatever follows the level.
 */
export function hasUnknownLevel(packet: Packet): boolean {
  if (packet.cmd !== "connect") return false;
  const { protocolId, protocolVersion } = packet;
  return protocolId === "MQTT" && protocolVersion !== undefined && !names.has(protocolVersion);
}

function connectFault(packet: Packet & { cmd: "connect" }): string | undefined {
  const { protocolId, protocolVersion = 4, clientId, clean = true, will, username, password } = packet;
  if (names.get(protocolVersion) !== protocolId) return "protocol-name";
  if (clientId === "" && !clean) return "client-id-empty";
  if (clientId.includes("\0")) return "client-id-invalid";
  if (username?.includes("\0")) return "user-invalid";
  if (protocolVersion < 5 && password !== undefined && password !== null && username === undefined)
    return "password-without-user";
  if (!will) return undefined;
  if ((will.qos as number) > 2) return "will-qos-3";
  return topicFault(will.topic) === undefined ? undefined : "will-topic";
}

/**
 * Why the fields of a packet don't fill it; `end` is where they end, undefined when all is well.
 * Source: MQTT 3.1.1, 3.1 (CONNECT ends with its last field), 2.3.1 (an id belongs to its packet).
 */
export function fieldsFault(packet: Packet, end: number): string | undefined {
  const { length = 0 } = packet;
  if (end > length) return "length-wrong";
  return packet.cmd === "connect" && end < length ? "length-wrong" : undefined;
}

/**
 * Why a packet that could be read may still not be; undefined when it may.
 * Source: MQTT 3.1.1: 1.5.3 and 4.7 (topics), 2.3.1 (ids), 3.1.2 and 3.1.3 (CONNECT), 3.8.3 and 3.10.3 (filters).
 */
export function packetFault(packet: Packet): string | undefined {
  switch (packet.cmd) {
    case "connect":
      return connectFault(packet);
    case "publish":
      if (packet.qos > 0 && !hasId(packet)) return "packet-id-0";
      // An alias of MQTT 5 stands for a topic told before.
      return packet.topic === "" && packet.properties?.topicAlias !== undefined
        ? undefined
        : topicFault(packet.topic);
    case "subscribe":
      if (!hasId(packet)) return "packet-id-0";
      if (packet.subscriptions.length === 0) return "no-filter";
      return firstOf(packet.subscriptions, ({ topic, qos }) =>
        (qos as number) > 2 ? "qos-3" : filterFault(topic),
      );
    case "unsubscribe":
      if (!hasId(packet)) return "packet-id-0";
      return packet.unsubscriptions.length === 0 ? "no-filter" : firstOf(packet.unsubscriptions, filterFault);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return hasId(packet) ? undefined : "packet-id-0";
    case "auth":
    case "connack":
    case "disconnect":
    case "pingreq":
    case "pingresp":
    case "suback":
    case "unsuback":
      return undefined;
  }
}
