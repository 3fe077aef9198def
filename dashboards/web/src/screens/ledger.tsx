import { Button, Checkbox, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { type LedgerAccount, readLedger } from "../api.ts";
import { Empty, Loaded, Pill } from "../parts/states.tsx";
import { dayAfter, isDay, today } from "../points.ts";
import { fill, type Say, useSay } from "../say.tsx";

type Sums = Pick<LedgerAccount, "messages" | "values" | "slots" | "balanced">;

const refreshMs = 30_000;

const columns = (
  w: Say["w"],
): { group: string; name: string; of: (sums: Sums) => number; bad?: boolean }[] => [
  { group: w.ledger.slots, name: w.ledger.expected, of: (sums) => sums.slots.expected },
  { group: w.ledger.slots, name: w.ledger.covered, of: (sums) => sums.slots.covered },
  { group: w.ledger.slots, name: w.ledger.missing, of: (sums) => sums.slots.missing, bad: true },
  { group: w.ledger.messages, name: w.ledger.received, of: (sums) => sums.messages.received },
  { group: w.ledger.messages, name: w.ledger.decoded, of: (sums) => sums.messages.decoded },
  { group: w.ledger.messages, name: w.ledger.ignored, of: (sums) => sums.messages.ignored },
  {
    group: w.ledger.messages,
    name: w.ledger.quarantined,
    of: (sums) => sums.messages.quarantined,
    bad: true,
  },
  { group: w.ledger.values, name: w.ledger.decoded, of: (sums) => sums.values.decoded },
  { group: w.ledger.values, name: w.ledger.stored, of: (sums) => sums.values.stored },
  { group: w.ledger.values, name: w.ledger.duplicate, of: (sums) => sums.values.duplicate },
  { group: w.ledger.values, name: w.ledger.conflict, of: (sums) => sums.values.conflict, bad: true },
  { group: w.ledger.values, name: w.ledger.quarantined, of: (sums) => sums.values.quarantined, bad: true },
  { group: w.ledger.values, name: w.ledger.late, of: (sums) => sums.values.late },
];

const add = <T extends Record<string, number>>(a: T, b: T): T =>
  Object.fromEntries(Object.keys(a).map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)])) as T;

/** All accounts of a day as one; balanced only when each is. */
export const sumOf = (accounts: readonly LedgerAccount[]): Sums =>
  accounts.reduce<Sums>(
    (sum, account) => ({
      messages: add(sum.messages, account.messages),
      values: add(sum.values, account.values),
      slots: add(sum.slots, account.slots),
      balanced: sum.balanced && account.balanced,
    }),
    {
      messages: { received: 0, decoded: 0, ignored: 0, quarantined: 0 },
      values: { decoded: 0, stored: 0, duplicate: 0, conflict: 0, quarantined: 0, late: 0 },
      slots: { expected: 0, covered: 0, missing: 0 },
      balanced: true,
    },
  );

const hasProblem = ({ messages, values, slots, balanced }: LedgerAccount): boolean =>
  !balanced || messages.quarantined > 0 || values.quarantined > 0 || values.conflict > 0 || slots.missing > 0;

function Figures({ sums, say }: { sums: Sums; say: Say }): ReactNode {
  const { w } = say;
  return (
    <>
      <td>
        <Pill tone={sums.balanced ? "good" : "bad"}>
          {sums.balanced ? w.ledger.balanced : w.ledger.unbalanced}
        </Pill>
      </td>
      {columns(w).map(({ group, name, of, bad }) => {
        const value = of(sums);
        return (
          <td key={group + name} className={`num ${value === 0 ? "zero" : bad ? "warn" : ""}`}>
            {say.whole(value)}
          </td>
        );
      })}
    </>
  );
}

function AccountTable({ accounts, all }: { accounts: LedgerAccount[]; all: LedgerAccount[] }): ReactNode {
  const say = useSay();
  const { w } = say;
  const list = columns(w);
  const groups = [w.ledger.slots, w.ledger.messages, w.ledger.values];
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={w.ledger.title}>
      <table className="table ledger">
        <thead>
          <tr>
            <th scope="col" rowSpan={2} className="first">
              {w.ledger.device}
            </th>
            <th scope="col" rowSpan={2}>
              {w.ledger.balance}
            </th>
            {groups.map((group) => (
              <th
                key={group}
                scope="colgroup"
                colSpan={list.filter((column) => column.group === group).length}
              >
                {group}
              </th>
            ))}
          </tr>
          <tr>
            {list.map(({ group, name }) => (
              <th key={group + name} scope="col" className="num">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr className="sum">
            <th scope="row" className="first">
              {w.ledger.sum}
            </th>
            <Figures sums={sumOf(all)} say={say} />
          </tr>
          {accounts.map((account) => (
            <tr key={account.device}>
              <th scope="row" className="first">
                {account.device.startsWith("(") ? (
                  w.ledger.unknownDevice
                ) : (
                  <Link to="/devices/$id" params={{ id: account.device }}>
                    {account.device}
                  </Link>
                )}
              </th>
              <Figures sums={account} say={say} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Accounts({ items }: { items: LedgerAccount[] }): ReactNode {
  const say = useSay();
  const { w } = say;
  const [onlyProblems, setOnlyProblems] = useState(false);
  if (items.length === 0) return <Empty>{w.ledger.none}</Empty>;
  const { slots, messages } = sumOf(items);
  const unbalanced = items.filter(({ balanced }) => !balanced).length;
  const shown = items
    .filter((account) => !onlyProblems || hasProblem(account))
    .sort(
      (a, b) =>
        Number(a.balanced) - Number(b.balanced) ||
        b.slots.missing - a.slots.missing ||
        a.device.localeCompare(b.device),
    );
  return (
    <>
      <p className={`verdict ${unbalanced === 0 ? "good" : "bad"}`}>
        <strong>
          {unbalanced === 0
            ? w.ledger.allBalanced
            : `${w.ledger.notBalanced}: ${say.count(unbalanced, w.counted.account)}`}
        </strong>
        {slots.missing > 0 && (
          <span className="line">
            {fill(w.ledger.missingOf, {
              missing: say.count(slots.missing, w.counted.report),
              expected: say.whole(slots.expected),
            })}
          </span>
        )}
        {messages.quarantined > 0 && (
          <span className="line">
            {w.ledger.quarantined}: {say.count(messages.quarantined, w.counted.message)}
          </span>
        )}
      </p>
      <Checkbox
        mb="sm"
        label={w.ledger.onlyProblems}
        checked={onlyProblems}
        onChange={(event) => setOnlyProblems(event.currentTarget.checked)}
      />
      <AccountTable accounts={shown} all={items} />
      {shown.length === 0 && <p className="dim">{w.ledger.noProblems}</p>}
    </>
  );
}

/** The account of a local day: every message, value and report, device by device. */
export function Ledger(): ReactNode {
  const say = useSay();
  const { w } = say;
  const navigate = useNavigate();
  const search = useSearch({ strict: false });
  const now = today(say.timeZone);
  const day = search.day ?? now;
  const query = useQuery({
    queryKey: ["ledger", day],
    queryFn: () => readLedger(day),
    refetchInterval: day === now ? refreshMs : false,
  });
  const go = (next: string): void => {
    if (isDay(next)) void navigate({ to: "/ledger", search: next === now ? {} : { day: next } });
  };
  return (
    <>
      <h1>{w.ledger.title}</h1>
      <p className="dim">{w.ledger.about}</p>
      <div className="filters">
        <Button variant="default" onClick={() => go(dayAfter(day, -1))}>
          ← {w.ledger.previous}
        </Button>
        <TextInput
          type="date"
          label={w.ledger.day}
          value={day}
          max={now}
          onChange={(event) => go(event.currentTarget.value)}
        />
        <Button variant="default" disabled={day >= now} onClick={() => go(dayAfter(day, 1))}>
          {w.ledger.next} →
        </Button>
      </div>
      <h2>{say.day(day)}</h2>
      <Loaded query={query}>
        {({ items, more }) => (
          <>
            <Accounts items={items} />
            {more && <p className="dim">{w.truncated}</p>}
          </>
        )}
      </Loaded>
    </>
  );
}
