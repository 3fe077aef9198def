/** Devices that the load publishes for. */
export const loadDevices = 100;
const stepMs = 100;

/** A run of messages of the load: the same numbers give the same messages. */
export interface Workload {
  /** Values a message: one in 130 bytes, or five. */
  values: 1 | 5;
  /** Number of the first message; no two runs against one target share a number. */
  first: number;
  messages: number;
  /** Measuring time of message 0, epoch milliseconds; each round of the devices is 100 ms later. */
  sinceMs: number;
}

/** Writes topic and payload of message `n` of a workload; the payload is a bin's reading. */
export function messageOf(
  { values, first, sinceMs }: Workload,
  n: number,
): { topic: string; payload: string } {
  const number = first + n;
  const time = new Date(sinceMs + Math.floor(number / loadDevices) * stepMs).toISOString();
  const fill = number % 100;
  const payload =
    values === 1
      ? `{"time":"${time}","fill_percent":${fill},"fraction":"bio"${" ".repeat(60 + (fill < 10 ? 1 : 0))}}`
      : `{"time":"${time}","fill_percent":${fill},"temperature_celsius":11.${number % 10},"battery_v":3.6,"weight_kg":${fill},"rssi_dbm":-80}`;
  return { topic: `readings/bin-${number % loadDevices}`, payload };
}

/** Hands out runs of messages, one after another. */
export class Workloads {
  readonly #sinceMs = Date.now() - 50 * 60_000;
  #next = 0;

  /** The next run; its readings are of the last hour. */
  take(messages: number, values: 1 | 5): Workload {
    const first = this.#next;
    this.#next += Math.ceil(messages / loadDevices) * loadDevices;
    return { values, first, messages, sinceMs: this.#sinceMs };
  }
}
