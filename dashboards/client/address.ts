import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ObiegError } from "../../devices/index.js";

/** Flags that every command to a running service takes. */
export interface ClientFlags {
  data: string;
  url?: string;
  token?: string;
  json?: boolean;
}

const runSchema = z.object({ pid: z.number(), http: z.string(), token: z.string() });

/** Name of the file in the data folder by which the command line finds a running service; readable by its owner alone. */
export const runFileName = "run.json";

/** A service to talk to. */
export interface Service {
  url: string;
  token: string;
}

/** Where the running service is: from the flags, the environment (`OBIEG_URL`, `OBIEG_ADMIN_TOKEN`), or the data folder. Throws `service-not-found`. */
export function findService(flags: ClientFlags, env: NodeJS.ProcessEnv): Service {
  const url = flags.url ?? env["OBIEG_URL"];
  const token = flags.token ?? env["OBIEG_ADMIN_TOKEN"];
  if (url !== undefined && token !== undefined) return { url: url.replace(/\/+$/, ""), token };
  const path = join(flags.data, runFileName);
  try {
    const run = runSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return { url: url?.replace(/\/+$/, "") ?? run.http, token: token ?? run.token };
  } catch (cause) {
    throw new ObiegError(
      "service-not-found",
      `no service runs on ${flags.data}: start it, name its folder with --data, or give --url and --token`,
      { cause },
    );
  }
}
