import { type DeviceEntry, ObiegError } from "../../devices/index.js";
import type { IngestView, MeterAmount, MeterEntry, MeterSpan } from "../../ingest/index.js";

const seenMs = Date.parse("2026-11-23T10:00:00Z");
const hourMs = 3_600_000;
const register = {
  serial: "E-1",
  unit: "kWh",
  multiplier: 1,
  resolution: 0.001,
  modulus: 100_000,
  maxRate: 40,
};

/** What flowed in so many hours after {@link seenMs}: `hour` kWh. */
const amount = (hour: number): MeterAmount => ({
  fromMs: seenMs + hour * hourMs,
  toMs: seenMs + (hour + 1) * hourMs,
  amount: hour,
  apart: 0,
  mark: "measured",
  why: "normal",
  lowerBound: false,
  from: { timeMs: seenMs + hour * hourMs, value: 100 + hour, sequence: seenMs + hour * hourMs },
  to: { timeMs: seenMs + (hour + 1) * hourMs, value: 100 + 2 * hour, sequence: -1, entry: "protocol" },
  serial: "E-1",
});

/** A meter of one register and three hours; entries are kept, those of a withdrawn one are refused. */
export function fakeMeters(): IngestView["meters"] {
  const written: MeterEntry[] = [];
  const all = [0, 1, 2].map(amount);
  return {
    spans: (_device: DeviceEntry, counters): MeterSpan[] =>
      ["energy_import_kwh", ...counters].map((quantity) => ({
        quantity,
        register,
        assumed: false,
        fromMs: 0,
        toMs: Number.POSITIVE_INFINITY,
      })),
    entries: (device) => written.filter((one) => one.device === device),
    async append({ device, quantity }, note, who) {
      if (note.kind === "withdrawn")
        throw new ObiegError("meter-life", `there is no entry ${note.entry} to withdraw`);
      const said = { id: note.id ?? `made-up-${written.length}`, why: note.why, who, recordedMs: seenMs };
      const entry: MeterEntry["entry"] =
        note.kind === "corrected"
          ? { ...said, kind: note.kind, fromMs: note.fromMs, toMs: note.toMs, amount: note.amount }
          : { ...said, kind: "removed", timeMs: note.timeMs };
      written.push({ sequence: written.length + 1, device, quantity, entry });
      return written.at(-1) as MeterEntry;
    },
    async amounts({ fromMs, toMs, limit, after }) {
      const since = after?.fromMs ?? fromMs;
      const found = all.filter(
        (one) => one.fromMs < toMs && (after ? one.fromMs >= since : one.toMs > since),
      );
      return found.slice(after?.skip ?? 0, (after?.skip ?? 0) + limit);
    },
    async steps({ fromMs, toMs }) {
      const figures = { amount: 3, measured: 3, estimated: 0, corrected: 0, suspect: 0, apart: 0 };
      return [{ fromMs, toMs, ...figures, known: 1, coverage: 1 }];
    },
  };
}
