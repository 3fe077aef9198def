import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pastDevices } from "./city.js";
import { digits, figure, type Figure, median } from "./report.js";
import type { Size } from "./size.js";
import { type Folder, makeFolder, startService } from "./target.js";

/** Start to `ready` on a folder with a past. */
export async function measureStart(
  folder: Folder,
  days: number,
  size: Size,
  say: (text: string) => void,
): Promise<Figure[]> {
  const { fleet, meters } = pastDevices(size);
  const times: number[] = [];
  for (let n = 0; n < size.starts; n += 1) {
    const target = await startService(folder, { past: [...fleet, ...meters] });
    times.push(target.startMs);
    await target.stop();
  }
  say(`start to ready: ${times.map(digits).join(", ")} ms`);
  return [figure(`start to ready with ${days} sealed days`, median(times), { most: 1_500, unit: "ms" })];
}

/** How fast a backlog goes that waits in the journal at a start, beside `livePerSecond`. */
export async function measureBacklog(
  livePerSecond: number,
  size: Size,
  say: (text: string) => void,
): Promise<Figure[]> {
  const folder = makeFolder();
  const script = fileURLToPath(new URL("./backlog-process.js", import.meta.url));
  await (await startService(folder)).stop();
  await promisify(execFile)(process.execPath, [script, folder.data, String(size.backlog)]);
  const target = await startService(folder);
  const begun = performance.now();
  const before = size.backlog - (await target.metric("obieg_pipeline_lag_messages"));
  await target.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
  const perSecond = ((size.backlog - before) / (performance.now() - begun)) * 1_000;
  const { items } = JSON.parse(await target.get("/api/v1/ledger?limit=10000")) as {
    items: { values: { stored: number } }[];
  };
  const stored = items.reduce((sum, { values }) => sum + values.stored, 0);
  if (stored !== size.backlog * 5) throw new Error(`the ledger says ${stored} values of the backlog`);
  await target.stop();
  folder.remove();
  say(`backlog: ${digits(perSecond)} messages a second`);
  return [
    figure(
      `a backlog of ${size.backlog.toLocaleString("en")} messages after a restart, of the live rate`,
      perSecond / livePerSecond,
      { least: 1, unit: "x" },
      `${digits(perSecond / livePerSecond)}x (${digits(perSecond)} a second)`,
    ),
  ];
}
