import type { DuckDBConnection } from "@duckdb/node-api";
import { decodeCursor, encodeCursor } from "./cursor.js";
import type { NamesQuery, Page, QuarantinedName } from "./port.js";
import { integers, literal, literals, numberOf, rowsOf, textOf } from "./sql.js";

const newestOf = 3;

/** Groups open entries of a reason by the name they stand under, the one heard last first. Throws `bad-cursor`. */
export async function readNames(
  connection: DuckDBConnection,
  { reason, device, limit, cursor }: NamesQuery,
): Promise<Page<QuarantinedName>> {
  const where = [`reason = ${literal(reason)}`, "status = 'open'"];
  if (device !== undefined) where.push(`device = ${literal(device)}`);
  let after = "";
  if (cursor !== undefined) {
    const [last, name] = decodeCursor(cursor, ["number", "string"]);
    after = `having max(received) < ${Number(last)} or (max(received) = ${Number(last)} and device > ${literal(String(name))})`;
  }
  const rows = await rowsOf(
    connection,
    `select device, count(*)::double as messages, min(received)::double as first, max(received)::double as last
     from quarantine where ${where.join(" and ")} group by device ${after} order by max(received) desc, device limit ${limit + 1}`,
  );
  const shown = rows.slice(0, limit);
  const names = shown.map((row) => textOf(row["device"]));
  const newest = new Map(
    (
      await rowsOf(
        connection,
        `select device, max(message, ${newestOf})::double[] as newest
         from quarantine where ${where.join(" and ")} and device in ${literals(names)} group by device`,
      )
    ).map((row) => [textOf(row["device"]), (row["newest"] as unknown[]).map(numberOf)]),
  );
  const messages = await readMessages(connection, [...newest.values()].flat());
  const items = shown.map((row) => {
    const device = textOf(row["device"]);
    return {
      device,
      messages: numberOf(row["messages"]),
      firstMs: numberOf(row["first"]),
      lastMs: numberOf(row["last"]),
      newest: (newest.get(device) ?? []).flatMap((message) => messages.get(message) ?? []),
    };
  });
  const last = items.at(-1);
  return {
    items,
    next: rows.length > limit && last ? encodeCursor([last.lastMs, last.device]) : undefined,
  };
}

async function readMessages(
  connection: DuckDBConnection,
  numbers: readonly number[],
): Promise<Map<number, QuarantinedName["newest"][number]>> {
  const rows = await rowsOf(
    connection,
    `select q.message::double as message, q.received::double as received, q.user_name, q.topic, raw.payload
     from (select message, any_value(received) received, any_value(user_name) user_name, any_value(topic) topic
       from quarantine where message in ${integers(numbers)} group by message) q
     left join (select message, any_value(payload) payload from quarantine_raw
       where message in ${integers(numbers)} group by message) raw on raw.message = q.message`,
  );
  return new Map(
    rows.map((row) => {
      const message = numberOf(row["message"]);
      const payload = row["payload"];
      return [
        message,
        {
          message,
          receivedMs: numberOf(row["received"]),
          user: textOf(row["user_name"]),
          topic: textOf(row["topic"]),
          payload: payload instanceof Uint8Array ? Uint8Array.from(payload) : new Uint8Array(),
        },
      ];
    }),
  );
}
