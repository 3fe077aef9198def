export { attributeNames, attributesText, fractions, parseAttributes } from "./attributes.js";
export { type Channel, channelSchema, isWebhookSecret } from "./channel.js";
export { type CityFile, type CityOutside, citySchema, parseCity } from "./city.js";
export { type CityMark, isUnchanged, readCityFile, readMarkedCity } from "./city-file.js";
export { CityRegistry, openRegistry } from "./city-registry.js";
export type {
  Answer,
  Codec,
  CodecMark,
  Decoded,
  DecodedField,
  DeviceFields,
  Fault,
  Introduction,
  Lessons,
  Past,
  UnmappedField,
  UplinkCount,
} from "./codec.js";
export { type CodecEntry, type CodecInput, CodecLibrary } from "./codec-library.js";
export { type ErrorOptions, ObiegError } from "./error.js";
export { decodeOrRefuse, decoderFailedCode, refusalOf } from "./failure.js";
export { type FieldGuess, type FieldSamples, guessField } from "./field-guess.js";
export { mappingOf } from "./formats/interpret.js";
export { batchesOf, type LineBatch } from "./formats/line-batch.js";
export { sourceOf } from "./formats/source-of.js";
export { formats, openCodecs } from "./formats/table.js";
export { isIdentifier } from "./identifier.js";
export { expectedReports, type OutsideService, outsideService, type ServiceTime } from "./service-time.js";
export {
  type ImportFault,
  type ImportFile,
  type ImportFormat,
  type ImportPlan,
  planImport,
  readDevices,
} from "./import/index.js";
export { meterSchema, newRegisterSchema } from "./meter.js";
export type { JournalMessage, RawMessage } from "./message.js";
export { deviceClasses, quantities, type Quantity, type QuantityKind, unitOf } from "./quantity.js";
export { quantityName } from "./quantity-name.js";
export type { RegistryChange, RegistryDiff } from "./registry-change.js";
export type {
  CredentialEntry,
  DeviceEntry,
  MeterEntry,
  PlaceEntry,
  RegisterEntry,
  RegistryView,
  SourceEntry,
  SourceMapping,
} from "./registry.js";
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
export { networkOf } from "./network.js";
export { messagesOf, type RawRun, runOf } from "./run.js";
export { hashSecret, newSecret, verifySecret } from "./secret.js";
export { suggestClass, suggestId } from "./suggestion.js";
export { parseTime } from "./time.js";
export { covers, isFilter, isTopic } from "./topic.js";
export { createResolver } from "./unit.js";
export { createValidator, type Validate, type Validated, type ValidationLimits } from "./validation.js";
export type { Value } from "./value.js";
export { type FaultReport, type FileFault, parseYamlFile, type YamlFileOptions } from "./yaml-file.js";
