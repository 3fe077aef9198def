import type { Database } from "lmdb";
import type { RegistryStore } from "./city-registry.js";
import { ObiegError } from "./error.js";
import { type Decoders, SandboxOnDemand } from "./formats/sandbox.js";
import type { PayloadCodec } from "./lorawan/index.js";
import type { SourceDecoder } from "./registry.js";

/** A model's decoder that was given to the running service. Times epoch milliseconds. */
export interface CodecEntry extends SourceDecoder {
  script: string;
  version: string;
  /** SHA-256 of the script, hexadecimal. */
  hash: string;
  /** Which function is called: `decodeUplink`, `Decode` or `Decoder`. */
  convention: string;
  changedMs: number;
  changedBy: string;
}

/** A decoder as it is given. `examples`: laid out as in the public device repository. */
export interface CodecInput {
  script: string;
  version?: string | undefined;
  examples?: readonly unknown[] | undefined;
}

/** The decoders that were given to the running service, by model: on disk (table `codecs`), mirrored in memory. */
export class CodecLibrary implements Decoders {
  readonly sandbox = new SandboxOnDemand();
  readonly #store: RegistryStore;
  readonly #table: Database<CodecEntry, string>;
  readonly #clock: () => number;
  readonly #entries = new Map<string, CodecEntry>();

  constructor(store: RegistryStore, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
    this.#table = store.table<CodecEntry>("codecs");
    for (const { key, value } of this.#table.getRange()) this.#entries.set(key, value);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  of(model: string): CodecEntry | undefined {
    return this.#entries.get(model);
  }

  /** By model. */
  list(): CodecEntry[] {
    return [...this.#entries.values()].sort((one, other) => (one.model < other.model ? -1 : 1));
  }

  /**
   * Adds or replaces a model's decoder, once it was loaded and gave what its examples say.
   * Throws `codec-invalid`, `codec-examples-differ` (detail: which and where). Guarantee: resolved means on disk.
   */
  async put(model: string, { script, version, examples = [] }: CodecInput, who: string): Promise<CodecEntry> {
    const codec = await this.#load({ model, script, version });
    if (examples.length > 0) {
      const { checkExamples } = await import("./lorawan/index.js");
      const faults = checkExamples(examples, codec);
      if (faults.length > 0)
        throw new ObiegError("codec-examples-differ", `${faults[0]?.path}: ${faults[0]?.message}`, {
          detail: { faults: faults.slice(0, 50) },
        });
    }
    const { hash, convention } = codec;
    const entry: CodecEntry = {
      model,
      script,
      version: codec.version,
      hash,
      convention,
      changedMs: this.#clock(),
      changedBy: who,
    };
    await this.#store.transaction(() => void this.#table.put(model, entry));
    this.#entries.set(model, entry);
    return entry;
  }

  /** False when there is none. */
  async remove(model: string): Promise<boolean> {
    if (!this.#entries.has(model)) return false;
    await this.#store.transaction(() => void this.#table.remove(model));
    return this.#entries.delete(model);
  }

  async #load(decoder: SourceDecoder): Promise<PayloadCodec> {
    for (;;) {
      const codec = this.sandbox.load(decoder);
      if ("decode" in codec) return codec;
      if ("fault" in codec) throw new ObiegError("codec-invalid", codec.fault.detail);
      await codec.ready;
    }
  }
}
