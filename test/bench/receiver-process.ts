// Stands where InfluxDB would: takes line protocol over HTTP, counts points and values, answers 204. A process of its own.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { Received } from "./receiver.js";

const counts: Received = {
  requests: 0,
  points: 0,
  values: 0,
  atOnce: 0,
  firstMs: 0,
  lastMs: 0,
  cpuSeconds: 0,
};
let underWay = 0;

const [newline, space, equals, quoted] = [10, 32, 61, 92];

/** Counts lines and their fields. Source: InfluxDB line protocol: `measurement,tags fields time`. */
function count(body: Buffer): void {
  let spaces = 0;
  for (let i = 0; i < body.length; i += 1) {
    const byte = body[i];
    if (byte === quoted) i += 1;
    else if (byte === space) spaces += 1;
    else if (byte === equals && spaces === 1) counts.values += 1;
    else if (byte === newline) {
      counts.points += 1;
      spaces = 0;
    }
  }
  if (body.length > 0 && body.at(-1) !== newline) counts.points += 1;
}

const server = createServer((request, response) => {
  underWay += 1;
  counts.atOnce = Math.max(counts.atOnce, underWay);
  counts.requests += 1;
  counts.firstMs ||= Date.now();
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    count(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
    counts.lastMs = Date.now();
    underWay -= 1;
    response.writeHead(204).end();
  });
});
const begun = process.cpuUsage();
process.on("message", (asked: { port: number } | "counts") => {
  if (asked !== "counts") {
    server.listen(asked.port, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
    return;
  }
  const { user, system } = process.cpuUsage(begun);
  process.send?.({ ...counts, cpuSeconds: (user + system) / 1e6 });
});
process.on("disconnect", () => process.exit(0));
