import type { IdentifiedValue } from "../../ingest/stores/port.js";
import { StoredColumns } from "../../ingest/stores/stored-values.js";

/** Values as history reads them back. */
export function storedOf(values: readonly IdentifiedValue[]): StoredColumns {
  const column = (of: (value: IdentifiedValue) => number): Float64Array => Float64Array.from(values, of);
  const series = values.map(({ device, quantity, attributes }) => ({
    device,
    quantity,
    attributes,
    newest: undefined,
  }));
  const [timeMs, receivedMs] = [column((one) => one.timeMs), column((one) => one.receivedMs)];
  const [value, message] = [column((one) => one.value), column((one) => one.message)];
  const sequence = column((one) => one.sequence);
  return new StoredColumns(
    { series, timeMs, receivedMs, value, message, sequence },
    Number.POSITIVE_INFINITY,
  );
}
