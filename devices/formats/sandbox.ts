import type { Fault } from "../codec.js";
import type { PayloadCodec, Sandbox } from "../lorawan/index.js";
import type { SourceDecoder } from "../registry.js";

/** The sandbox, or why it isn't there: it is being started, or couldn't be. */
export type SandboxNow = { sandbox: Sandbox } | { ready: Promise<void> } | { fault: Fault };

/** The sandbox of makers' decoders. It starts when the first frame wants it: a city without decoders never pays for it. */
export class SandboxOnDemand {
  readonly #open: () => Promise<Sandbox>;
  readonly #loaded = new WeakMap<SourceDecoder, PayloadCodec | { fault: Fault }>();
  #now: SandboxNow | undefined;

  constructor(
    open: () => Promise<Sandbox> = async () => (await import("../lorawan/index.js")).openSandbox(),
  ) {
    this.#open = open;
  }

  /** What stands now; `ready` resolves, and never rejects, when it is worth asking again. */
  now(): SandboxNow {
    return (this.#now ??= { ready: this.#start() });
  }

  /** A decoder's script, loaded once; why it can't be; or when to ask again. */
  load(decoder: SourceDecoder): PayloadCodec | { fault: Fault } | { ready: Promise<void> } {
    const before = this.#loaded.get(decoder);
    if (before) return before;
    const now = this.now();
    if (!("sandbox" in now)) return now;
    const { model, script = "", version } = decoder;
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
    this.#loaded.set(decoder, codec);
    return codec;
  }

  async #start(): Promise<void> {
    try {
      this.#now = { sandbox: await this.#open() };
    } catch (error) {
      const detail = `the decoders' engine can't start: ${(error as Error).message}`.slice(0, 300);
      this.#now = { fault: { code: "codec-invalid", path: "", detail } };
    }
  }
}

/** Where the decoders of models are found, apart from those that a source names. */
export interface Decoders {
  readonly sandbox: SandboxOnDemand;
  /** True when it has none at all. */
  readonly isEmpty: boolean;
  of(model: string): SourceDecoder | undefined;
}

/** Decoders that nobody gave. */
export const noDecoders = (sandbox = new SandboxOnDemand()): Decoders => ({
  sandbox,
  isEmpty: true,
  of: () => undefined,
});
