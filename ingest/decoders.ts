import {
  type CodecEntry,
  type CodecInput,
  type CodecLibrary,
  ObiegError,
  type RegistryView,
} from "../devices/index.js";
import { warningCode } from "./quarantine.js";
import type { History } from "./stores/port.js";

/** What waits in quarantine of a model's devices; `isMore`: it was counted no further. */
export interface Waiting {
  entries: number;
  isMore: boolean;
}

/** The decoders of the running service, as the dashboards change them. */
export interface DecoderShelf {
  /** By model. */
  list(): CodecEntry[];
  of(model: string): CodecEntry | undefined;
  /** What waits in quarantine of a model's devices. */
  waiting(model: string): Promise<Waiting>;
  /**
   * Adds or replaces; in force with the next message. Throws `codec-in-city`: a source names one for the model, which comes first;
   * `codec-invalid`, `codec-examples-differ`.
   */
  put(model: string, input: CodecInput, who: string): Promise<CodecEntry>;
  /** False when there is none. */
  remove(model: string): Promise<boolean>;
}

const page = 1_000;
const mostCounted = 10_000;

/** Ids of the devices of a model. */
export const devicesOfModel = (registry: RegistryView, model: string): string[] =>
  registry.devices().flatMap((device) => (device.model === model ? [device.id] : []));

/** Opens the shelf; `onChange` is called when a change is in force. */
export function openDecoderShelf(
  library: CodecLibrary,
  registry: RegistryView,
  history: Pick<History, "quarantine">,
  onChange: () => void,
): DecoderShelf {
  return {
    list: () => library.list(),
    of: (model) => library.of(model),
    async waiting(model) {
      const devices = devicesOfModel(registry, model);
      let entries = 0;
      for (let cursor: string | undefined; entries < mostCounted;) {
        const found = await history.quarantine({
          devices,
          status: "open",
          limit: page,
          ...(cursor === undefined ? {} : { cursor }),
        });
        entries += found.items.filter(({ reason }) => reason !== warningCode).length;
        if (found.next === undefined) return { entries, isMore: false };
        cursor = found.next;
      }
      return { entries, isMore: true };
    },
    async put(model, input, who) {
      if (registry.sources().some(({ decoders }) => decoders?.some((one) => one.model === model)))
        throw new ObiegError(
          "codec-in-city",
          `a source of the city file names a decoder for ${model}, and comes first: change it there`,
        );
      const entry = await library.put(model, input, who);
      onChange();
      return entry;
    },
    async remove(model) {
      const isRemoved = await library.remove(model);
      if (isRemoved) onChange();
      return isRemoved;
    },
  };
}
