import { pastDevices } from "./city.js";
import { digits, figure, type Figure, median } from "./report.js";
import type { Size } from "./size.js";
import { type Folder, startService } from "./target.js";

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
