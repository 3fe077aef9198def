import type { CodecMark, Fault } from "../codec.js";
import type { PayloadCodec } from "../lorawan/index.js";
import type { SourceDecoder, SourceEntry } from "../registry.js";
import { lppVersion, readLpp } from "./cayenne-lpp.js";
import type { Frame, ParsedField } from "./format.js";
import type { SandboxOnDemand } from "./sandbox.js";
import { decodedFields, normalizedFields } from "./uplink.js";

/** What a model's decoder made of a frame; `ready`: it can't yet, ask again then. */
export type FrameFields =
  | { fields: ParsedField[]; faults: Fault[]; made: { by: CodecMark; path: string }; warnings: string[] }
  | { fault: Fault }
  | { ready: Promise<void> };

/**
 * Decodes a frame by the decoder that a source names for a model; undefined when it names none.
 * Guarantee: never throws; pure once it is ready.
 */
export type DecodeFrame = (frame: Frame, model: string | undefined) => FrameFields | undefined;

/** Opens the decoders of a source. A script is loaded, and the sandbox started, when its first frame comes. */
export function openDecoders(source: SourceEntry, onDemand: SandboxOnDemand): DecodeFrame {
  const byModel = new Map((source.decoders ?? []).map((one) => [one.model, one]));
  const loaded = new Map<string, PayloadCodec | { fault: Fault }>();
  const load = ({
    model,
    script = "",
    version,
  }: SourceDecoder): PayloadCodec | { fault: Fault } | { ready: Promise<void> } => {
    const before = loaded.get(model);
    if (before) return before;
    const now = onDemand.now();
    if (!("sandbox" in now)) return now;
    let codec: PayloadCodec | { fault: Fault };
    try {
      codec = now.sandbox.load({
        name: model,
        source: script,
        ...(version === undefined ? {} : { version }),
      });
    } catch (error) {
      codec = { fault: { code: "codec-invalid", path: "", detail: (error as Error).message.slice(0, 300) } };
    }
    loaded.set(model, codec);
    return codec;
  };
  return (frame, model) => {
    const named = model === undefined ? undefined : byModel.get(model);
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
    const codec = load(named);
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
}
