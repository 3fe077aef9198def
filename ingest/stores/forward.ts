import type { DuckDBConnection } from "@duckdb/node-api";
import type { IdentifiedValue } from "./port.js";
import type { SeriesTable } from "./series-table.js";
import { numberOf, numbersOf, rowsOf } from "./sql.js";

const columns = `series::double, "time"::double, received::double, value, message::double, sequence::double`;
/** A message holds fewer values than this. */
const mostOfMessage = 100_000;

/** Reads stored values forward by sequence: above `after`, up to `limit` and then to the end of the last message. */
export async function readAfter(
  connection: DuckDBConnection,
  series: SeriesTable,
  after: number,
  limit: number,
  lateAfterMs: number,
): Promise<IdentifiedValue[]> {
  const [first] = await rowsOf(
    connection,
    `select min(sequence)::double as s from readings where sequence > ${after}`,
  );
  const from = numberOf(first?.["s"]);
  if (Number.isNaN(from)) return [];
  const to = from + limit - 1;
  const values: IdentifiedValue[] = [];
  const take = async (where: string): Promise<void> => {
    const found = await numbersOf(
      connection,
      `select ${columns} from readings where ${where} order by sequence`,
    );
    const [ids, times, received, numbers, messages, sequences] = found.columns;
    for (let row = 0; row < found.rows; row += 1) {
      const own = series.byId(ids?.[row] ?? 0);
      if (!own) continue;
      const timeMs = times?.[row] ?? 0;
      const receivedMs = received?.[row] ?? 0;
      values.push({
        device: own.device,
        quantity: own.quantity,
        attributes: own.attributes,
        timeMs,
        value: numbers?.[row] ?? 0,
        receivedMs,
        message: messages?.[row] ?? 0,
        sequence: sequences?.[row] ?? 0,
        verdict: "stored",
        late: receivedMs - timeMs > lateAfterMs || timeMs < (own.newest?.timeMs ?? timeMs),
      });
    }
  };
  await take(`sequence between ${from} and ${to}`);
  const last = values.at(-1);
  if (last?.sequence === to)
    await take(`sequence > ${to} and message = ${last.message} and sequence < ${to + mostOfMessage}`);
  return values;
}
