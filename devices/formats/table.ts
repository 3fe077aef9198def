import type { Codec } from "../codec.js";
import { isNativeTopic, nativeJson } from "./native-json.js";

/** The codec of a topic; undefined for topics that carry no readings (an application's own). */
export function codecFor(topic: string): Codec | undefined {
  return isNativeTopic(topic) ? nativeJson : undefined;
}
