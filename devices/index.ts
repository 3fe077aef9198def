export type { Codec, Decoded, DecodedField, Fault } from "./codec.js";
export { type ErrorOptions, ObiegError } from "./error.js";
export type { JournalMessage, RawMessage } from "./message.js";
export type { DeviceEntry, PlaceEntry, RegistryView } from "./registry.js";
export type { Value } from "./value.js";
