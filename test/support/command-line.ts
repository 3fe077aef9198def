import { execFile } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../dist/main.js");

/** How a command ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the built program with arguments and waits for its end. */
export function runObieg(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { cwd: options.cwd, env: { ...process.env, ...options.env }, timeout: 60_000, maxBuffer: 64e6 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
          stdout,
          stderr,
        }),
    );
  });
}
