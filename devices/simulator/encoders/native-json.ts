import type { DeviceEntry } from "../../registry.js";
import type { Encoder } from "./encoder.js";

/** Our own format: an object a reading, to `readings/{device}`. */
export function encodeNative({ id }: DeviceEntry): Encoder {
  const topic = `readings/${id}`;
  return {
    encode: (timeMs, reading) => [
      { topic, payload: JSON.stringify({ time: new Date(timeMs).toISOString(), ...reading }) },
    ],
  };
}
