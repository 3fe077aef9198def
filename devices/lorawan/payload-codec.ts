import { createHash } from "node:crypto";
import type { Fault } from "../codec.js";
import { ObiegError } from "../error.js";
import { shortText } from "../short-text.js";
import { Engine, type EngineLimits } from "./engine.js";

/** Any value of JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** An object of JSON. */
export type JsonObject = { [key: string]: Json };

/** One uplink frame as a network server hands it to a codec. */
export interface Uplink {
  fPort: number;
  bytes: Uint8Array;
  /** When it was received, epoch milliseconds: the codec's `recvTime`, and what its clock says. */
  receivedMs: number;
  /** Texts of the device's own, ChirpStack's `variables`. */
  variables?: Readonly<Record<string, string>>;
}

/** What a codec made of a frame. Texts are the codec's own: bounded, but never to be trusted as markup. */
export type Outcome =
  | { kind: "decoded"; data: JsonObject; normalized?: JsonObject[]; warnings: string[]; faults: Fault[] }
  | { kind: "failed"; fault: Fault; warnings: string[] };

/** A maker's decoder, loaded. Guarantee: `decode` is pure (the same frame gives the same outcome) and never throws. */
export interface PayloadCodec {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the source, hexadecimal. */
  readonly hash: string;
  /** Which function is called: `decodeUplink`, `Decode` or `Decoder`. */
  readonly convention: string;
  decode(uplink: Uplink): Outcome;
}

/** A codec as it is given. */
export interface CodecSource {
  name: string;
  /** Without one, the first 12 digits of the hash. */
  version?: string;
  /** JavaScript, up to 512 KiB. */
  source: string;
}

/** Where codecs run, apart from everything and from one another. */
export interface Sandbox {
  /** Throws `codec-invalid` when it doesn't parse, throws, takes too much while loading, or has no function to call. */
  load(codec: CodecSource): PayloadCodec;
}

const maxSource = 512 * 1_024;
const maxFrame = 1_024;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Starts a sandbox: one engine for any number of codecs. */
export async function openSandbox(limits?: EngineLimits): Promise<Sandbox> {
  const engine = await Engine.open(limits);
  return {
    load({ name, version, source }) {
      const invalid = (detail: string): ObiegError =>
        new ObiegError("codec-invalid", `codec ${name}: ${detail}`);
      if (source.length > maxSource) throw invalid(`its source is longer than ${maxSource} characters`);
      const image = engine.load(source);
      if ("fault" in image) throw invalid(image.fault.detail);
      const hash = createHash("sha256").update(source).digest("hex");
      return {
        name,
        version: version ?? hash.slice(0, 12),
        hash,
        convention: image.convention,
        decode(uplink) {
          if (uplink.bytes.length > maxFrame) {
            const detail = `a frame of ${uplink.bytes.length} bytes; LoRaWAN has at most 242`;
            return { kind: "failed", fault: { code: "codec-input", path: "", detail }, warnings: [] };
          }
          const { fPort, bytes, receivedMs, variables = {} } = uplink;
          const answer = engine.call(
            image,
            JSON.stringify({ fPort, bytes: Array.from(bytes), receivedMs, variables }),
          );
          return "fault" in answer
            ? { kind: "failed", fault: answer.fault, warnings: [] }
            : outcomeOf(answer.text);
        },
      };
    },
  };
}

/** Reads what came out of the sandbox, without trusting that it has the shape in which it was written. */
function outcomeOf(text: string): Outcome {
  const broken: Outcome = {
    kind: "failed",
    fault: { code: "codec-output", path: "", detail: "what the codec gave can't be read" },
    warnings: [],
  };
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return broken;
  }
  if (!isObject(given)) return broken;
  const { data, failed, faults } = given;
  const warnings = linesOf(given["warnings"]);
  if (isObject(failed)) return { kind: "failed", fault: faultOf(failed), warnings };
  if (!isObject(data)) return broken;
  const normalized = Array.isArray(given["normalized"]) ? given["normalized"].filter(isObject) : undefined;
  return {
    kind: "decoded",
    data,
    ...(normalized === undefined ? {} : { normalized }),
    warnings,
    faults: Array.isArray(faults) ? faults.filter(isObject).map(faultOf) : [],
  };
}

const linesOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((line) => typeof line === "string").slice(0, 50) : [];

function faultOf({ code, path, detail }: JsonObject): Fault {
  const text = (value: Json | undefined, most: number): string =>
    typeof value === "string" ? shortText(value, most) : "";
  return { code: text(code, 40), path: text(path, 1_200), detail: text(detail, 300) };
}
