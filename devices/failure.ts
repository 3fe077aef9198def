import type { Codec, Decoded, Past } from "./codec.js";
import type { RawMessage } from "./message.js";
import type { RegistryView } from "./registry.js";

/** Reason of a message at which a decoder of ours failed, or the judge of what it gave: a mistake of the program, which costs no other message. */
export const decoderFailedCode = "decoder-failed";

/** Refuses a message at which a codec failed; `device`: where it could be told. */
export function refusalOf(
  { format, version }: Pick<Codec, "format" | "version">,
  error: unknown,
  device?: string,
): Extract<Decoded, { kind: "refused" }> {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : "what it threw is no error";
  const text = `${format} ${version} failed at this message: ${what.slice(0, 150)}; mended by a newer version: replay then`;
  return {
    kind: "refused",
    device,
    fault: { code: decoderFailedCode, path: "", detail: text.slice(0, 300) },
  };
}

/** Decodes a message, or refuses it. Guarantee: never throws, whatever the codec does. */
export function decodeOrRefuse(
  codec: Codec,
  message: RawMessage,
  registry: RegistryView,
  past?: Past,
): Decoded {
  try {
    return codec.decode(message, registry, past);
  } catch (error) {
    return refusalOf(codec, error);
  }
}
