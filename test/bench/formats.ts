import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Codec,
  formats,
  openCodecs,
  openRegistry,
  parseCity,
  type Past,
  type RawMessage,
  type RegistryView,
} from "../../devices/index.js";
import { openState } from "../../ingest/stores/state.js";
import { type SparkplugPayload, sparkplugBytes } from "../support/sparkplug.js";
import { digits, type Figure, median, note } from "./report.js";
import type { Size } from "./size.js";
import { makeFolder } from "./target.js";

/** A golden payload of a format, with what its device is registered in. */
interface Sample {
  codec: Codec;
  message: RawMessage;
  registry: RegistryView;
  /** What the messages before it taught. */
  past: Past;
  values: number;
}

interface CaseLine {
  topic: string;
  payload?: string;
  hex?: string;
  sparkplug?: SparkplugPayload;
  receivedAt: string;
}

const casesDir = join(import.meta.dirname, "../../../test/cases");
const native = "native-json";

function messagesOf(name: string): RawMessage[] {
  const lines = readFileSync(join(casesDir, name, "input.jsonl"), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => {
    const { topic, payload, hex = "", sparkplug, receivedAt } = JSON.parse(line) as CaseLine;
    const bytes = sparkplug ? sparkplugBytes(sparkplug) : Buffer.from(hex, "hex");
    return {
      topic,
      payload: payload === undefined ? bytes : Buffer.from(payload),
      user: "bench",
      clientId: "bench",
      qos: 1,
      receivedMs: Date.parse(receivedAt),
    };
  });
}

/** How many values a message gives; 0 when it isn't understood whole. */
function valuesOf({ codec, message, registry, past }: Omit<Sample, "values">): number {
  const decoded = codec.decode(message, registry, past);
  if (decoded.kind !== "decoded" || decoded.faults.length > 0 || !registry.device(decoded.device)) return 0;
  return [decoded, ...(decoded.others ?? [])].reduce((sum, { fields }) => sum + fields.length, 0);
}

/** Of each format the golden payload with the most values that is understood whole. Throws for a format without one. */
async function openSamples(
  dir: string,
): Promise<{ samples: Map<string, Sample>; close: () => Promise<void> }> {
  const samples = new Map<string, Sample>();
  const closing: (() => Promise<void>)[] = [];
  const openCity = async (text: string, name: string): Promise<RegistryView> => {
    const state = openState(join(dir, name));
    closing.push(() => state.close());
    const registry = openRegistry(state, Date.now);
    await registry.apply(parseCity(text, { file: name, env: {}, readBeside: () => "" }), "bench");
    return registry;
  };
  const shared = await openCity(readFileSync(join(casesDir, "city.yaml"), "utf8"), "shared");
  for (const name of readdirSync(casesDir).toSorted()) {
    if (!existsSync(join(casesDir, name, "input.jsonl"))) continue;
    const own = join(casesDir, name, "city.yaml");
    const registry = existsSync(own) ? await openCity(readFileSync(own, "utf8"), name) : shared;
    const codecs = openCodecs(registry);
    let known = new Map<string, unknown>();
    for (const [sequence, message] of messagesOf(name).entries()) {
      const codec = codecs(message.topic);
      if (!codec) continue;
      const taught = known;
      const past = { sequence, recall: (key: string) => taught.get(key) };
      const { lessons } = codec.decode(message, registry, past);
      if (lessons) known = new Map([...known, ...lessons]);
      const sample = { codec, message, registry, past };
      const values = valuesOf(sample);
      if (values > (samples.get(codec.format)?.values ?? 0)) samples.set(codec.format, { ...sample, values });
    }
  }
  for (const format of [native, ...formats.keys()])
    if (!samples.has(format))
      throw new Error(`no golden payload of ${format} in test/cases is understood whole`);
  return { samples, close: async () => void (await Promise.all(closing.map((close) => close()))) };
}

/** Messages a second. Throws when the last answer isn't the first. */
function rateOf(sample: Sample, forMs: number): number {
  const { codec, message, registry, past, values } = sample;
  const begunMs = performance.now();
  let count = 0;
  let elapsedMs = 0;
  while (elapsedMs < forMs) {
    for (let n = 0; n < 200; n += 1) codec.decode(message, registry, past);
    count += 200;
    elapsedMs = performance.now() - begunMs;
  }
  if (valuesOf(sample) !== values)
    throw new Error(`${codec.format} answers differently after ${count} messages`);
  return (count * 1_000) / elapsedMs;
}

/** How fast each format's codec reads one of its golden payloads, beside native JSON, in alternating runs on one core. */
export async function measureFormats(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const folder = makeFolder();
  const { samples, close } = await openSamples(folder.dir);
  try {
    const rates = new Map([...samples.keys()].map((format): [string, number[]] => [format, []]));
    for (const sample of samples.values()) rateOf(sample, size.decodeMs);
    for (let round = 0; round < size.rounds; round += 1)
      for (const [format, sample] of samples) rates.get(format)?.push(rateOf(sample, size.decodeMs));
    const plain = median(rates.get(native) ?? []);
    return [...samples].map(([format, { values, message }]) => {
      const rate = median(rates.get(format) ?? []);
      const shown = `${digits(rate / plain)}x (${digits(rate)} a second, ${digits(rate * values)} values)`;
      say(`${format}: ${shown}`);
      const what = `decoding ${format}, ${values} values in ${message.payload.length} bytes: messages on one core, of native JSON's`;
      return note(what, shown);
    });
  } finally {
    await close();
    folder.remove();
  }
}
