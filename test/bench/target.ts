import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const dist = join(import.meta.dirname, "../..");
const ticksPerSecond = 100;

/** A process under measurement. */
export interface Target {
  port: number;
  http: string;
  /** CPU seconds that it has used. */
  cpuSeconds(): number;
  /** Largest resident memory so far, MB. */
  peakMegabytes(): number;
  metric(name: string): Promise<number>;
  get(path: string): Promise<string>;
  stop(): Promise<void>;
}

async function startProcess(args: string[], env: Record<string, string>, dir: string): Promise<Target> {
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const exited = once(child, "exit");
  const ready = await new Promise<{ port: number; http: string }>((resolve, reject) => {
    if (child.stdout)
      createInterface({ input: child.stdout }).on("line", (line) => {
        const found = /^ready mqtt=\S+:(\d+) http=(\S+)$/.exec(line);
        if (found) resolve({ port: Number(found[1]), http: found[2] ?? "" });
      });
    void exited.then(([code]) => reject(new Error(`it ended with ${String(code)}`)));
  });
  const proc = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, "utf8");
  const get = async (path: string): Promise<string> =>
    (
      await fetch(`${ready.http}${path}`, {
        headers: { authorization: `Bearer ${env["OBIEG_ADMIN_TOKEN"] ?? ""}` },
      })
    ).text();
  return {
    ...ready,
    cpuSeconds() {
      const stat = proc("stat");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    peakMegabytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(proc("status"))?.[1]) / 1_000,
    get,
    async metric(name) {
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(await get("/metrics"))?.[1] ?? Number.NaN);
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts aedes with nothing behind it. */
export function startBare(): Promise<Target> {
  return startProcess(
    [join(dist, "test/bench/bare-broker.js")],
    {},
    mkdtempSync(join(tmpdir(), "obieg-bare-")),
  );
}

/** Devices that the load publishes for. */
export const devices = 100;

/** Starts the service with everything on, over a city of bins and two rules, in a folder of its own. */
export function startService(): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), "obieg-bench-"));
  const list = Array.from(
    { length: devices },
    (_, n) => `  - { id: bin-${n}, class: bin, place: krakow, every: 15m }`,
  );
  writeFileSync(
    join(dir, "city.yaml"),
    `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
${list.join("\n")}
credentials: [{ user: load, secret: "\${LOAD_SECRET}", publishesFor: ["bin-*"] }]
rules:
  - { id: full, kind: threshold, class: bin, quantity: fill_percent, above: 99.5, clear: 60, for: 1h, severity: warning, title: { pl: P, en: F } }
  - { id: silent, kind: silent, class: bin, times: 3, severity: warning, title: { pl: M, en: S } }
`,
  );
  writeFileSync(join(dir, "obieg.yaml"), "limits: { messagesPerSecond: 1000000 }\n");
  const args = ["start", "--no-demo", "--data", join(dir, "data"), "--city", join(dir, "city.yaml")];
  args.push(
    "--config",
    join(dir, "obieg.yaml"),
    "--mqtt-port",
    "0",
    "--http-port",
    "0",
    "--log-level",
    "error",
  );
  const env = {
    LOAD_SECRET: "secret of the load",
    OBIEG_ADMIN_TOKEN: "token-of-the-benchmark",
    OBIEG_ADMIN_PASSWORD: "password of the benchmark",
  };
  return startProcess([join(dist, "main.js"), ...args], env, dir);
}
