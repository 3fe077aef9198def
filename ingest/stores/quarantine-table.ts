import type { DuckDBConnection } from "@duckdb/node-api";
import { decodeCursor, encodeCursor } from "./cursor.js";
import type { HistoryBatch, Page, QuarantineEntry, QuarantineQuery } from "./port.js";
import { integers, literal, literals, numberOf, type Row, rowsOf, textOf } from "./sql.js";

/**
 * Writes new entries and changed statuses, inside the caller's transaction. A message's payload is kept once.
 * `replaying`: entries may be known already (a message was read again); the newer account of them stands.
 */
export async function writeQuarantine(
  connection: DuckDBConnection,
  entries: readonly QuarantineEntry[],
  resolved: HistoryBatch["resolved"],
  replaying: boolean,
): Promise<void> {
  // One statement for all that change alike: each reads the whole table.
  const alike = new Map<string, string[]>();
  for (const { id, status, by, atMs } of resolved ?? []) {
    const change = `status = ${literal(status)}, changed = ${atMs}, changed_by = ${literal(by)}`;
    const ids = alike.get(change);
    if (ids) ids.push(id);
    else alike.set(change, [id]);
  }
  for (const [change, ids] of alike)
    await connection.run(`update quarantine set ${change} where id in ${literals(ids)}`);
  if (entries.length === 0) return;
  const payloads = new Map(entries.map((entry) => [entry.message, entry.payload]));
  if (replaying) {
    await connection.run(`delete from quarantine where id in ${literals(entries.map(({ id }) => id))}`);
    for (const row of await rowsOf(
      connection,
      `select message::double as message from quarantine_raw where message in ${integers(payloads.keys())}`,
    )) {
      payloads.delete(numberOf(row["message"]));
    }
  }
  await appendEntries(connection, entries);
  const raw = await connection.createAppender("quarantine_raw");
  for (const [message, payload] of payloads) {
    raw.appendBigInt(BigInt(message));
    raw.appendBlob(payload);
    raw.endRow();
  }
  raw.closeSync();
}

async function appendEntries(
  connection: DuckDBConnection,
  entries: readonly QuarantineEntry[],
): Promise<void> {
  const appender = await connection.createAppender("quarantine");
  for (const entry of entries) {
    appender.appendVarchar(entry.id);
    appender.appendBigInt(BigInt(entry.message));
    appender.appendBigInt(BigInt(entry.receivedMs));
    appender.appendVarchar(entry.device);
    appender.appendVarchar(entry.user);
    appender.appendVarchar(entry.topic);
    appender.appendBoolean(entry.whole);
    appender.appendVarchar(entry.reason);
    appender.appendVarchar(JSON.stringify(entry.paths));
    appender.appendInteger(entry.count);
    appender.appendVarchar(entry.detail);
    appender.appendVarchar(entry.status);
    if (entry.changedMs === undefined) appender.appendNull();
    else appender.appendBigInt(BigInt(entry.changedMs));
    if (entry.changedBy === undefined) appender.appendNull();
    else appender.appendVarchar(entry.changedBy);
    appender.endRow();
  }
  appender.closeSync();
}

/** Reads entries in the order of their messages, oldest first. Throws `bad-cursor`. */
export async function readQuarantine(
  connection: DuckDBConnection,
  query: QuarantineQuery,
): Promise<Page<QuarantineEntry>> {
  const where = ["true"];
  if (query.id !== undefined) where.push(`id = ${literal(query.id)}`);
  if (query.reason !== undefined) where.push(`reason = ${literal(query.reason)}`);
  if (query.device !== undefined) where.push(`device = ${literal(query.device)}`);
  if (query.devices) where.push(query.devices.length > 0 ? `device in ${literals(query.devices)}` : "false");
  if (query.status !== undefined) where.push(`status = ${literal(query.status)}`);
  if (query.fromMs !== undefined) where.push(`received >= ${query.fromMs}`);
  if (query.toMs !== undefined) where.push(`received < ${query.toMs}`);
  if (query.cursor !== undefined) {
    const [message, id] = decodeCursor(query.cursor, ["number", "string"]);
    where.push(
      `(message > ${Number(message)} or (message = ${Number(message)} and id > ${literal(String(id))}))`,
    );
  }
  const rows = await rowsOf(
    connection,
    `select q.* exclude (message, received, changed), q.message::double as message, q.received::double as received, q.changed::double as changed,
       (select any_value(payload) from quarantine_raw raw where raw.message = q.message) payload
     from (select * from quarantine where ${where.join(" and ")} order by message, id limit ${query.limit + 1}) q order by q.message, q.id`,
  );
  const items = rows.slice(0, query.limit).map(entryOf);
  const last = items.at(-1);
  return {
    items,
    next: rows.length > query.limit && last ? encodeCursor([last.message, last.id]) : undefined,
  };
}

function entryOf(row: Row): QuarantineEntry {
  const changedBy = row["changed_by"];
  const payload = row["payload"];
  return {
    id: textOf(row["id"]),
    message: numberOf(row["message"]),
    receivedMs: numberOf(row["received"]),
    device: textOf(row["device"]),
    user: textOf(row["user_name"]),
    topic: textOf(row["topic"]),
    payload: payload instanceof Uint8Array ? Uint8Array.from(payload) : new Uint8Array(),
    whole: row["whole"] === true,
    reason: textOf(row["reason"]),
    paths: JSON.parse(textOf(row["paths"])) as string[],
    count: numberOf(row["count"]),
    detail: textOf(row["detail"]),
    status: textOf(row["status"]) as QuarantineEntry["status"],
    ...(row["changed"] === null ? {} : { changedMs: numberOf(row["changed"]) }),
    ...(typeof changedBy === "string" ? { changedBy } : {}),
  };
}
