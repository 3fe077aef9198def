import type { CodecMark, Fault } from "../codec.js";
import type { Decoders } from "./sandbox.js";
import type { SourceEntry } from "../registry.js";
import { lppVersion, readLpp } from "./cayenne-lpp.js";
import type { Frame, ParsedField } from "./format.js";
import { decodedFields, normalizedFields } from "./uplink.js";

/** What a model's decoder made of a frame; `ready`: it can't yet, ask again then. */
export type FrameFields =
  | { fields: ParsedField[]; faults: Fault[]; made: { by: CodecMark; path: string }; warnings: string[] }
  | { fault: Fault }
  | { ready: Promise<void> };

/**
 * Decodes a frame by the decoder of a model; undefined when it has none.
 * Guarantee: never throws; pure once it is ready.
 */
export interface FrameDecoder {
  /** True when some model has one. */
  readonly hasAny: boolean;
  decode(frame: Frame, model: string | undefined): FrameFields | undefined;
}

/** Opens the decoders of a source; of what it doesn't name, those of `others`. A script is loaded when its first frame comes. */
export function openDecoders(source: SourceEntry, others: Decoders): FrameDecoder {
  const byModel = new Map((source.decoders ?? []).map((one) => [one.model, one]));
  const decode: FrameDecoder["decode"] = (frame, model) => {
    const named = model === undefined ? undefined : (byModel.get(model) ?? others.of(model));
    if (!named) return undefined;
    const { bytes, fPort, timeMs, path, beside } = frame;
    const at = (faults: readonly Fault[]): Fault[] =>
      faults.map((fault) => ({ ...fault, path: `${path}${fault.path}` }));
    if (named.format === "cayenne-lpp") {
      const { fields, faults } = readLpp(bytes, timeMs);
      const placed = fields.map((field) => ({ ...field, path: `${path}${field.path}` }));
      const by = { model: named.model, version: `cayenne-lpp ${lppVersion}`, hash: "" };
      return { fields: [...placed, ...beside], faults: at(faults), made: { by, path }, warnings: [] };
    }
    const codec = others.sandbox.load(named);
    if (!("decode" in codec)) return codec;
    const outcome = codec.decode({ fPort, bytes, receivedMs: timeMs });
    if (outcome.kind === "failed") {
      const warned = outcome.warnings.length > 0 ? ` (warned: ${outcome.warnings.join("; ")})` : "";
      const detail = `${named.model} ${codec.version}: ${outcome.fault.detail}${warned}`.slice(0, 300);
      return { fault: { ...outcome.fault, path, detail } };
    }
    const { data, normalized, faults, warnings } = outcome;
    const fields = normalized
      ? normalizedFields(normalized, path, timeMs)
      : decodedFields(data, path, timeMs);
    const by = { model: named.model, version: codec.version, hash: codec.hash };
    return { fields: [...fields, ...beside], faults: at(faults), made: { by, path }, warnings };
  };
  return {
    get hasAny() {
      return byModel.size > 0 || !others.isEmpty;
    },
    decode,
  };
}
