import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type CityOptions, cityOf } from "./city.js";
import { login } from "./generator.js";

const dist = join(import.meta.dirname, "../..");

/** How `npm start` runs the service: settings of the process, and Node's own flags. */
function startFlags(): { env: Record<string, string>; flags: string[] } {
  const { scripts } = JSON.parse(readFileSync(join(dist, "package.json"), "utf8")) as {
    scripts: { start: string };
  };
  const [, before = "", flags = ""] =
    /&& ((?:\w+=\S+ )*)node ((?:--\S+ )*)dist\/main\.js/.exec(scripts.start) ?? [];
  const env = before
    .split(" ")
    .filter(Boolean)
    .map((one) => one.split("=") as [string, string]);
  return { env: Object.fromEntries(env), flags: flags.split(" ").filter(Boolean) };
}

/** A process under measurement. */
export interface Target {
  pid: number;
  port: number;
  http: string;
  /** From starting the process to its `ready` line, milliseconds. */
  startMs: number;
  /** A figure of `/metrics`; NaN when there is none. */
  metric(name: string): Promise<number>;
  /** The text that the API answers. Throws unless the status is 200. */
  get(path: string): Promise<string>;
  /** Polls until a figure of `/metrics` fits. Throws after `forMs`. */
  until(name: string, fits: (value: number) => boolean, forMs?: number): Promise<void>;
  /** Ends it in order and waits. */
  stop(): Promise<void>;
}

/** A folder for a service's files, gone with `remove`. */
export interface Folder {
  dir: string;
  data: string;
  remove(): void;
}

/** Makes a folder of its own; it goes with the benchmark's process at the latest. */
export function makeFolder(): Folder {
  const dir = mkdtempSync(join(tmpdir(), "obieg-bench-"));
  const erase = (): void => rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", erase);
  return {
    dir,
    data: join(dir, "data"),
    remove() {
      process.off("exit", erase);
      erase();
    },
  };
}

async function startProcess(args: string[], env: Record<string, string>): Promise<Target> {
  const begun = performance.now();
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", kill);
  const exited = once(child, "exit");
  const ready = await new Promise<{ port: number; http: string }>((resolve, reject) => {
    if (child.stdout)
      createInterface({ input: child.stdout }).on("line", (line) => {
        const found = /^ready mqtt=\S+:(\d+) http=(\S+)$/.exec(line);
        if (found) resolve({ port: Number(found[1]), http: found[2] ?? "" });
      });
    void exited.then(([code]) => reject(new Error(`it ended with ${String(code)}`)));
  });
  const startMs = performance.now() - begun;
  const headers = { authorization: `Bearer ${env["OBIEG_ADMIN_TOKEN"] ?? ""}` };
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`${ready.http}${path}`, { headers });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 300)}`);
    return text;
  };
  const metric = async (name: string): Promise<number> =>
    Number(
      new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(await get("/metrics"))?.[1] ??
        Number.NaN,
    );
  return {
    ...ready,
    pid: child.pid ?? 0,
    startMs,
    get,
    metric,
    async until(name, fits, forMs = 300_000) {
      const end = performance.now() + forMs;
      for (;;) {
        const value = await metric(name);
        if (fits(value)) return;
        if (performance.now() > end) throw new Error(`${name} is ${value} after ${forMs / 1_000} s`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      process.off("exit", kill);
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Starts aedes with nothing behind it. */
export function startBare(): Promise<Target> {
  return startProcess([join(dist, "test/bench/bare-broker.js")], {});
}

/** How a service under measurement is started. */
export interface ServiceOptions extends CityOptions {
  /** Address of an InfluxDB; without it there is no sink. */
  influx?: string;
  /** Bound of the journal, such as 256MiB; without it the default. */
  journalBytes?: string;
}

/** Starts the service with everything on in the folder: validation, ledger, rules, history with rollups. */
export function startService({ dir, data }: Folder, options: ServiceOptions = {}): Promise<Target> {
  writeFileSync(join(dir, "city.yaml"), cityOf(options));
  const influx =
    options.influx === undefined ? "" : `influx: { url: "${options.influx}", token: token-of-influx }\n`;
  const journal =
    options.journalBytes === undefined ? "" : `journal: { maxBytes: ${options.journalBytes} }\n`;
  writeFileSync(join(dir, "obieg.yaml"), `limits: { messagesPerSecond: 1000000 }\n${influx}${journal}`);
  const args = ["start", "--no-demo", "--data", data, "--city", join(dir, "city.yaml")];
  args.push("--config", join(dir, "obieg.yaml"), "--mqtt-port", "0", "--http-port", "0");
  args.push("--log-level", "error");
  const { env, flags } = startFlags();
  return startProcess([...flags, join(dist, "main.js"), ...args], {
    ...env,
    LOAD_SECRET: login.password,
    HOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString("base64")}`,
    OBIEG_ADMIN_TOKEN: "token-of-the-benchmark-0123456789",
    OBIEG_ADMIN_PASSWORD: "password of the benchmark",
  });
}
