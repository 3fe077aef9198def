import { once } from "node:events";
import { createServer } from "node:net";

/** Ports that Linux gives nobody by itself (it gives those from 32,768 on, ip_local_port_range). */
const lowest = 20_000;
const count = 12_000;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!listening) return false;
  server.close();
  await once(server, "close");
  return true;
}

/**
 * A TCP port of the loopback where nothing listens, and where no other test comes to listen by
 * chance: for a server that ends and comes back, or for one that isn't there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * count);
    if (await isFree(port)) return port;
  }
}
