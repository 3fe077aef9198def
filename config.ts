import { accessSync, constants, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { type FaultReport, ObiegError, parseYamlFile } from "./devices/index.js";

const port = z.int().min(0).max(65_535);
const count = z.int().min(1);

/** A byte size: a number, or text with KB, MB, GB (powers of 1,000) or KiB, MiB, GiB. */
const bytes = z.union([
  z.int().min(1),
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*(B|KB|MB|GB|KiB|MiB|GiB)$/, "write a size such as 512MiB")
    .transform(parseBytes),
]);
/** A span of time: text with ms, s, m, h, d. Becomes milliseconds. */
const span = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/, "write a span of time such as 5m")
  .transform(parseSpan);

/** A byte size within bounds, both included and written as they may be given. */
const bytesWithin = (least: string, most: string) =>
  bytes.refine(
    (size) => size >= parseBytes(least) && size <= parseBytes(most),
    `between ${least} and ${most}`,
  );

function parseBytes(text: string): number {
  const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const unit = text.replace(/[\d.\s]/g, "") as keyof typeof units;
  return Math.round(Number.parseFloat(text) * units[unit]);
}

function parseSpan(text: string): number {
  const units = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };
  const unit = text.replace(/[\d.\s]/g, "") as keyof typeof units;
  return Math.round(Number.parseFloat(text) * units[unit]);
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === "" && password === "";
}

const tls = z.strictObject({
  port: port.describe("port of MQTT over TLS"),
  certFile: z.string().describe("certificate chain, PEM; relative to this file"),
  keyFile: z.string().describe("private key, PEM; relative to this file"),
});

const addresses = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6(), z.literal("loopback")]);
const proxy = z
  .string()
  .refine(
    (text) => addresses.safeParse(text).success,
    "an address, a network such as 10.0.0.0/8, or loopback",
  );

const influx = z.strictObject({
  url: z
    .url()
    .refine(isPlainUrl, "an http or https address without user and password: the token goes under token")
    .describe("base address; /api/v2/write is appended"),
  token: z.string().min(1).describe("API token; write ${NAME} to take it from the environment"),
  org: z.string().default("obieg").describe("organisation"),
  bucket: z.string().default("obieg").describe("bucket"),
  batchValues: count.max(100_000).default(20_000).describe("values in one request"),
});

const homeAssistant = z.strictObject({
  devices: z
    .array(z.string().min(1).max(128))
    .default(["*"])
    .describe("ids of the devices that are announced; * stands for any characters"),
  most: count.max(3_000).default(1_000).describe("devices that are announced at most, by id"),
  every: span
    .refine((ms) => ms >= 1_000 && ms <= 8.64e7, "between 1s and 1d")
    .prefault("5s")
    .describe("how often a device's newest values are published at most"),
});

/** Shape of `obieg.yaml`. Every key has a default but the sinks; unknown keys are refused. */
export const configSchema = z.strictObject({
  host: z.string().default("127.0.0.1").describe("address that MQTT and HTTP listen on"),
  data: z.string().default("./data").describe("data folder; relative to where obieg is started"),
  city: z.string().optional().describe("city file applied at start; relative to this file"),
  logLevel: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("least level that is logged"),
  mqtt: z
    .strictObject({
      port: port.default(1883).describe("port of MQTT over TCP; 0 takes a free one"),
      wsPort: port.optional().describe("port of MQTT over WebSocket; none unless given"),
      tls: tls.optional().describe("MQTT over TLS; none unless given"),
    })
    .prefault({})
    .describe("the front door"),
  http: z
    .strictObject({
      port: port.default(8080).describe("port of the API and the page; 0 takes a free one"),
      trustProxy: z
        .array(proxy)
        .min(1)
        .optional()
        .describe(
          "addresses of proxies before us, whose X-Forwarded-For and -Proto count; none unless given",
        ),
      open: z.boolean().default(false).describe("whether anybody may see what the role public may"),
    })
    .prefault({})
    .describe("API and page"),
  limits: z
    .strictObject({
      connections: count.default(10_000).describe("open MQTT connections"),
      connectionsPerAddress: count.default(1_000).describe("open MQTT connections from one address"),
      messageBytes: bytesWithin("1KiB", "64MiB").default(262_144).describe("payload of one message, bytes"),
      messagesPerSecond: count
        .default(5_000)
        .describe("messages a second of one client, averaged over ten seconds; above it, it is slowed down"),
      memory: bytes
        .optional()
        .describe("memory that this process may use, bytes; the container's limit unless given"),
      futureSkew: span.prefault("5m").describe("how far ahead of the server's clock a reading may be"),
      lateAfter: span.prefault("1h").describe("a reading received this long after its time counts as late"),
    })
    .prefault({})
    .describe("what the wire may ask of us"),
  journal: z
    .strictObject({
      maxBytes: bytes.default(2 ** 31).describe("bound of the journal, bytes; at it nothing is acknowledged"),
      segmentBytes: bytesWithin("4KiB", "1GiB")
        .default(2 ** 26)
        .describe("size of one segment, bytes"),
      archiveDays: count.default(30).describe("how long used segments are kept for replay, days"),
      archiveBytes: bytes.default(2 ** 32).describe("bound of the archive, bytes; the oldest goes first"),
    })
    .prefault({})
    .describe("what an acknowledgement stands on"),
  history: z
    .strictObject({
      hotDays: count.default(2).describe("local days kept unsealed"),
      holdDays: count.default(14).describe("how long a sink that lags may hold back sealing, days"),
      memory: bytesWithin("16MB", "64GB").default(4.8e7).describe("memory of the embedded database, bytes"),
    })
    .prefault({})
    .describe("the embedded history"),
  meters: z
    .strictObject({
      wait: span
        .prefault("6h")
        .describe("how long a reading that fits nothing is held back, at most, before it is booked in doubt"),
    })
    .prefault({})
    .describe("what flowed between the readings of a counter"),
  influx: influx.optional().describe("InfluxDB sink; none unless given"),
  homeAssistant: homeAssistant
    .optional()
    .describe("devices announced to Home Assistant over MQTT, with their newest values; none unless given"),
});

/** The process' configuration, complete. Sizes in bytes, spans in milliseconds. */
export type Config = z.output<typeof configSchema>;

/** Looks whether certificate and key can be read, before anything is started. */
function checkTls(raw: unknown, file: string, report: FaultReport): void {
  const { tls } = (raw as { mqtt?: { tls?: Record<string, unknown> } | null } | null)?.mqtt ?? {};
  for (const key of ["certFile", "keyFile"]) {
    const path = tls?.[key];
    if (typeof path !== "string") continue;
    try {
      accessSync(resolve(dirname(file), path), constants.R_OK);
    } catch (error) {
      report(["mqtt", "tls", key], `can't be read: ${(error as Error).message}`);
    }
  }
}

/**
 * Reads the text of an `obieg.yaml`.
 * Throws `config-invalid` with every fault at once: file, line, path and remedy in `detail.faults`.
 */
export function parseConfig(text: string, file: string, env: Record<string, string | undefined>): Config {
  const config = parseYamlFile(text, {
    file,
    env,
    schema: configSchema,
    code: "config-invalid",
    unknownKey: "see obieg print-config",
    also: (raw, report) => checkTls(raw, file, report),
  });
  const beside = (path: string): string => resolve(dirname(file), path);
  const { city, mqtt } = config;
  const { tls } = mqtt;
  return {
    ...config,
    ...(city === undefined ? {} : { city: beside(city) }),
    ...(tls
      ? {
          mqtt: {
            ...mqtt,
            tls: { ...tls, certFile: beside(tls.certFile), keyFile: beside(tls.keyFile) },
          },
        }
      : {}),
  };
}

/** Reads the configuration file, or gives the defaults when none is named. Throws `config-invalid`, `config-missing`. */
export function readConfig(file: string | undefined, env: Record<string, string | undefined>): Config {
  if (file === undefined) return parseConfig("{}", "(defaults)", env);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ObiegError("config-missing", `${file} can't be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseConfig(text, file, env);
}

/** The version that the package was published as; read beside the built program. */
export function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Names the build that runs: another one is called otherwise. */
export function readBuild(): string {
  return readFileSync(new URL("./.built", import.meta.url), "utf8");
}
