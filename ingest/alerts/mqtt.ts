import { withDeadline } from "./deadline.js";
import type { OutboxEntry, Sender } from "./port.js";

/** Publishes on our own broker; resolved means that the broker took it. */
export type Publish = (topic: string, payload: string, retain: boolean) => Promise<void>;

/** The topic of an alert: `alerts/{place}/{rule}/{device}`. */
export function alertTopic({
  place,
  rule,
  device,
}: Pick<OutboxEntry["body"], "place" | "rule" | "device">): string {
  return `alerts/${place}/${rule}/${device}`;
}

/** A channel of retained messages: JSON while the alert is open, an empty payload (which removes it) once resolved. */
export function openMqtt(publish: Publish, timeoutMs: number): Sender {
  return {
    send: async (entry, signal) => {
      const { body } = entry;
      const payload = body.state === "resolved" ? "" : JSON.stringify(body);
      const take = (ended: AbortSignal): Promise<void> =>
        new Promise((resolve, reject) => {
          const late = (): void => reject(new Error("the broker didn't take it in time"));
          if (ended.aborted) late();
          else ended.addEventListener("abort", late);
          publish(alertTopic(body), payload, true).then(resolve, reject);
        });
      try {
        await withDeadline(signal, timeoutMs, take);
        return { kind: "delivered" };
      } catch (error) {
        return {
          kind: "failed",
          fault: (error instanceof Error ? error.message : "not published").slice(0, 300),
        };
      }
    },
  };
}
