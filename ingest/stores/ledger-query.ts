import { setImmediate } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { HistoryCore } from "./core.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { readDays } from "./days.js";
import { closeAccount, emptySums, type LedgerSums, readLedger, readSum } from "./ledger-table.js";
import type { LedgerAccount, LedgerQuery, LedgerTotals, Page } from "./port.js";
import { coveredSlots, expectedSlots, slotsOf } from "./slots.js";
import { literal, numberOf, rowsInTurn, textOf } from "./sql.js";
import type { LocalDay } from "./zone.js";

interface SlotCount {
  expected: number;
  covered: number;
}

/** What is kept of a day, by device: its sums, and the slots counted when it was sealed. */
interface KeptDay {
  sums: Map<string, LedgerSums>;
  counted: Map<string, SlotCount>;
}

/** Accounts that are read at once, about: days of a small city are read together, those of a large one by one. */
const mostAtOnce = 10_000;

/**
 * A page of the accounts of local days, ordered by day and device: no day is looked at that the page doesn't reach.
 * Slots of sealed days are those counted when the day was sealed; of other days they are counted now. Throws `bad-cursor`.
 */
export async function readAccounts(core: HistoryCore, query: LedgerQuery): Promise<Page<LedgerAccount>> {
  const { device, limit, cursor } = query;
  const nowMs = core.options.clock();
  const place = cursor === undefined ? ["", ""] : decodeCursor(cursor, ["string", "string"]);
  const [afterDay, afterDevice] = place as [string, string];
  const first = core.zone.day(query.fromDay).fromMs;
  const last = core.zone.day(query.toDay).toMs;
  const days = core.zone.days(first, last).filter(({ day }) => day >= afterDay);
  const devices = device === undefined ? core.options.devices() : [device];
  const wanted = limit + 1;
  const accounts = await core.database.read(async (connection) => {
    const found: LedgerAccount[] = [];
    const sealed = new Set((await readDays(connection, first, last)).map(({ day }) => day));
    for (const group of groupsOf(days, devices.length, wanted)) {
      const kept = await readKept(connection, group, device);
      for (const day of group) {
        await setImmediate();
        const there = kept.get(day.day) ?? nothingKept();
        const after = day.day === afterDay ? afterDevice : "";
        const expected = expectedOf(core, day, there, devices, nowMs);
        const names = [...new Set([...there.sums.keys(), ...expected.keys()])]
          .filter((name) => name > after)
          .sort()
          .slice(0, wanted - found.length);
        const isOpen = (name: string): boolean => expected.has(name) && !there.counted.has(name);
        const open = sealed.has(day.day) ? [] : names.filter(isOpen);
        const covered = await coveredOf(connection, core, day, open, nowMs);
        for (const name of names) {
          const sums = there.sums.get(name) ?? emptySums(day.day, name);
          const filled = there.counted.get(name)?.covered ?? covered.get(name) ?? 0;
          found.push(closeAccount(sums, expected.get(name) ?? 0, filled));
        }
        if (found.length === wanted) return found;
      }
    }
    return found;
  });
  const items = accounts.slice(0, limit);
  const end = accounts.length > limit ? items.at(-1) : undefined;
  return { items, next: end && encodeCursor([end.day, end.device]) };
}

/** What the accounts of a local day come to, without making each. */
export async function readTotals(core: HistoryCore, dayName: string): Promise<LedgerTotals> {
  const nowMs = core.options.clock();
  const day = core.zone.day(dayName);
  return core.database.read(async (connection) => {
    const sealed = await readDays(connection, day.fromMs, day.toMs);
    const { counted } = (await readKept(connection, [day], undefined, false)).get(dayName) ?? nothingKept();
    const rest = core.options.devices().filter((device) => !counted.has(device));
    const covered = await coveredOf(connection, core, day, sealed.length > 0 ? [] : rest, nowMs);
    let missing = 0;
    for (const slots of counted.values()) missing += slots.expected - slots.covered;
    for (const device of rest) missing += expectedSlots(slotsOf(core, device, day, nowMs));
    for (const filled of covered.values()) missing -= filled;
    return { ...(await readSum(connection, dayName)), missing };
  });
}

/** Days that are read together: as many as `wanted` accounts take at least, then ever more, within what is read at once. */
function* groupsOf(days: readonly LocalDay[], devices: number, wanted: number): Generator<LocalDay[]> {
  const fit = (accounts: number): number => Math.max(1, Math.floor(accounts / Math.max(1, devices)));
  let size = Math.min(fit(mostAtOnce), fit(wanted));
  for (let at = 0; at < days.length;) {
    yield days.slice(at, at + size);
    at += size;
    size = Math.min(fit(mostAtOnce), 2 * size);
  }
}

const nothingKept = (): KeptDay => ({ sums: new Map(), counted: new Map() });

/** What is kept of neighbouring days, by day; `withSums` false: only of their slots. */
async function readKept(
  connection: DuckDBConnection,
  days: readonly LocalDay[],
  device: string | undefined,
  withSums = true,
): Promise<Map<string, KeptDay>> {
  const kept = new Map(days.map(({ day }) => [day, nothingKept()]));
  const [fromDay, toDay] = [days[0]?.day ?? "", days.at(-1)?.day ?? ""];
  if (withSums)
    for await (const turn of readLedger(connection, fromDay, toDay, device))
      for (const sums of turn) kept.get(sums.day)?.sums.set(sums.device, sums);
  const where = `day between ${literal(fromDay)} and ${literal(toDay)}${device === undefined ? "" : ` and device = ${literal(device)}`}`;
  const turns = rowsInTurn(
    connection,
    `select day, device, expected, covered from day_devices where ${where}`,
  );
  for await (const rows of turns)
    for (const row of rows) {
      const count = { expected: numberOf(row["expected"]), covered: numberOf(row["covered"]) };
      kept.get(textOf(row["day"]))?.counted.set(textOf(row["device"]), count);
    }
  return kept;
}

/** How many slots are expected of who should send on a day. */
function expectedOf(
  core: HistoryCore,
  day: LocalDay,
  { counted }: KeptDay,
  devices: readonly string[],
  nowMs: number,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [device, { expected }] of counted) if (expected > 0) found.set(device, expected);
  for (const device of devices) {
    const expected = counted.has(device) ? 0 : expectedSlots(slotsOf(core, device, day, nowMs));
    if (expected > 0) found.set(device, expected);
  }
  return found;
}

/** The slots that hot rows of a day fill, of these devices. */
async function coveredOf(
  connection: DuckDBConnection,
  core: HistoryCore,
  day: LocalDay,
  devices: readonly string[],
  nowMs: number,
): Promise<Map<string, number>> {
  if (devices.length === 0) return new Map();
  return coveredSlots(connection, core, `select series, "time" from readings`, day, nowMs, devices);
}
