import type { HistoryCore } from "./core.js";
import { readDays } from "./days.js";
import { closeAccount, emptySums, type LedgerSums, readLedger } from "./ledger-table.js";
import type { LedgerAccount } from "./port.js";
import { coveredSlots, expectedSlots, slotsOf } from "./slots.js";
import { literal, numberOf, rowsOf, textOf } from "./sql.js";

interface SlotCount {
  expected: number;
  covered: number;
}

/**
 * The accounts of the days from `fromDay` to `toDay` (both included), ordered by day and device.
 * Slots of sealed days are those counted when the day was sealed; of other days they are counted now.
 */
export async function readAccounts(
  core: HistoryCore,
  query: { fromDay: string; toDay: string; device?: string },
): Promise<LedgerAccount[]> {
  const nowMs = core.options.clock();
  const { fromDay, toDay, device } = query;
  return core.database.read(async (connection) => {
    const sums = new Map<string, LedgerSums>();
    for (const sum of await readLedger(connection, fromDay, toDay, device)) {
      sums.set(`${sum.day} ${sum.device}`, sum);
    }
    const sealed = new Set((await readDays(connection)).map((day) => day.day));
    const counted = new Map<string, SlotCount>();
    const where = `day between ${literal(fromDay)} and ${literal(toDay)}${device === undefined ? "" : ` and device = ${literal(device)}`}`;
    for (const row of await rowsOf(
      connection,
      `select day, device, expected, covered from day_devices where ${where}`,
    )) {
      const count = { expected: numberOf(row["expected"]), covered: numberOf(row["covered"]) };
      counted.set(`${textOf(row["day"])} ${textOf(row["device"])}`, count);
    }
    const first = core.zone.day(fromDay).fromMs;
    const last = Math.min(core.zone.day(toDay).toMs, nowMs + 1);
    const devices = device === undefined ? core.options.devices() : [device];
    for (const day of core.zone.days(first, last)) {
      const covered = sealed.has(day.day)
        ? new Map<string, number>()
        : await coveredSlots(connection, core, `select series, "time" from readings`, day, nowMs);
      for (const id of devices) {
        const key = `${day.day} ${id}`;
        if (counted.has(key)) continue;
        const expected = expectedSlots(slotsOf(core, id, day, nowMs));
        if (expected > 0) counted.set(key, { expected, covered: covered.get(id) ?? 0 });
      }
    }
    for (const [key, { expected }] of counted) {
      if (expected === 0 || sums.has(key)) continue;
      const gap = key.indexOf(" ");
      sums.set(key, emptySums(key.slice(0, gap), key.slice(gap + 1)));
    }
    return [...sums.entries()]
      .map(([key, sum]) => closeAccount(sum, counted.get(key)?.expected ?? 0, counted.get(key)?.covered ?? 0))
      .sort((a, b) => compare(a.day, b.day) || compare(a.device, b.device));
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
