import { inStretch, sealedTable, type Stretch } from "./sealed-file.js";
import type { Series } from "./series-table.js";
import { integers, literals } from "./sql.js";

const namedDevices = 500;

/** Which rows of sealed files are meant: of these series (all when undefined), in this half-open range of event time, in this stretch of the files' order. */
export interface SealedRowsWanted {
  selected?: readonly Series[] | undefined;
  fromMs?: number;
  toMs?: number;
  stretch?: Stretch;
}

/** A query that gives sealed rows as (series, time, received, value), times in epoch milliseconds. */
export function sealedRows(files: readonly string[], wanted: SealedRowsWanted = {}): string {
  const where = ["true"];
  const { selected, fromMs, toMs, stretch } = wanted;
  const table = sealedTable(files);
  if (fromMs !== undefined && Number.isFinite(fromMs)) where.push(`p.time >= ${instant(fromMs)}`);
  if (toMs !== undefined && Number.isFinite(toMs)) where.push(`p.time < ${instant(toMs)}`);
  if (selected) {
    const devices = new Set(selected.map((series) => series.device));
    if (devices.size <= namedDevices) where.push(`p.device in ${literals(devices)}`);
    where.push(`p.quantity in ${literals(new Set(selected.map((series) => series.quantity)))}`);
    where.push(`s.id in ${integers(selected.map((series) => series.id))}`);
  }
  return `select s.id series, epoch_ms(p.time) "time", epoch_ms(p.time) + p.received_delay_ms received, p.value
    from ${stretch ? `(select * from ${table} where ${inStretch(stretch)})` : table} p join series s on s.device = p.device and s.quantity = p.quantity and s.attributes = p.attributes
    where ${where.join(" and ")}`;
}

/** A SQL instant of epoch milliseconds. */
export function instant(timeMs: number): string {
  return `'${new Date(timeMs).toISOString()}'::timestamptz`;
}
