export type { Codec, Decoded, DecodedField, Fault } from "./codec.js";
export { type ErrorOptions, ObiegError } from "./error.js";
export type { JournalMessage, RawMessage } from "./message.js";
export type { DeviceEntry, PlaceEntry, RegistryView } from "./registry.js";
export type { Value } from "./value.js";
export { type Channel, channelSchema, isWebhookSecret } from "./channel.js";
export {
  type BilingualText,
  durationSchema,
  isAtLeast,
  matchesGlob,
  type Rule,
  ruleSchema,
  severities,
  type Severity,
  type SilentRule,
  type ThresholdRule,
} from "./rule.js";
