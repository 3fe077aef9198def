import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** What mosquitto's publisher said. */
export interface Published {
  code: number;
  output: string;
}

/** Publishes with Debian's mosquitto_pub, QoS 1; bytes go through its standard input. `more`: options of its own (`-r`). */
export function mosquittoPub(
  port: number,
  login: { user: string; secret: string } | undefined,
  topic: string,
  payload: string | Buffer,
  more: readonly string[] = [],
): Promise<Published> {
  const as = login === undefined ? [] : ["-u", login.user, "-P", login.secret];
  const args = ["-h", "127.0.0.1", "-p", String(port), ...as, "-q", "1", "-t", topic];
  const isText = typeof payload === "string";
  args.push(...(isText ? ["-m", payload] : ["-s"]), ...more);
  return new Promise((resolve) => {
    const child = execFile("/usr/bin/mosquitto_pub", args, { timeout: 10_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
    if (!isText) child.stdin?.end(payload);
  });
}

/** A subscriber that is listening. */
export interface Subscription {
  /** Lines `topic payload` that came. */
  lines: string[];
  stop(): void;
}

/** Subscribes with Debian's mosquitto_sub; `format`: of a line, as its manual says. */
export function mosquittoSub(
  port: number,
  login: { user: string; secret: string },
  topic: string,
  format = "%t %p",
): Subscription {
  const args = ["-h", "127.0.0.1", "-p", String(port), "-u", login.user, "-P", login.secret];
  const child: ChildProcess = spawn(
    "/usr/bin/mosquitto_sub",
    [...args, "-q", "1", "-F", format, "-t", topic],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const lines: string[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return { lines, stop: () => void child.kill() };
}
