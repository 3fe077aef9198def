import type { Client, PublishPacket } from "aedes";
import { type RawMessage, type RawRun, runOf } from "../devices/index.js";
import type { BrokerCounters } from "./counters.js";
import type { BrokerLimits } from "./limits.js";
import type { Pace } from "./pace.js";
import { type Credential, isReserved } from "./rights.js";
import { isTopic, levelCount } from "./topics.js";

/** What the broker knows of a connected client. */
export interface Guest {
  user: string;
  clientId: string;
  credential: Credential | undefined;
  address: string;
  /** Topic of its will. */
  will: string | undefined;
  pace: Pace;
}

/** What admission works with. */
export interface AdmissionParts {
  limits: BrokerLimits;
  counters: BrokerCounters;
  clock: () => number;
  admit: (run: RawRun, done: (error?: Error) => void) => void;
  underPressure: () => boolean;
  find: (user: string) => Credential | undefined;
  /** Counts a refusal and makes its error. */
  refusal: (reason: string, who: string, detail: string) => Error;
}

/** Why a topic can't be used here; undefined when it can. */
export function topicFault(topic: string, limits: BrokerLimits): string | undefined {
  if (!isTopic(topic)) return "topic-invalid";
  if (Buffer.byteLength(topic) > limits.topicBytes) return "topic-too-long";
  return levelCount(topic) > limits.topicLevels ? "topic-too-deep" : undefined;
}

/** True when somebody may publish to a topic; anonymous ones (the demo's) only readings. */
export function mayPublish(user: string, topic: string, find: AdmissionParts["find"]): boolean {
  if (user === "anonymous") return !isReserved(topic) && topic.startsWith("readings/");
  return find(user)?.mayPublish(topic) ?? false;
}

/**
 * Makes the check that each published message passes before it is acknowledged.
 * Without a guest it is a will of somebody who was checked when they came in.
 * Guarantee: `done` without an error only after `admit`'s, or when a QoS 0 message was let go under pressure.
 */
export function openAdmission(
  parts: AdmissionParts,
): (
  guest: Guest | undefined,
  client: Client | null,
  packet: PublishPacket,
  done: (error?: Error | null) => void,
) => void {
  const { limits, counters, clock, admit, underPressure, find, refusal } = parts;
  const send = (message: RawMessage, size: number, done: (error?: Error | null) => void): void =>
    admit(runOf(message), (error) => {
      counters.inflightBytes -= size;
      if (error) {
        const { code = "not-admitted" } = error as { code?: string };
        done(refusal(code, message.user, error.message));
        return;
      }
      counters.acknowledged += 1;
      done(null);
    });
  return (guest, client, packet, done) => {
    const user = guest?.user ?? "(will)";
    counters.received += 1;
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const fault =
      topicFault(packet.topic, limits) ??
      (guest && !mayPublish(user, packet.topic, find) ? "not-allowed" : undefined) ??
      (payload.length > limits.messageBytes ? "message-too-large" : undefined) ??
      (counters.inflightBytes + payload.length > limits.inflightBytes ? "inflight-bytes" : undefined);
    if (fault !== undefined) {
      done(refusal(fault, user, `a message to ${packet.topic.slice(0, 100)} was refused: ${fault}`));
      return;
    }
    if (packet.qos === 0 && underPressure()) {
      counters.shed += 1;
      done(null);
      return;
    }
    counters.inflightBytes += payload.length;
    const { topic, qos } = packet;
    const message: RawMessage = {
      topic,
      payload,
      user,
      clientId: client?.id ?? "",
      qos,
      receivedMs: clock(),
    };
    const waitMs = guest?.pace.take() ?? 0;
    if (waitMs === 0) send(message, payload.length, done);
    else {
      counters.slowed += 1;
      setTimeout(send, waitMs, message, payload.length, done);
    }
  };
}
