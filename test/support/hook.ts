import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** One POST as it came. */
export interface HookCall {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver of webhooks that takes everything. */
export interface Hook {
  url: string;
  calls: HookCall[];
  stop(): Promise<void>;
}

/** Starts a receiver of webhooks. */
export async function startHook(): Promise<Hook> {
  const calls: HookCall[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      calls.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    calls,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
