import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import {
  demoCityFile,
  demoDeviceSinceMs,
  type DemoFleet,
  demoPast,
  demoSinceMs,
} from "./devices/demo/index.js";
import {
  type CityMark,
  type CityRegistry,
  isUnchanged,
  newSecret,
  ObiegError,
  readCityFile,
  readMarkedCity,
} from "./devices/index.js";
import type { EmbeddedHistory } from "./ingest/stores/history.js";
import type { StateStore } from "./ingest/stores/state.js";
import { sealedFilesIn } from "./ingest/stores/upkeep.js";
import { Zone } from "./ingest/stores/zone.js";

/** The city file as it was applied last, and the registry's revision after it. */
interface Applied extends CityMark {
  revision: number;
}

/**
 * Makes the registry what the file says, unless both are what they were after the last time: then nothing needs to be read.
 * Measured with 1,600 devices: 0.4 s of a start; a secret of each device would cost a scrypt each besides.
 */
async function applyFile(
  registry: CityRegistry,
  state: StateStore,
  file: string,
  build: string,
): Promise<void> {
  if (!existsSync(file))
    throw new ObiegError("city-invalid", `${file} isn't there: give a city file with --city`);
  const marks = state.table<Applied, string>("city-file");
  const reader = { env: process.env, build };
  const before = marks.get("applied");
  if (before?.revision === registry.revision && (await isUnchanged(file, reader, before))) return;
  const { city, mark } = await readMarkedCity(file, reader);
  await registry.apply(city, "start");
  const { revision } = registry;
  await state.transaction(() => void marks.put("applied", { ...mark, revision }));
}

/** What a city is made of at a start. */
export interface CityStart {
  /** Data folder. */
  data: string;
  /** The city file given. */
  file: string | undefined;
  /** End of the demo's past, when the demo is wanted where there is no city at all. */
  demoNowMs: number | undefined;
  /** Which build of this program runs. */
  build: string;
}

/**
 * Applies the city file given, or the demo's when there is no city at all and the demo is wanted.
 * Gives what the demo is played with; undefined when the city isn't the demo's. Throws `city-invalid`,
 * and `time-zone-kept` for another time zone than that of sealed days; from here on for any other than the one that it starts with.
 */
export async function applyCity(
  registry: CityRegistry,
  state: StateStore,
  { data, file, demoNowMs, build }: CityStart,
): Promise<DemoFleet | undefined> {
  if (registry.revision > 0 && sealedFilesIn(join(data, "history")).length > 0)
    registry.keepTimeZone("give a city of another zone a data folder of its own (--data)");
  // The service plays the demo itself: unlike a device it has no other place to keep its secret at than the data folder.
  const secrets = () => state.table<string, string>("demo-secret");
  if (file !== undefined) await applyFile(registry, state, file, build);
  else if (demoNowMs !== undefined && registry.revision === 0) {
    const secret = newSecret();
    await state.transaction(() => void secrets().put("secret", secret));
    const city = readCityFile(demoCityFile(), { ...process.env, OBIEG_DEMO_SECRET: secret });
    await registry.applyDemo(city, (device) => demoDeviceSinceMs(device, demoNowMs));
  }
  registry.keepTimeZone(
    "stop the service and start it with this file (--city); once days are sealed, with a data folder of its own (--data)",
  );
  return registry.city.demo
    ? { devices: registry.devices(), secret: secrets().get("secret") ?? "" }
    : undefined;
}

/** Where the making of the demo's past stands: it goes backwards from its first start. */
interface PastMark {
  nowMs: number;
  /** First moment that is made; everything from here to `nowMs` is there. */
  fromMs: number;
}

/** What the demo's past is made with. */
export interface PastParts {
  registry: CityRegistry;
  history: EmbeddedHistory;
  state: StateStore;
  log: Logger;
}

const chunkDays = 7;

/**
 * Makes one more week of the demo's past, newest first; the first call makes the days that a page shows at once. Gives false when the year is whole.
 * Guarantee: a start after an interruption goes on where it stopped; a week that was cut short stays as it is.
 */
export async function makeDemoPast(parts: PastParts, nowMs: number): Promise<boolean> {
  const { registry, history, state, log } = parts;
  const { demo, timeZone } = registry.city;
  if (!demo) return false;
  const table = state.table<PastMark, string>("demo-past");
  const mark = table.get("mark") ?? { nowMs, fromMs: nowMs };
  const sinceMs = demoSinceMs(mark.nowMs);
  if (mark.fromMs <= sinceMs) return false;
  const zone = new Zone(timeZone);
  const fromMs = Math.max(sinceMs, zone.at(mark.fromMs - chunkDays * 86_400_000).fromMs);
  const columns = demoPast(registry.devices(), { fromMs, toMs: mark.fromMs }, timeZone);
  const runs = function* () {
    for (const { device, quantity, times, values } of columns)
      yield { device, quantity, attributes: "", timesMs: times, values };
  };
  try {
    await history.bulkLoad(runs());
  } catch (error) {
    if (!(error instanceof ObiegError) || error.code !== "bulk-overlap") throw error;
    log.warn({ err: error }, "a week of the demo's past was cut short and stays so");
  }
  await state.transaction(() => void table.put("mark", { ...mark, fromMs }));
  return fromMs > sinceMs;
}
