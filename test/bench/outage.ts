import { freePort } from "../support/port.js";
import { runLoad } from "./generator.js";
import { startReceiver } from "./receiver.js";
import { digits, figure, type Figure, note } from "./report.js";
import type { Size } from "./size.js";
import { makeFolder, startService } from "./target.js";
import { Workloads } from "./workload.js";

/** How fast the InfluxDB sink catches up with what came while nothing answered. */
export async function measureOutage(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const folder = makeFolder();
  const port = await freePort();
  const target = await startService(folder, { influx: `http://127.0.0.1:${port}` });
  await runLoad(target.port, new Workloads().take(size.outage, 5));
  await target.until("obieg_values_stored_total", (stored) => stored >= size.outage * 5);
  const receiver = await startReceiver(port);
  await target.until('obieg_sink_lag_values{sink="influxdb"}', (lag) => lag === 0);
  const { points, values, atOnce, requests, firstMs, lastMs } = await receiver.counts();
  await target.stop();
  await receiver.stop();
  folder.remove();
  if (values !== size.outage * 5 || points !== size.outage || atOnce !== 1)
    throw new Error(`the sink got ${values} values in ${points} points, ${atOnce} requests at once`);
  const seconds = (lastMs - firstMs) / 1_000;
  say(`sink: ${digits(points / seconds)} points, ${digits(values / seconds)} values a second`);
  return [
    figure("sink after an outage, points of 5 values a second, one request at a time", points / seconds, {
      least: 50_000,
    }),
    note("values a second; values a request", `${digits(values / seconds)}; ${digits(values / requests)}`),
  ];
}
