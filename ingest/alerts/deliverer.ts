import type { Channel } from "../../devices/index.js";
import { mqttChannel } from "./inbox.js";
import { type DeliveryLimits, Lane } from "./lane.js";
import { openMqtt, type Publish } from "./mqtt.js";
import type { Outbox } from "./outbox.js";
import type { Sender } from "./port.js";
import { openWebhook } from "./webhook.js";

/** What delivery needs from outside. */
export interface DelivererParts {
  outbox: Outbox;
  /** The webhooks as they are now. */
  channels: () => readonly Channel[];
  publish: Publish;
  fetch: typeof fetch;
  clock: () => number;
  /** From 0 to 1, for jitter. */
  random: () => number;
  log: { warn(facts: object, message: string): void };
  /** Calls back once after so many milliseconds, and gives the way to call it off; the real one unless given. */
  timer?: (delayMs: number, done: () => void) => () => void;
  limits?: Partial<DeliveryLimits>;
}

/** The running delivery. */
export interface Deliverer {
  /** Tries at once what may be tried now; resolves when nothing is under way. */
  settle(): Promise<void>;
  /** Ends requests under way; what they carried stays in the outbox. */
  stop(): Promise<void>;
}

/** Bounds of delivery unless told otherwise. */
export const deliveryLimits: DeliveryLimits = {
  timeoutMs: 10_000,
  firstDelayMs: 1_000,
  maxDelayMs: 3_600_000,
  maxPauseMs: 60_000,
  deadAfterMs: 86_400_000,
  deadAttempts: 8,
  concurrency: 8,
};

function realTimer(delayMs: number, done: () => void): () => void {
  const timer = setTimeout(done, delayMs);
  return () => clearTimeout(timer);
}

/**
 * Delivers what the outbox holds and what comes into it.
 * Guarantee: at least once; in order per rule and device on each channel; channels don't delay one another.
 */
export function startDeliverer(parts: DelivererParts): Deliverer {
  const limits = { ...deliveryLimits, ...parts.limits };
  const { outbox, clock, random } = parts;
  const mqtt = openMqtt(parts.publish, limits.timeoutMs);
  const lanes = new Map<string, Lane>();

  const webhook = (id: string): Channel | undefined => parts.channels().find((channel) => channel.id === id);
  const senderOf = (id: string): Sender | undefined => {
    if (id === mqttChannel) return mqtt;
    const channel = webhook(id);
    return channel && openWebhook(channel, { fetch: parts.fetch, clock, timeoutMs: limits.timeoutMs });
  };
  const laneOf = (id: string): Lane => {
    let lane = lanes.get(id);
    if (!lane) {
      lane = new Lane({
        channel: id,
        outbox,
        sender: () => senderOf(id),
        gone: () => outbox.turnOff(id, webhook(id)?.url ?? "", clock()),
        isOff: () => outbox.isOff(id, webhook(id)?.url ?? ""),
        limits,
        clock,
        random,
        timer: parts.timer ?? realTimer,
        warn: (facts, message) => parts.log.warn(facts, message),
      });
      lanes.set(id, lane);
    }
    return lane;
  };

  for (const { key, channel, group, nextMs } of outbox.all()) laneOf(channel).add(key, group, nextMs);
  const forget = outbox.onAdded((keys) => {
    for (const key of keys) {
      const entry = outbox.get(key);
      if (entry) laneOf(entry.channel).add(key, entry.group, entry.nextMs);
    }
    for (const lane of lanes.values()) lane.pump();
  });
  for (const lane of lanes.values()) lane.pump();

  return {
    settle: async () => {
      for (const lane of lanes.values()) lane.pump();
      await Promise.all([...lanes.values()].map((lane) => lane.settled()));
    },
    stop: async () => {
      forget();
      await Promise.all([...lanes.values()].map((lane) => lane.stop()));
    },
  };
}
