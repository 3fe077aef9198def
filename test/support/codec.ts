import { openSandbox, type Outcome, type PayloadCodec, type Sandbox } from "../../devices/lorawan/index.js";

/** When the frames of these tests were received. */
export const receivedMs = Date.parse("2026-11-23T06:15:02.201Z");

/** A sandbox, and what tests do with one. */
export interface Bench {
  sandbox: Sandbox;
  load(source: string): PayloadCodec;
  decode(codec: PayloadCodec, bytes?: number[], fPort?: number): Outcome;
  /** What a codec makes of a frame: its data, or its fault. */
  dataOf(source: string, bytes?: number[]): unknown;
  faultOf(source: string): { code: string; detail: string };
}

/** Opens a sandbox for tests. */
export async function openBench(): Promise<Bench> {
  const sandbox = await openSandbox();
  const load: Bench["load"] = (source) => sandbox.load({ name: "own.js", source });
  const decode: Bench["decode"] = (codec, bytes = [1, 2], fPort = 85) =>
    codec.decode({ fPort, bytes: Uint8Array.from(bytes), receivedMs, variables: { empty_mm: "1200" } });
  return {
    sandbox,
    load,
    decode,
    dataOf(source, bytes) {
      const outcome = decode(load(source), bytes);
      return outcome.kind === "decoded" ? outcome.data : outcome.fault;
    },
    faultOf(source) {
      const outcome = decode(load(source));
      return outcome.kind === "failed" ? outcome.fault : { code: "decoded", detail: JSON.stringify(outcome) };
    },
  };
}

/** A decodeUplink with this body. */
export const uplink = (body: string): string => `function decodeUplink(input) { ${body} }`;

/** A decodeUplink that gives this expression as its data. */
export const gives = (data: string): string => uplink(`return { data: ${data} };`);
