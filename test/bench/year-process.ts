// Makes the simulator's past straight into the history of a service that doesn't run: a year of the fleet, the last days of
// the meters. Prints what it came to as JSON.
import { mkdirSync } from "node:fs";
import { simulateHistory } from "../../devices/simulator/index.js";
import { unitOf } from "../../devices/index.js";
import { openHistory } from "../../ingest/stores/history.js";
import { Zone } from "../../ingest/stores/zone.js";
import { pastDevices } from "./city.js";
import type { Past } from "./year.js";
import { fullSize, smokeSize } from "./size.js";

const [data = "", which] = process.argv.slice(2);
const size = which === "smoke" ? smokeSize : fullSize;
const timeZone = "Europe/Warsaw";
const { fleet, meters } = pastDevices(size);
const zone = new Zone(timeZone);
const nowMs = Date.now();
const daysAgo = (days: number): number => zone.at(zone.at(nowMs).fromMs - (days - 0.5) * 86_400_000).fromMs;
const byId = new Map([...fleet, ...meters].map((device) => [device.id, device]));

mkdirSync(data, { recursive: true });
const history = await openHistory({
  dir: data,
  timeZone,
  retention: () => Number.POSITIVE_INFINITY,
  classOf: (id) => byId.get(id)?.class,
  unitOf,
  devices: () => [...byId.keys()],
  everyMsOf: (id) => byId.get(id)?.everyMs,
  sinceMsOf: () => daysAgo(size.days),
  clock: () => nowMs,
  lateAfterMs: 3_600_000,
  memoryLimit: "1GB",
});

const load = (devices: typeof fleet, fromMs: number, toMs: number): Promise<number> =>
  history.bulkLoad(
    (function* () {
      for (const column of simulateHistory(devices, { fromMs, toMs, seed: 1, timeZone })) {
        const { device, quantity, times, values } = column;
        yield { device, quantity, attributes: "", timesMs: times, values };
      }
    })(),
  );

const meterDays = 5;
let yearRows = 0;
for (let day = size.days; day > meterDays; day -= 30)
  yearRows += await load(fleet, daysAgo(day), daysAgo(Math.max(meterDays, day - 30)));
const year = await history.status();
const laterRows = await load([...fleet, ...meters], daysAgo(meterDays), nowMs);
const all = await history.status();
await history.close();
const past: Past = {
  rows: yearRows + laterRows,
  sealedDays: all.sealedDays,
  yearBytesPerValue: year.sealedBytes / yearRows,
  fullDaysBytesPerValue: (all.sealedBytes - year.sealedBytes) / (laterRows - all.hotRows),
};
process.stdout.write(JSON.stringify(past));
