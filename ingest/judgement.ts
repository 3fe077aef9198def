import {
  type Codec,
  type Decoded,
  decodeOrRefuse,
  type DeviceEntry,
  type DeviceFields,
  type JournalMessage,
  type Past,
  refusalOf,
  type RegistryView,
  type Validate,
  type Validated,
  type ValidationLimits,
} from "../devices/index.js";
import { faultsOfUnknown } from "./quarantine.js";

/** What messages are judged with. */
export interface JudgementParts {
  registry: RegistryView;
  validate: Validate;
  limits: ValidationLimits;
}

/** What a message says of one device, and what validation says of that. */
export interface JudgedPart extends Validated {
  part: DeviceFields;
  /** Undefined when the registry doesn't know it. */
  device: DeviceEntry | undefined;
}

/** A message decoded and validated. */
export interface Judgement {
  decoded: Decoded;
  /** The device that the message counts under first; none when the registry doesn't know that one. */
  parts: JudgedPart[];
}

/**
 * Decodes and validates one message, as it is seen at `nowMs`; one at which the program itself fails is refused as `decoder-failed`.
 * Guarantee: never throws; pure: nothing of a message that failed stands anywhere.
 */
export function judge(
  { registry, validate, limits }: JudgementParts,
  codec: Codec,
  message: JournalMessage,
  nowMs: number,
  past?: Past,
): Judgement {
  const decoded = decodeOrRefuse(codec, message, registry, past);
  if (decoded.kind !== "decoded" || !registry.device(decoded.device)) return { decoded, parts: [] };
  try {
    const parts = [decoded, ...(decoded.others ?? [])].map((part): JudgedPart => {
      const device = registry.device(part.device);
      if (!device) return { part, device, values: [], faults: faultsOfUnknown(part) };
      const { values, faults } = validate(part, device, nowMs, limits);
      return { part, device, values, faults };
    });
    return { decoded, parts };
  } catch (error) {
    return { decoded: refusalOf(codec, error, decoded.device), parts: [] };
  }
}
