import type { DuckDBConnection } from "@duckdb/node-api";
import type { HistoryCore } from "./core.js";
import type { Series } from "./series-table.js";
import { appendColumns, numbersOf } from "./sql.js";
import type { LocalDay } from "./zone.js";

/** The reporting slots of a device's local day: equal steps from local midnight; the last takes what is left. */
export interface DaySlots {
  everyMs: number;
  /** First slot that counts (the device existed at its start), and the one after the last that has ended. */
  first: number;
  end: number;
  /** Slots of the whole day. */
  count: number;
}

/** The slots of a device's day that can be expected by now; undefined when it has no interval, or one longer than the day. */
export function slotsOf(
  core: HistoryCore,
  device: string,
  { fromMs, toMs }: LocalDay,
  nowMs: number,
): DaySlots | undefined {
  const { options } = core;
  const everyMs = options.everyMsOf(device);
  const sinceMs = options.sinceMsOf(device);
  const untilMs = Math.min(nowMs, options.untilMsOf(device) ?? nowMs);
  const lengthMs = toMs - fromMs;
  if (everyMs === undefined || everyMs <= 0 || everyMs > 25 * 3_600_000 || sinceMs === undefined) {
    return undefined;
  }
  const count = Math.max(1, Math.floor(lengthMs / everyMs));
  const end =
    untilMs >= toMs ? count : Math.max(0, Math.min(count - 1, Math.floor((untilMs - fromMs) / everyMs)));
  const first = Math.max(0, Math.ceil((sinceMs - fromMs) / everyMs));
  return { everyMs, first, end: Math.max(first, end), count };
}

/** How many of those slots should hold a value. */
export function expectedSlots(slots: DaySlots | undefined): number {
  return slots ? Math.min(slots.end, slots.count) - Math.min(slots.first, slots.count) : 0;
}

/**
 * Counts, for each device, the expected slots of a day that hold at least one value of `source` (a query giving series and time).
 * `devices`: of these alone. Uses the connection's temporary table `slot_rule`.
 */
export async function coveredSlots(
  connection: DuckDBConnection,
  core: HistoryCore,
  source: string,
  day: LocalDay,
  nowMs: number,
  devices?: readonly string[],
): Promise<Map<string, number>> {
  const rules: { series: Series; slots: DaySlots; device: number }[] = [];
  const names: string[] = [];
  const known = new Map<string, { slots: DaySlots | undefined; device: number }>();
  for (const series of devices ? core.series.select(devices) : core.series.all()) {
    let rule = known.get(series.device);
    if (!rule) {
      rule = { slots: slotsOf(core, series.device, day, nowMs), device: names.push(series.device) - 1 };
      known.set(series.device, rule);
    }
    if (expectedSlots(rule.slots) > 0 && rule.slots)
      rules.push({ series, slots: rule.slots, device: rule.device });
  }
  if (rules.length === 0) return new Map();
  await connection.run(
    "create or replace temp table slot_rule(series INTEGER, device INTEGER, every BIGINT, first INTEGER, final INTEGER, count INTEGER)",
  );
  const appender = await connection.createAppender("slot_rule", "main", "temp");
  const at = (index: number): (typeof rules)[number] => rules[index] as (typeof rules)[number];
  appendColumns(appender, ["integer", "integer", "bigint", "integer", "integer", "integer"], rules.length, [
    (i) => at(i).series.id,
    (i) => at(i).device,
    (i) => at(i).slots.everyMs,
    (i) => at(i).slots.first,
    (i) => at(i).slots.end,
    (i) => at(i).slots.count,
  ]);
  appender.closeSync();
  const { columns } = await numbersOf(
    connection,
    `select device::double, count(distinct slot)::double from (
       select s.device, s.first, s.final, least(s.count - 1, (r."time" - ${day.fromMs}) // s.every) slot
       from (${source}) r join slot_rule s on s.series = r.series
       where r."time" >= ${day.fromMs} and r."time" < ${day.toMs})
     where slot >= first and slot < final group by device`,
  );
  const [found, counts] = columns as [Float64Array, Float64Array];
  return new Map(Array.from(found, (device, row) => [names[device] ?? "", counts[row] ?? 0]));
}
