import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";

/** A server of Debian's packages, started for a test. */
export interface Service {
  url: string;
  stop(): Promise<void>;
}

async function answers(url: string, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}:\n${log()}`);
    const ok = await fetch(url).then(
      (answer) => answer.status < 500,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} doesn't answer:\n${log()}`);
}

async function startServer(
  command: string,
  args: string[],
  dir: string,
  url: string,
  probe: string,
): Promise<Service> {
  let log = "";
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-20_000);
    });
  }
  const exited = once(child, "exit");
  await answers(`${url}${probe}`, child, () => log);
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts VictoriaMetrics; takes line protocol at `/api/v2/write`, gives it back at `/api/v1/export`. */
export async function startVictoriaMetrics(port?: number): Promise<Service> {
  const dir = mkdtempSync(join(tmpdir(), "obieg-vm-"));
  const url = `http://127.0.0.1:${port ?? (await freePort())}`;
  const args = [
    `-storageDataPath=${dir}`,
    `-httpListenAddr=${url.slice(7)}`,
    "-retentionPeriod=100y",
    "-memory.allowedBytes=64MB",
  ];
  return startServer("/usr/bin/victoria-metrics", args, dir, url, "/health");
}

/** Starts InfluxDB 1.6 with a database `obieg`. */
export async function startInfluxDb(): Promise<Service> {
  const dir = mkdtempSync(join(tmpdir(), "obieg-influx-"));
  const [http, rpc] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${http}`;
  writeFileSync(
    join(dir, "influxdb.conf"),
    `reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${dir}/meta"
[data]
  dir = "${dir}/data"
  wal-dir = "${dir}/wal"
[http]
  bind-address = "127.0.0.1:${http}"
  log-enabled = false
[monitor]
  store-enabled = false
`,
  );
  const service = await startServer(
    "/usr/bin/influxd",
    ["-config", join(dir, "influxdb.conf")],
    dir,
    url,
    "/ping",
  );
  await fetch(`${url}/query?q=${encodeURIComponent("CREATE DATABASE obieg")}`, { method: "POST" });
  return service;
}

/** Puts what InfluxDB 1.6 lacks in front of it: `/api/v2/write?bucket=B` becomes `/write?db=B`. Nothing else is changed. */
export async function startWriteProxy(target: string): Promise<Service> {
  const server: Server = createServer((request, response) => {
    const asked = new URL(request.url ?? "/", "http://proxy");
    if (asked.pathname === "/api/v2/write") {
      asked.pathname = "/write";
      asked.searchParams.set("db", asked.searchParams.get("bucket") ?? "");
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const encoding = request.headers["content-encoding"];
      fetch(`${target}${asked.pathname}${asked.search}`, {
        method: request.method ?? "POST",
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
        headers: encoding === undefined ? {} : { "content-encoding": encoding },
      }).then(
        async (answer) => {
          response.writeHead(answer.status, {
            "content-type": answer.headers.get("content-type") ?? "text/plain",
          });
          response.end(answer.status === 204 ? undefined : Buffer.from(await answer.arrayBuffer()));
        },
        () => response.writeHead(502).end(),
      );
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
