import { randomUUID } from "node:crypto";
import type { StateStore } from "../stores/port.js";
import { Inbox, type InboxOptions } from "./inbox.js";

export { type Deliverer, type DelivererParts, deliveryLimits, startDeliverer } from "./deliverer.js";
export { type Inbox, type InboxOptions, mqttChannel } from "./inbox.js";
export type { DeliveryLimits } from "./lane.js";
export { alertTopic, type Publish } from "./mqtt.js";

/** Opens the inbox and its outbox on the state store. Without options: random ids, the wall clock, no webhooks, 50,000 entries. */
export function openAlerts(state: StateStore, options: Partial<InboxOptions> = {}): Inbox {
  return new Inbox(state, {
    idFactory: () => randomUUID(),
    clock: Date.now,
    channels: () => [],
    maxOutboxEntries: 50_000,
    ...options,
  });
}
