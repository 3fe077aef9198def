import type { CodecEntry } from "../../devices/index.js";
import type { IngestView } from "../../ingest/index.js";

/** Decoders in memory, taken as they are given. */
export function fakeCodecs(): IngestView["codecs"] {
  const entries = new Map<string, CodecEntry>();
  return {
    list: () => [...entries.values()],
    of: (model) => entries.get(model),
    waiting: async () => ({ entries: 2, isMore: false }),
    async put(model, { script, version = "0" }, who) {
      const entry = {
        model,
        script,
        version,
        hash: "00",
        convention: "Decoder",
        changedMs: 0,
        changedBy: who,
      };
      entries.set(model, entry);
      return entry;
    },
    remove: async (model) => entries.delete(model),
  };
}
