import type { DuckDBConnection } from "@duckdb/node-api";
import type { LedgerAccount, LedgerDelta, LedgerTotals } from "./port.js";
import { ledgerColumns } from "./schema.js";
import { literal, numberOf, type Row, rowsInTurn, rowsOf, textOf } from "./sql.js";

/** A day's account before its slots are known. */
export type LedgerSums = Omit<LedgerAccount, "slots" | "balanced">;

const sums = ledgerColumns.map((name) => `sum(${name})::bigint as ${name}`).join(", ");

/** Appends a batch's deltas, inside the caller's transaction. */
export async function appendLedger(
  connection: DuckDBConnection,
  deltas: readonly LedgerDelta[],
): Promise<void> {
  if (deltas.length === 0) return;
  const appender = await connection.createAppender("ledger_partial");
  for (const { day, device, messages, values } of deltas) {
    appender.appendVarchar(day);
    appender.appendVarchar(device);
    const counts = [
      messages.received,
      messages.decoded,
      messages.ignored,
      messages.quarantined,
      values.decoded,
      values.stored,
      values.duplicate,
      values.conflict,
      values.quarantined,
      values.late,
    ];
    for (const count of counts) appender.appendBigInt(BigInt(count));
    appender.endRow();
  }
  appender.closeSync();
}

/** Folds the partial sums into one row a day and device, inside the caller's transaction. Only touched days are rewritten. */
export async function compactLedger(connection: DuckDBConnection): Promise<void> {
  await connection.run("create or replace temp table touched as select distinct day from ledger_partial");
  await connection.run(
    `create or replace temp table folded as select day, device, ${sums} from
     (select * from ledger semi join touched using (day) union all select * from ledger_partial) group by day, device`,
  );
  await connection.run("delete from ledger where day in (select day from touched)");
  await connection.run("insert into ledger select * from folded");
  await connection.run("delete from ledger_partial");
}

/** How many partial sums wait to be folded. */
export async function countPartial(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(connection, "select count(*)::double as n from ledger_partial");
  return numberOf(row?.["n"]);
}

/** The sums of the days from `fromDay` to `toDay`, both included, of one device or all; some thousand at a time. */
export async function* readLedger(
  connection: DuckDBConnection,
  fromDay: string,
  toDay: string,
  device: string | undefined,
): AsyncGenerator<LedgerSums[]> {
  const where = `where day between ${literal(fromDay)} and ${literal(toDay)}${
    device === undefined ? "" : ` and device = ${literal(device)}`
  }`;
  const turns = rowsInTurn(
    connection,
    `select day, device, ${ledgerColumns.map((name) => `sum(${name})::double as ${name}`).join(", ")}
     from (select * from ledger ${where} union all select * from ledger_partial ${where}) group by day, device`,
  );
  for await (const rows of turns) yield rows.map(sumsOf);
}

function sumsOf(row: Row): LedgerSums {
  const count = (name: string): number => numberOf(row[name]);
  return {
    day: textOf(row["day"]),
    device: textOf(row["device"]),
    messages: {
      received: count("received"),
      decoded: count("decoded"),
      ignored: count("ignored"),
      quarantined: count("quarantined"),
    },
    values: {
      decoded: count("values_decoded"),
      stored: count("values_stored"),
      duplicate: count("values_duplicate"),
      conflict: count("values_conflict"),
      quarantined: count("values_quarantined"),
      late: count("values_late"),
    },
  };
}

/** What all devices sent on a day, as one sum. */
export async function readSum(
  connection: DuckDBConnection,
  day: string,
): Promise<Pick<LedgerTotals, "stored" | "quarantined">> {
  const columns = "values_stored as stored, values_quarantined + quarantined as refused";
  const where = `where day = ${literal(day)}`;
  const [row] = await rowsOf(
    connection,
    `select coalesce(sum(stored), 0)::double as stored, coalesce(sum(refused), 0)::double as refused
     from (select ${columns} from ledger ${where} union all select ${columns} from ledger_partial ${where})`,
  );
  return { stored: numberOf(row?.["stored"]), quarantined: numberOf(row?.["refused"]) };
}

/** An account of nothing. */
export function emptySums(day: string, device: string): LedgerSums {
  return {
    day,
    device,
    messages: { received: 0, decoded: 0, ignored: 0, quarantined: 0 },
    values: { decoded: 0, stored: 0, duplicate: 0, conflict: 0, quarantined: 0, late: 0 },
  };
}

/** Adds the slots and says whether the account reconciles to zero. */
export function closeAccount(sums: LedgerSums, expected: number, covered: number): LedgerAccount {
  const { messages, values } = sums;
  const missing = expected - covered;
  return {
    ...sums,
    slots: { expected, covered, missing },
    balanced:
      messages.received === messages.decoded + messages.ignored + messages.quarantined &&
      values.decoded === values.stored + values.duplicate + values.conflict + values.quarantined &&
      missing >= 0,
  };
}
