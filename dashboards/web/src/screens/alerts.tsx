import { Button, Group, SegmentedControl, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, Fragment, type ReactNode, useState } from "react";
import { acknowledgeAlert, type Alert } from "../api.ts";
import { AlertHead } from "../parts/alert-head.tsx";
import { Empty, FaultBox, Loaded } from "../parts/states.tsx";
import { useAlerts, useMayAct, useQuantities } from "../queries.ts";
import { fill, useSay } from "../say.tsx";

function Acknowledge({ alert, onDone }: { alert: Alert; onDone: () => void }): ReactNode {
  const { w, language } = useSay();
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const take = useMutation({
    mutationFn: (note: string) => acknowledgeAlert(alert.id, note),
    onSuccess: async () => {
      setOpen(false);
      onDone();
      await client.invalidateQueries({ queryKey: ["alerts"] });
      await client.invalidateQueries({ queryKey: ["overview"] });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const note = new FormData(event.currentTarget).get("note");
    take.mutate(typeof note === "string" ? note : "");
  };
  if (!open)
    return (
      <Button
        variant="default"
        onClick={() => setOpen(true)}
        aria-label={`${w.alerts.acknowledge}: ${alert.title[language]}`}
      >
        {w.alerts.acknowledge}
      </Button>
    );
  return (
    <form onSubmit={submit}>
      <Group align="flex-end">
        <TextInput name="note" label={w.alerts.note} maxLength={500} autoFocus />
        <Button type="submit" loading={take.isPending}>
          {w.alerts.confirm}
        </Button>
        <Button variant="default" onClick={() => setOpen(false)}>
          {w.alerts.cancel}
        </Button>
      </Group>
      {take.isError && <FaultBox error={take.error} />}
    </form>
  );
}

function Facts({ alert }: { alert: Alert }): ReactNode {
  const say = useSay();
  const { w } = say;
  const kind = useQuantities().data?.get(alert.quantity ?? "")?.kind;
  const number = (value: number): string => say.reading(value, alert.unit ?? "", kind === "state");
  return (
    <dl className="facts">
      {alert.quantity && typeof alert.value === "number" && (
        <>
          <dt>{say.quantity(alert.quantity)}</dt>
          <dd>
            <strong>{number(alert.value)}</strong>
            {kind !== "state" &&
              typeof alert.limit === "number" &&
              ` (${w.alerts.limit.toLowerCase()}: ${number(alert.limit)})`}
          </dd>
        </>
      )}
      <dt>{w.alerts.since}</dt>
      <dd>{say.moment(alert.since)}</dd>
      <dt>{w.alerts.rule}</dt>
      <dd>{alert.rule}</dd>
      {alert.acknowledged && (
        <>
          <dt>{w.alerts.state.acknowledged}</dt>
          <dd>
            {alert.acknowledged.who}, {say.moment(alert.acknowledged.at)}
            {alert.acknowledged.note && `: ${alert.acknowledged.note}`}
          </dd>
        </>
      )}
      {Object.entries(alert.delivery ?? {}).map(([channel, { status, attempts, fault, nextAt }]) => (
        <Fragment key={channel}>
          <dt>{channel}</dt>
          <dd>
            {[
              w.alerts.delivery[status],
              ...(status !== "delivered" && attempts > 0 ? [say.count(attempts, w.counted.attempt)] : []),
              ...(status !== "delivered" && fault ? [fault] : []),
              ...(nextAt ? [fill(w.alerts.nextTry, { time: say.moment(nextAt) })] : []),
            ].join(", ")}
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** The inbox: what is open, who took it, what has passed. */
export function Alerts(): ReactNode {
  const say = useSay();
  const { w, language } = say;
  const navigate = useNavigate();
  const mayAct = useMayAct();
  const [done, setDone] = useState<string>();
  const which = useSearch({ strict: false }).state === "closed" ? "closed" : "open";
  const query = useAlerts(which);
  return (
    <>
      <h1>{w.alerts.title}</h1>
      <div className="filters">
        <SegmentedControl
          aria-label={w.alerts.title}
          value={which}
          onChange={(state) =>
            void navigate({ to: "/alerts", search: state === "closed" ? { state: "closed" } : {} })
          }
          data={[
            { value: "open", label: w.alerts.open },
            { value: "closed", label: w.alerts.closed },
          ]}
        />
        {query.data && (
          <span className="dim">{say.count(query.data.items.length, w.counted.openedAlert)}</span>
        )}
        {!mayAct && <span className="dim">{w.alerts.mayNot}</span>}
      </div>
      <div role="status">
        {done !== undefined && <p className="pill good">{fill(w.alerts.done, { title: done })}</p>}
      </div>
      <Loaded query={query}>
        {({ items, more }) =>
          items.length === 0 ? (
            <Empty>{which === "open" ? w.alerts.none : w.alerts.noneClosed}</Empty>
          ) : (
            <>
              <ul className="plain">
                {items.map((alert) => (
                  <li
                    key={alert.id}
                    className={`card ${alert.state === "raised" ? (alert.severity === "critical" ? "critical" : "raised") : ""}`}
                  >
                    <AlertHead alert={alert} />
                    <p>{alert.message[language]}</p>
                    <Facts alert={alert} />
                    {mayAct && alert.state === "raised" && (
                      <Acknowledge alert={alert} onDone={() => setDone(alert.title[language])} />
                    )}
                  </li>
                ))}
              </ul>
              {more && <p className="dim">{w.truncated}</p>}
            </>
          )
        }
      </Loaded>
    </>
  );
}
