import type { ParsedPresence } from "./format.js";

const longest = 32;

/**
 * Reads the text by which a device says that it is there, or its last will that it isn't; any other text says nothing.
 * `also`: identities that come and go with it.
 */
export function presenceOf(
  payload: Uint8Array,
  [there, gone]: readonly [there: string, gone: string],
  also: readonly string[] = [],
): { presence?: ParsedPresence[] } {
  if (payload.length > longest) return {};
  const text = Buffer.from(payload).toString("latin1").trim();
  if (text !== there && text !== gone) return {};
  const online = text === there;
  return { presence: [{ online }, ...also.map((identity) => ({ online, identity }))] };
}
