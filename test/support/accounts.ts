import type { History, LedgerAccount, LedgerQuery } from "../../ingest/stores/port.js";

/** All accounts that are asked for, read by pages. */
export async function accountsOf(
  history: Pick<History, "ledger">,
  query: Omit<LedgerQuery, "limit" | "cursor">,
  limit = 1_000,
): Promise<LedgerAccount[]> {
  const accounts: LedgerAccount[] = [];
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await history.ledger({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
    accounts.push(...page.items);
    cursor = page.next;
  }
  return accounts;
}
