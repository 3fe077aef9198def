import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll } from "vitest";

const root = join(import.meta.dirname, "../..");
/** A test that fails leaves nothing running behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** How a process under test is started. */
export interface ObiegOptions {
  /** Text of city.yaml; without it the process starts without a city. */
  city?: string;
  /** Text of obieg.yaml. */
  config?: string;
  dir?: string;
  demo?: boolean;
  env?: Record<string, string>;
  /** Put before `node`, such as strace and its arguments. */
  under?: string[];
  logLevel?: string;
}

/** A running process under test. */
export interface Obieg {
  dir: string;
  data: string;
  mqttPort: number;
  httpUrl: string;
  token: string;
  process: ChildProcess;
  log(): string;
  stdout(): string;
  /** Calls the API with the admin token; gives status and body (JSON when it is JSON). */
  api(path: string, init?: RequestInit): Promise<{ status: number; body: never; text: string }>;
  /** SIGTERM and wait; gives the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL and wait. */
  kill(): Promise<void>;
}

/** Makes a folder that goes away with {@link removeFolder}. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "obieg-test-"));
}

/** Removes a folder of {@link makeFolder}. */
export function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Starts the built program as a user would and waits for its `ready` line. Throws with its log when it exits before. */
export async function startObieg(options: ObiegOptions = {}): Promise<Obieg> {
  const dir = options.dir ?? makeFolder();
  const data = join(dir, "data");
  const args = [join(root, "dist/main.js"), "start", "--data", data, "--mqtt-port", "0", "--http-port", "0"];
  args.push("--log-level", options.logLevel ?? "info");
  if (options.config !== undefined) {
    writeFileSync(join(dir, "obieg.yaml"), options.config);
    args.push("--config", join(dir, "obieg.yaml"));
  }
  if (options.city !== undefined) {
    writeFileSync(join(dir, "city.yaml"), options.city);
    args.push("--city", join(dir, "city.yaml"));
  }
  if (!options.demo) args.push("--no-demo");
  const token = "test-token-of-the-admin-0123456789abcdef";
  const under = [...(options.under ?? []), process.execPath];
  const child = spawn(under[0] ?? "", [...under.slice(1), ...args], {
    env: {
      ...process.env,
      OBIEG_ADMIN_PASSWORD: "a long enough password",
      OBIEG_ADMIN_TOKEN: token,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  let stdout = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-200_000);
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  // Its "exit" may come before the last of what it wrote.
  const exited = once(child, "close");
  const ready = await new Promise<{ mqtt: number; http: string }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      stdout += `${line}\n`;
      const found = /^ready mqtt=\S+:(\d+) http=(\S+)$/.exec(line);
      if (found) resolve({ mqtt: Number(found[1]), http: found[2] ?? "" });
    });
    void exited.then(([code, signal]) =>
      reject(new Error(`exited with ${String(code ?? signal)} before it was ready:\n${stdout}${log}`)),
    );
  });
  return {
    dir,
    data,
    mqttPort: ready.mqtt,
    httpUrl: ready.http,
    token,
    process: child,
    log: () => log,
    stdout: () => stdout,
    async api(path, init = {}) {
      const answer = await fetch(`${ready.http}${path}`, {
        ...init,
        headers: {
          authorization: `Bearer ${token}`,
          ...(init.headers as Record<string, string> | undefined),
        },
      });
      const text = await answer.text();
      const isJson = /^application\/(problem\+)?json/.test(answer.headers.get("content-type") ?? "");
      return { status: answer.status, body: (isJson ? JSON.parse(text) : undefined) as never, text };
    },
    async stop() {
      child.kill("SIGTERM");
      const [code] = (await exited) as [number | null];
      return code;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Asks until `ready` says so, at most `forMs`; gives the last answer. Throws with it when the time is over. */
export async function until<T>(
  ask: () => Promise<T>,
  ready: (answer: T) => boolean,
  forMs = 15_000,
): Promise<T> {
  const end = Date.now() + forMs;
  for (;;) {
    const answer = await ask();
    if (ready(answer)) return answer;
    if (Date.now() > end)
      throw new Error(`not within ${forMs} ms: ${JSON.stringify(answer)?.slice(0, 2_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
