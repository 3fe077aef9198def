import { Command, Option } from "commander";
import pino from "pino";
import { type App, start } from "./app.js";
import { type Config, readConfig, readVersion } from "./config.js";
import { ObiegError } from "./devices/index.js";
import { surviveFailedCommits } from "./ingest/stores/commit-fault.js";
import { startWorksThread, type WorksThread } from "./threads.js";

const stopWithinMs = 10_000;

interface StartFlags {
  config?: string;
  city?: string;
  data?: string;
  host?: string;
  mqttPort?: number;
  httpPort?: number;
  demo: boolean;
  logLevel?: Config["logLevel"];
}

/** Reads a port number of the command line. Throws `bad-argument`. */
function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ObiegError("bad-argument", `"${text}" is no port: write a number from 0 to 65535`);
  }
  return port;
}

function withFlags(config: Config, flags: StartFlags): Config {
  return {
    ...config,
    ...(flags.city === undefined ? {} : { city: flags.city }),
    ...(flags.data === undefined ? {} : { data: flags.data }),
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.logLevel === undefined ? {} : { logLevel: flags.logLevel }),
    mqtt: { ...config.mqtt, ...(flags.mqttPort === undefined ? {} : { port: flags.mqttPort }) },
    http: { ...config.http, ...(flags.httpPort === undefined ? {} : { port: flags.httpPort }) },
  };
}

function openLog(level: Config["logLevel"]): pino.Logger {
  const pretty = process.stderr.isTTY;
  return pino(
    { level, base: null },
    pretty
      ? pino.transport({ target: "pino-pretty", options: { destination: 2, ignore: "pid,hostname" } })
      : pino.destination({ dest: 2, sync: true }),
  );
}

/** Lets the simulator play the demo city's devices, if there are any. */
async function play({ demoFleet, addresses }: App, signal: AbortSignal): Promise<void> {
  if (!demoFleet) return;
  const { playDemo } = await import("./devices/demo/index.js");
  await playDemo(demoFleet, `mqtt://${addresses.mqtt}`, signal);
}

/** Runs until a signal asks to stop. */
async function run(flags: StartFlags, works: WorksThread): Promise<void> {
  const config = withFlags(readConfig(flags.config, process.env), flags);
  const log = openLog(config.logLevel);
  surviveFailedCommits((why) => log.error(`state/broker.mdb can't be written: ${why}`));
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
  const app = await start({
    config,
    works,
    demo: flags.demo,
    adminPassword: process.env["OBIEG_ADMIN_PASSWORD"],
    adminToken: process.env["OBIEG_ADMIN_TOKEN"],
    log,
  });
  if (app.login) process.stdout.write(`login ${app.login.user} ${app.login.password}\n`);
  process.stdout.write(`ready mqtt=${app.addresses.mqtt} http=${app.addresses.http}\n`);
  const fleet = play(app, stopping.signal);
  const asked = new Promise<void>((resolve) => {
    if (stopping.signal.aborted) resolve();
    stopping.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([asked, app.failed]);
  } finally {
    stopping.abort();
    const late = setTimeout(() => {
      process.stderr.write("obieg: stopping takes longer than 10 s; what was acknowledged is on disk\n");
      process.exit(1);
    }, stopWithinMs);
    await fleet.catch(() => undefined);
    await app.stop();
    clearTimeout(late);
  }
}

/**
 * Reads the command line and does what it says, to the exit code: 0 done, 1 failed, 2 configuration or city refused.
 * `works`: the thread that a start goes on with; without it every other command is there too.
 */
export async function runProgram(works: WorksThread | undefined): Promise<never> {
  const program = new Command("obieg")
    .description(
      "IoT sensor ingestion and edge service for a city's flows of waste, energy, water and clean air",
    )
    .version(readVersion())
    .showHelpAfterError()
    .enablePositionalOptions();

  program
    .command("start", { isDefault: true })
    .description("run broker, ingest, history, rules, alerts, API and page (the default command)")
    .option("--config <file>", "obieg.yaml; without it, the defaults of obieg print-config")
    .option("--city <file>", "city.yaml to apply at start")
    .option("--data <dir>", "data folder (./data)")
    .option("--host <address>", "address to listen on (127.0.0.1)")
    .option("--mqtt-port <port>", "port of MQTT (1883); 0 takes a free one", parsePort)
    .option("--http-port <port>", "port of API and page (8080); 0 takes a free one", parsePort)
    .option("--demo", "use the demo city when there is none yet (the default)", true)
    .option("--no-demo", "start empty when there is no city yet")
    .addOption(
      new Option("--log-level <level>", "least level that is logged (info)").choices([
        "trace",
        "debug",
        "info",
        "warn",
        "error",
      ]),
    )
    .action((flags: StartFlags) => run(flags, works ?? startWorksThread()));

  try {
    // A start doesn't wait for what the other commands need.
    if (!works) (await import("./command-line.js")).addCommands(program);
    await program.parseAsync();
    process.exit(process.exitCode ?? 0);
  } catch (error) {
    const coded = error instanceof ObiegError;
    process.stderr.write(`obieg: ${coded ? `${error.code}: ` : ""}${(error as Error).message}\n`);
    if (!coded && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
    process.exit(
      coded && ["config-invalid", "city-invalid", "config-missing", "time-zone-kept"].includes(error.code)
        ? 2
        : 1,
    );
  }
}
