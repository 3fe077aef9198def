import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { z } from "zod";
import { verifyBackup } from "./backup.js";
import { configSchema, readConfig } from "./config.js";
import { describeConfig } from "./config-text.js";
import { bytesText, say, sayJson } from "./dashboards/client/print.js";
import { citySchema, type DeviceEntry, ObiegError, parseCity } from "./devices/index.js";
import {
  cityYamlFor,
  type FleetReport,
  parseFaults,
  runFleet,
  syntheticDevices,
} from "./devices/simulator/index.js";
import { repairJournal, verifyJournal } from "./ingest/journal/index.js";
import { lockDataFolder } from "./ingest/folder-lock.js";

const tell = (text: string): void => void process.stderr.write(`${text}\n`);

/** Reads a positive number of the command line. Throws `bad-argument`. */
function parsePositive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new ObiegError("bad-argument", `"${text}" is no number above 0`);
  return number;
}

/** Reads a span such as `60s` into milliseconds. Throws `bad-argument`. */
function parseSpan(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const milliseconds = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }[unit ?? ""];
  if (milliseconds === undefined)
    throw new ObiegError("bad-argument", `"${text}" is no span of time: write for instance 60s or 5m`);
  return Number(amount) * milliseconds;
}

/** Adds `check-config`, `print-config`, `schema`, `verify-backup`: they work on files alone. */
export function addFileCommands(program: Command): void {
  program
    .command("check-config")
    .description("check a configuration file; every fault is listed with line and remedy (exit code 2)")
    .argument("<file>", "obieg.yaml")
    .option("--json", "the configuration as it is understood, as JSON, secrets masked")
    .action((file: string, { json }: { json?: boolean }) => {
      const config = readConfig(file, process.env);
      if (json)
        sayJson(config.influx ? { ...config, influx: { ...config.influx, token: "(masked)" } } : config);
      else say(`${file} is right`);
    });
  program
    .command("print-config")
    .description("print the configuration in force, every key with its meaning and unit, secrets masked")
    .option("--config <file>", "obieg.yaml; without it, the defaults")
    .action(({ config }: { config?: string }) => say(describeConfig(readConfig(config, process.env))));
  program
    .command("schema")
    .description("print the JSON Schema of a file, for editors")
    .argument("<file>", "config or city")
    .action((which: string) => {
      const schema = { config: configSchema, city: citySchema }[which];
      if (!schema)
        throw new ObiegError(
          "bad-argument",
          `there is no schema ${which}: write obieg schema config, or obieg schema city`,
        );
      sayJson(z.toJSONSchema(schema, { io: "input" }));
    });
  program
    .command("verify-backup")
    .description(
      "read every byte of a backup and compare it with what was written (exit code 1 when it isn't whole)",
    )
    .argument("<dir>", "folder that obieg backup made")
    .option("--json", "the verdict as JSON")
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const verdict = await verifyBackup(dir, (path) => process.stderr.isTTY && tell(`reading ${path}`));
      if (json) sayJson(verdict);
      else {
        say(`made at ${verdict.madeAt}: ${verdict.files} files, ${bytesText(verdict.bytes)}`);
        say(
          `journal: ${verdict.journal.messages} messages up to sequence ${verdict.journal.lastSequence}; history holds up to ${verdict.position}`,
        );
        for (const { path, message } of verdict.faults) say(`${path}: ${message}`);
        say(
          verdict.faults.length === 0
            ? "the backup is whole; to restore it, copy it and start with --data COPY"
            : "the backup isn't whole: make another one",
        );
      }
      if (verdict.faults.length > 0) process.exitCode = 1;
    });
}

/** Adds `journal verify` and `journal repair`: for a service that doesn't run. */
export function addJournalCommands(program: Command): void {
  const journal = program
    .command("journal")
    .description("verify or repair the journal of a service that doesn't run");
  const dirOf = (data: string): string => {
    const dir = `${data}/journal`;
    if (!existsSync(dir))
      throw new ObiegError("journal-missing", `${dir} isn't there: give the data folder with --data`);
    return dir;
  };
  journal
    .command("verify")
    .description("read every record and say what isn't whole (exit code 1 when something is damaged)")
    .option("--data <dir>", "data folder", "./data")
    .option("--json", "the report as JSON")
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const report = await verifyJournal(dirOf(data));
      const damaged = report.faults.filter(({ kind }) => kind !== "torn");
      if (json) sayJson(report);
      else {
        say(
          `${report.segments} segments, ${report.messages} messages (${report.firstSequence} to ${report.lastSequence}), ${bytesText(report.bytes)}`,
        );
        for (const { file, offset, kind, detail } of report.faults)
          say(`${file}: byte ${offset}: ${kind}: ${detail}`);
        if (damaged.length > 0)
          say("run obieg journal repair: whole records are kept, damaged files are set aside");
        else
          say(
            report.faults.length > 0
              ? "whole but for an interrupted write, which the next start cuts off"
              : "whole",
          );
      }
      if (damaged.length > 0) process.exitCode = 1;
    });
  journal
    .command("repair")
    .description(
      "rewrite damaged segments with every record that is whole; the bytes as they were stay beside as .damaged",
    )
    .option("--data <dir>", "data folder", "./data")
    .option("--json", "the report as JSON")
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const dir = dirOf(data);
      const lock = await lockDataFolder(data);
      try {
        const report = await repairJournal(dir);
        if (json) return sayJson(report);
        if (report.rewritten.length === 0) return say("nothing to repair");
        report.rewritten.forEach((path, n) => say(`${path} rewritten; as it was: ${report.kept[n] ?? ""}`));
        say(`${report.salvaged} messages saved from behind the damage`);
      } finally {
        lock.release();
      }
    });
}

interface SimulateFlags {
  url: string;
  devices: number;
  rate?: number;
  for?: number;
  messages?: number;
  faults?: string;
  seed: number;
  city?: string;
  writeCity?: string;
  user?: string;
  password?: string;
  speed?: number;
  json?: boolean;
}

function devicesOf(flags: SimulateFlags): DeviceEntry[] {
  if (flags.city === undefined) return syntheticDevices(flags.devices, "krakow");
  const file = flags.city;
  const { devices } = parseCity(readFileSync(file, "utf8"), {
    file,
    env: new Proxy(process.env, { get: (env, name) => env[String(name)] ?? "not needed here" }),
    readBeside: () => "not needed here",
  });
  return devices.map(({ every, ...device }) => ({
    ...device,
    sinceMs: 0,
    ...(every === undefined ? {} : { everyMs: every }),
  })) as DeviceEntry[];
}

function sayReport(report: FleetReport): void {
  const { p50, p99, max } = report.acknowledgeMs;
  say(
    `${report.readings} readings of ${Object.keys(report.byDevice).length} devices over ${report.connections} connections in ${(report.elapsedMs / 1e3).toFixed(1)} s`,
  );
  say(
    `${report.acknowledged} of ${report.sent} messages acknowledged (${report.perSecond.toFixed(0)} a second), ${report.values} values`,
  );
  say(
    `dropped ${report.dropped}, duplicated ${report.duplicated}, late ${report.late}, skewed ${report.skewed}, garbage ${report.garbage}, reconnects ${report.reconnects}`,
  );
  say(`acknowledged after: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(1)} ms`);
  for (const refusal of report.refusals) say(`refused: ${refusal}`);
}

/** Adds `simulate`: a fleet of bins, meters and air sensors over MQTT. */
export function addSimulateCommand(program: Command): void {
  program
    .command("simulate")
    .description("publish as a fleet of bins, meters and air sensors, QoS 1; also as a load, and with faults")
    .option("--url <url>", "broker: mqtt://, mqtts://, ws:// or wss://", "mqtt://127.0.0.1:1883")
    .option("--devices <n>", "synthetic devices", parsePositive, 100)
    .option("--city <file>", "play the devices of this city.yaml instead")
    .option("--write-city <file>", "only write a city.yaml with the synthetic devices, to start obieg with")
    .option(
      "--rate <n>",
      "readings a second of the whole fleet; without it each device keeps its interval",
      parsePositive,
    )
    .option(
      "--speed <n>",
      "without --rate: how many times as often as its interval each device reports",
      parsePositive,
    )
    .option("--for <span>", "end after this long, such as 60s", parseSpan)
    .option("--messages <n>", "end after this many readings", parsePositive)
    .option(
      "--faults <list>",
      "drop,duplicate,late,skew,garbage, each with a share: late=0.1 (0.02 unless told)",
    )
    .option("--user <name>", "user that publishes for all of them (a gateway); anonymous without it")
    .option("--password <text>", "its secret; or OBIEG_SIMULATE_PASSWORD in the environment")
    .option("--seed <n>", "what the numbers grow from", Number, 1)
    .option("--json", "the report as JSON")
    .action(async (flags: SimulateFlags) => {
      const devices = devicesOf(flags);
      if (flags.writeCity !== undefined) {
        writeFileSync(flags.writeCity, cityYamlFor(devices));
        return say(
          `${flags.writeCity}: ${devices.length} devices; start obieg with --city ${flags.writeCity}`,
        );
      }
      const { user } = flags;
      const password = flags.password ?? process.env["OBIEG_SIMULATE_PASSWORD"] ?? "";
      const stopping = new AbortController();
      process.once("SIGINT", () => stopping.abort());
      process.once("SIGTERM", () => stopping.abort());
      const report = await runFleet({
        url: flags.url,
        devices,
        seed: flags.seed,
        signal: stopping.signal,
        onProgress: ({ elapsedMs, sent, acknowledged }) =>
          tell(`${(elapsedMs / 1e3).toFixed(0)} s: ${sent} sent, ${acknowledged} acknowledged`),
        ...(flags.rate === undefined ? {} : { rate: flags.rate }),
        ...(flags.speed === undefined ? {} : { speed: flags.speed }),
        ...(flags.for === undefined ? {} : { forMs: flags.for }),
        ...(flags.messages === undefined ? {} : { messages: flags.messages }),
        ...(flags.faults === undefined ? {} : { faults: parseFaults(flags.faults) }),
        ...(user === undefined ? {} : { loginFor: () => ({ username: user, password }) }),
      });
      if (flags.json) sayJson(report);
      else sayReport(report);
    });
}
