import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pastDevices } from "./city.js";
import { digits, figure, type Figure, median, note } from "./report.js";
import type { Size } from "./size.js";
import { type Folder, startService, type Target } from "./target.js";

/** What a made past came to. */
export interface Past {
  rows: number;
  sealedDays: number;
  /** Sealed bytes a value of the fleet's year, and of the days that hold all meters too. */
  yearBytesPerValue: number;
  fullDaysBytesPerValue: number;
}

interface Point {
  count: number;
}

/** Makes the past in a folder whose service doesn't run. */
export async function makePast(folder: Folder, isSmoke: boolean): Promise<Past> {
  const script = fileURLToPath(new URL("./year-process.js", import.meta.url));
  const which = isSmoke ? "smoke" : "full";
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder.data, which]);
  return JSON.parse(stdout) as Past;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const dayMs = 86_400_000;

/** Local midnight in Warsaw so many days before today, epoch milliseconds. */
function midnight(daysAgo: number): number {
  const day = new Date(Date.now() - daysAgo * dayMs).toLocaleDateString("sv-SE", {
    timeZone: "Europe/Warsaw",
  });
  const utc = Date.parse(`${day}T00:00:00Z`);
  const hour = Number(
    new Date(utc).toLocaleTimeString("en-GB", { timeZone: "Europe/Warsaw", hour: "2-digit" }),
  );
  return utc - hour * 3_600_000;
}

interface Timed {
  firstMs: number;
  medianMs: number;
  values: number;
}

/** Asks several times; a query gives its own place in time, so that the same answer isn't asked twice. */
async function timeQuery(target: Target, count: number, path: (n: number) => string): Promise<Timed> {
  const times: number[] = [];
  let values = 0;
  for (let n = 0; n < count; n += 1) {
    const begun = performance.now();
    const { items } = JSON.parse(await target.get(path(n))) as { items: Point[] };
    times.push(performance.now() - begun);
    values = items.reduce((sum, point) => sum + (point.count ?? 1), 0);
  }
  return { firstMs: times[0] ?? Number.NaN, medianMs: median(times), values };
}

/** Sealed size, and series over the API on a folder with a past. */
export async function measureYear(
  folder: Folder,
  past: Past,
  size: Size,
  say: (text: string) => void,
): Promise<Figure[]> {
  const { fleet, meters } = pastDevices(size);
  const target = await startService(folder, { past: [...fleet, ...meters] });
  const em = fleet.filter((device) => device.class === "electricity-meter");
  const year = (step: string) => (n: number) =>
    `/api/v1/series?device=${em[n % em.length]?.id}&quantity=energy_import_kwh&from=${iso(midnight(size.days - 1))}&to=${iso(midnight(0))}&step=${step}&limit=10000`;
  const day =
    (step: string, daysAgo: number) =>
    (n: number): string =>
      `/api/v1/series?place=krakow/meters&quantity=${["energy_import_kwh", "power_w", "voltage_v"][n % 3]}&from=${iso(midnight(daysAgo + 1))}&to=${iso(midnight(daysAgo))}&step=${step}`;
  const readings = (n: number): string =>
    `/api/v1/readings?device=${em[n % em.length]?.id}&quantity=energy_import_kwh&from=${iso(midnight(size.days - 1))}&limit=10000`;
  const amounts = (n: number): string =>
    `/api/v1/devices/${em[n % em.length]?.id}/amounts?quantity=energy_import_kwh&from=${iso(midnight(size.days - 1))}&to=${iso(midnight(0))}&step=day`;
  const asked = [
    { what: "a device's year of one quantity by day", most: 150, path: year("day"), days: size.days - 1 },
    { what: "by hour", most: 150, path: year("hour"), days: size.days - 1 },
    { what: "a page of 10,000 readings of it", most: undefined, path: readings, days: 0 },
    { what: "a meter's year of amounts by day, from all its readings", most: 1_000, path: amounts, days: 0 },
    {
      what: `a sealed day's series over ${size.meters.toLocaleString("en")} devices by hour`,
      most: 300,
      path: day("hour", 3),
      days: size.meters,
    },
    { what: "by quarter of an hour", most: 300, path: day("15m", 3), days: size.meters },
    {
      what: "yesterday (not sealed) by quarter of an hour",
      most: 300,
      path: day("15m", 0),
      days: size.meters,
    },
  ];
  const figures = [
    figure(
      `sealed history, bytes a value: the simulator's year of ${size.fleet} devices (${past.rows.toLocaleString("en")} values in all)`,
      past.yearBytesPerValue,
      { most: 1.5 },
    ),
    note(
      `days of ${(size.fleet + size.meters).toLocaleString("en")} devices`,
      digits(past.fullDaysBytesPerValue),
    ),
  ];
  for (const { what, most, path, days } of asked) {
    const { firstMs, medianMs, values } = await timeQuery(target, size.queries, path);
    if (days > 0 && values < days * 90) throw new Error(`${what}: only ${values} values`);
    const text = `${digits(medianMs)} ms, first ${digits(firstMs)} ms`;
    say(`${what}: ${text} (${values} values)`);
    figures.push(most === undefined ? note(what, text) : figure(what, medianMs, { most, unit: "ms" }, text));
  }
  await target.stop();
  return figures;
}
