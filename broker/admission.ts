import type { PublishPacket } from "aedes";
import { isTopic, type RawRun, runOf } from "../devices/index.js";
import type { BrokerCounters } from "./counters.js";
import type { BrokerLimits } from "./limits.js";
import type { Packets } from "./lane.js";
import type { Pace } from "./pace.js";
import type { Credential } from "./rights.js";
import { levelCount } from "./topics.js";

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
  if (user === "anonymous") return topic.startsWith("readings/");
  return find(user)?.mayPublish(topic) ?? false;
}

/** The check that everything published passes before it is acknowledged. */
export interface Admission {
  /** One message. Without a guest it is a will of somebody who was checked when they came in. A repeat was admitted before. */
  message(
    guest: Guest | undefined,
    packet: PublishPacket,
    isRepeat: boolean,
    done: (error?: Error | null) => void,
  ): void;
  /** A run of messages whose topics were checked with {@link topicFault} and {@link mayPublish}, and their sizes. */
  run(guest: Guest, packets: Packets, done: (error?: Error | null) => void): void;
}

/**
 * Makes the check.
 * Guarantee: `done` without an error only after `admit`'s, for a repeat, or when a QoS 0 message was let go under pressure.
 */
export function openAdmission(parts: AdmissionParts): Admission {
  const { limits, counters, clock, admit, underPressure, find, refusal } = parts;
  const send = (run: RawRun, size: number, done: (error?: Error | null) => void): void =>
    admit(run, (error) => {
      counters.inflightBytes -= size;
      if (error) {
        const { code = "not-admitted" } = error as { code?: string };
        done(refusal(code, run.user, error.message));
        return;
      }
      counters.acknowledged += run.count;
      done(null);
    });
  const isTooMuch = (size: number): boolean => counters.inflightBytes + size > limits.inflightBytes;
  /** Sends a run on, at the pace of who sent it. */
  const pass = (
    run: RawRun,
    size: number,
    pace: Pace | undefined,
    done: (error?: Error | null) => void,
  ): void => {
    counters.inflightBytes += size;
    const go = (): void => send(run, size, done);
    if (!pace) go();
    else if (pace.pass(run.count, go)) counters.slowed += run.count;
  };
  return {
    message(guest, packet, isRepeat, done) {
      const { topic, qos } = packet;
      const { user = "(will)", clientId = "" } = guest ?? {};
      counters.received += 1;
      const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
      const fault =
        topicFault(topic, limits) ??
        (guest && !mayPublish(user, topic, find) ? "not-allowed" : undefined) ??
        (payload.length > limits.messageBytes ? "message-too-large" : undefined) ??
        (isTooMuch(payload.length) ? "inflight-bytes" : undefined);
      if (fault !== undefined) {
        done(refusal(fault, user, `a message to ${topic.slice(0, 100)} was refused: ${fault}`));
        return;
      }
      if (isRepeat) {
        done(null);
        return;
      }
      if (qos === 0 && underPressure()) {
        counters.shed += 1;
        done(null);
        return;
      }
      const run = runOf({ topic, payload, user, clientId, qos, receivedMs: clock() });
      pass(run, payload.length, guest?.pace, done);
    },
    run({ user, clientId, pace }, packets, done) {
      counters.received += packets.count;
      const size = packets.end - packets.start;
      if (isTooMuch(size)) {
        done(
          refusal("inflight-bytes", user, "messages were refused: too many bytes are on their way to disk"),
        );
        return;
      }
      pass({ ...packets, user, clientId, receivedMs: clock() }, size, pace, done);
    },
  };
}
