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
      const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        await new Promise<void>((resolve, reject) => {
          ended.addEventListener("abort", () => reject(new Error("the broker didn't take it in time")));
          publish(alertTopic(body), body.state === "resolved" ? "" : JSON.stringify(body), true).then(
            resolve,
            reject,
          );
        });
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
