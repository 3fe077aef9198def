import type { Fault } from "../codec.js";
import type { Sandbox } from "../lorawan/index.js";

/** The sandbox, or why it isn't there: it is being started, or couldn't be. */
export type SandboxNow = { sandbox: Sandbox } | { ready: Promise<void> } | { fault: Fault };

/** The sandbox of makers' decoders. It starts when the first frame wants it: a city without decoders never pays for it. */
export class SandboxOnDemand {
  readonly #open: () => Promise<Sandbox>;
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

  async #start(): Promise<void> {
    try {
      this.#now = { sandbox: await this.#open() };
    } catch (error) {
      const detail = `the decoders' engine can't start: ${(error as Error).message}`.slice(0, 300);
      this.#now = { fault: { code: "codec-invalid", path: "", detail } };
    }
  }
}
