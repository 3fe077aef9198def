import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedHistory, openHistory } from "../../ingest/stores/history.js";
import type { HistoryOptions } from "../../ingest/stores/options.js";
import type { Value } from "../../devices/index.js";
import type { IdentifiedValue, LedgerDelta, QuarantineEntry } from "../../ingest/stores/port.js";
import type { ValueColumns } from "../../ingest/stores/values.js";
import { Zone } from "../../ingest/stores/zone.js";

/** A value with the message that brings it. */
export type IncomingValue = Value & { receivedMs: number; message: number };

/** Noon of a summer day in Warsaw, epoch milliseconds. */
export const noonMs = Date.parse("2026-06-10T12:00:00+02:00");

/** A history in a folder of its own, with a clock to turn. */
export interface TestHistory {
  history: EmbeddedHistory;
  options: HistoryOptions;
  clock: { nowMs: number };
  dir: string;
}

/** Opens a history over devices `d0`… that report every 15 minutes. */
export async function openTestHistory(overrides: Partial<HistoryOptions> = {}): Promise<TestHistory> {
  const clock = { nowMs: noonMs };
  const dir = overrides.dir ?? mkdtempSync(join(tmpdir(), "obieg-history-"));
  const options: HistoryOptions = {
    dir,
    timeZone: "Europe/Warsaw",
    retention: () => Number.POSITIVE_INFINITY,
    classOf: () => "energy",
    unitOf: () => "kWh",
    devices: () => ["d0", "d1"],
    everyMsOf: () => 900_000,
    sinceMsOf: () => Date.parse("2026-01-01T00:00:00+01:00"),
    clock: () => clock.nowMs,
    lateAfterMs: 3_600_000,
    ...overrides,
  };
  return { history: await openHistory(options), options, clock, dir };
}

let messages = 0;

/** A value of a message of its own, received when it was measured. */
export function valueAt(timeMs: number, value: number, more: Partial<IncomingValue> = {}): IncomingValue {
  messages += 1;
  return {
    device: "d0",
    quantity: "energy_import_kwh",
    attributes: "",
    path: "/x",
    timeMs,
    value,
    receivedMs: timeMs,
    message: messages,
    ...more,
  };
}

const warsaw = new Zone("Europe/Warsaw");

/** A batch of values that history gathered. */
export function gathered(history: EmbeddedHistory, values: readonly IncomingValue[]): ValueColumns {
  const batch = history.gather();
  for (const value of values) batch.add(value, value.receivedMs, value.message);
  return batch;
}

/** Identifies, accounts and commits, as the pipeline does. */
export async function take(
  history: EmbeddedHistory,
  values: readonly IncomingValue[],
  quarantine: QuarantineEntry[] = [],
): Promise<IdentifiedValue[]> {
  const batch = gathered(history, values);
  await history.identify(batch);
  const identified = [...batch];
  const ledger: LedgerDelta[] = identified.map((value) => ({
    day: warsaw.at(value.receivedMs).day,
    device: value.device,
    messages: { received: 1, decoded: 1, ignored: 0, quarantined: 0 },
    values: {
      decoded: 1,
      stored: value.verdict === "stored" ? 1 : 0,
      duplicate: value.verdict === "duplicate" ? 1 : 0,
      conflict: value.verdict === "conflict" ? 1 : 0,
      quarantined: 0,
      late: value.verdict === "stored" && value.late ? 1 : 0,
    },
  }));
  await history.commit({
    position: history.position + Math.max(1, values.length),
    values: batch,
    ledger,
    quarantine,
  });
  return identified;
}
