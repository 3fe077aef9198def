// A broker that acknowledges with nothing behind it: what the acknowledge path is compared with.
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Aedes } from "aedes";

const aedes = await Aedes.createBroker();
const server = createServer({ noDelay: true }, (socket) => void aedes.handle(socket));
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(
  `ready mqtt=127.0.0.1:${(server.address() as AddressInfo).port} http=http://127.0.0.1:0\n`,
);
