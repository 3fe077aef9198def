import { Button, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { type Device as DeviceEntry, type Quantity, readSeries } from "../api.ts";
import { useNow } from "../live.tsx";
import { AlertHead } from "../parts/alert-head.tsx";
import { DeviceFacts } from "../parts/device-facts.tsx";
import { MeterPart } from "../parts/meter.tsx";
import { PointsTable } from "../parts/points-table.tsx";
import { Empty, Loaded, Loading } from "../parts/states.tsx";
import {
  dayAfter,
  daysRange,
  isDay,
  type Period,
  periods,
  rangeOf,
  stepOf,
  today,
  withGaps,
} from "../points.ts";
import { foremostOf, heardAt, useAlerts, useDevices, usePlaceName, useQuantities } from "../queries.ts";
import { fill, useSay } from "../say.tsx";
import { byInterest } from "../words/vocabulary.ts";
import { StandingPill } from "./devices.tsx";

const Chart = lazy(async () => ({ default: (await import("../chart.tsx")).Chart }));
const refreshMs = 60_000;

/** What of a device is charted; kept in the address. */
export interface DeviceView {
  quantity?: string;
  period?: Period;
  from?: string;
  to?: string;
}

function useView(): { view: DeviceView; change: (next: DeviceView) => void } {
  const search = useSearch({ strict: false });
  const { id = "" } = useParams({ strict: false });
  const navigate = useNavigate();
  const view: DeviceView = Object.fromEntries(
    Object.entries({
      quantity: search.quantity,
      period: search.period,
      from: search.from,
      to: search.to,
    }).filter(([, value]) => value !== undefined),
  );
  return {
    view,
    change: (next) =>
      void navigate({ to: "/devices/$id", params: { id }, search: { ...view, ...next }, replace: true }),
  };
}

function LatestValues({ device }: { device: DeviceEntry }): ReactNode {
  const say = useSay();
  const nowMs = useNow(5000);
  const quantities = useQuantities().data;
  const values = [...device.latest].sort(byInterest);
  return (
    <section className="card" aria-labelledby="latest">
      <h2 id="latest">{say.w.device.now}</h2>
      <dl className="values">
        {values.map(({ quantity, unit, value, time }) => (
          <div key={quantity}>
            <dt>{say.quantity(quantity)}</dt>
            <dd>{say.reading(value, unit, quantities?.get(quantity)?.kind === "state")}</dd>
            <dd className="dim">
              <time dateTime={time} title={say.moment(time)}>
                {say.ago(time, nowMs)}
              </time>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Controls({ device, quantity }: { device: DeviceEntry; quantity: string }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { view, change } = useView();
  const period = view.period ?? "day";
  const latest = today(say.timeZone);
  return (
    <div className="filters">
      <NativeSelect
        label={w.device.quantity}
        value={quantity}
        onChange={(event) => change({ quantity: event.currentTarget.value })}
        data={[...device.latest]
          .sort(byInterest)
          .map(({ quantity: name }) => ({ value: name, label: say.quantity(name) }))}
      />
      <SegmentedControl
        className="period"
        aria-label={w.device.period}
        value={period}
        onChange={(next) => {
          const chosen = periods.find((name) => name === next) ?? "day";
          change(
            chosen === "custom"
              ? { period: chosen, from: view.from ?? dayAfter(latest, -2), to: view.to ?? latest }
              : { period: chosen },
          );
        }}
        data={periods.map((name) => ({ value: name, label: w.device[name] }))}
      />
      {period === "custom" && (
        <>
          <TextInput
            type="date"
            label={w.device.from}
            value={view.from ?? ""}
            max={latest}
            onChange={(event) => change({ from: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label={w.device.to}
            value={view.to ?? ""}
            max={latest}
            onChange={(event) => change({ to: event.currentTarget.value })}
          />
        </>
      )}
    </div>
  );
}

function Legend({ kind, step, gaps }: { kind: Quantity["kind"]; step: number; gaps: boolean }): ReactNode {
  const say = useSay();
  const { w } = say;
  const line = { gauge: w.device.mean, counter: w.device.register, amount: w.device.total, state: undefined }[
    kind
  ];
  return (
    <p className="legend">
      {line !== undefined && (
        <span>
          <span className="swatch line" />
          {line}
        </span>
      )}
      {kind === "gauge" && (
        <span>
          <span className="swatch" />
          {w.device.band}
        </span>
      )}
      <span>{fill(w.device.step, { step: say.span(step) })}</span>
      {gaps && <span>{w.device.gaps}</span>}
    </p>
  );
}

function History({
  device,
  quantity,
  unit,
}: {
  device: DeviceEntry;
  quantity: string;
  unit: string;
}): ReactNode {
  const say = useSay();
  const { w, timeZone } = say;
  const { view } = useView();
  const [asTable, setAsTable] = useState(false);
  const kind = useQuantities().data?.get(quantity)?.kind ?? "gauge";
  const period = view.period ?? "day";
  const custom = period === "custom" ? daysRange(view.from ?? "", view.to ?? "", timeZone) : undefined;
  const bad = period === "custom" && custom === undefined;
  const query = useQuery({
    queryKey: ["series", device.id, quantity, period, custom?.fromMs, custom?.toMs, timeZone],
    queryFn: async () => {
      const range = period === "custom" ? custom : rangeOf(period, Date.now());
      if (range === undefined) throw new Error("no range");
      const step = stepOf(range.toMs - range.fromMs, device.everySeconds ?? undefined);
      const items = await readSeries({
        device: device.id,
        quantity,
        ...range,
        step: step.step,
        tz: timeZone,
      });
      return { ...range, seconds: step.seconds, items };
    },
    enabled: !bad,
    refetchInterval: refreshMs,
    placeholderData: (before, asked) =>
      asked?.queryKey[1] === device.id && asked.queryKey[2] === quantity ? before : undefined,
  });
  const points = useMemo(() => withGaps(query.data?.items ?? [], kind), [query.data, kind]);
  if (bad) return <p role="alert">{w.device.badRange}</p>;
  const label = `${device.id}: ${say.quantity(quantity)}, ${w.device[period]}`;
  return (
    <Loaded query={query}>
      {({ fromMs, toMs, seconds }) =>
        points.every(({ main }) => main === null) ? (
          <Empty>{w.device.empty}</Empty>
        ) : (
          <>
            {asTable ? (
              <PointsTable points={points} kind={kind} unit={unit} label={label} />
            ) : (
              <Suspense fallback={<Loading />}>
                <Chart points={points} kind={kind} unit={unit} fromMs={fromMs} toMs={toMs} label={label} />
              </Suspense>
            )}
            <Legend kind={kind} step={seconds} gaps={points.some(({ main }) => main === null)} />
            <Button variant="default" onClick={() => setAsTable(!asTable)} aria-pressed={asTable}>
              {asTable ? w.device.chart : w.device.table}
            </Button>
          </>
        )
      }
    </Loaded>
  );
}

function OwnAlerts({ id }: { id: string }): ReactNode {
  const { w } = useSay();
  const own = useAlerts("open").data?.items.filter(({ device }) => device === id) ?? [];
  if (own.length === 0) return null;
  return (
    <section className="card" aria-labelledby="own-alerts">
      <h2 id="own-alerts">{w.device.alerts}</h2>
      <ul className="plain rows">
        {own.map((alert) => (
          <li key={alert.id}>
            <AlertHead alert={alert} device={false} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Found({ device }: { device: DeviceEntry }): ReactNode {
  const say = useSay();
  const { w } = say;
  const nowMs = useNow(5000);
  const { view } = useView();
  const placeName = usePlaceName();
  const heard = heardAt(device);
  const quantities = useQuantities().data;
  const isMeter = device.latest.some(({ quantity }) => quantities?.get(quantity)?.kind === "counter");
  const shown = device.latest.find(({ quantity }) => quantity === view.quantity) ?? foremostOf(device);
  return (
    <>
      <h1>{device.name ?? device.id}</h1>
      <p className="dim">
        {device.name && `${device.id} · `}
        {say.class(device.class)} · {placeName(device.place)}
        {device.everySeconds ? ` · ${w.device.every} ${say.each(device.everySeconds)}` : ""}
        {heard !== undefined && ` · ${w.devices.age.toLowerCase()} ${say.ago(heard, nowMs)}`}
        {device.presence &&
          ` · ${w.device[device.presence.online ? "online" : "offline"]} ${say.ago(device.presence.since, nowMs)}`}{" "}
        <StandingPill device={device} nowMs={nowMs} />
      </p>
      {shown === undefined ? (
        <div className="stack">
          <Empty>{w.device.noValues}</Empty>
          <DeviceFacts device={device} />
        </div>
      ) : (
        <div className="stack">
          <OwnAlerts id={device.id} />
          <LatestValues device={device} />
          {isMeter && <MeterPart device={device} quantity={shown.quantity} />}
          <section className="card" aria-label={say.quantity(shown.quantity)}>
            <Controls device={device} quantity={shown.quantity} />
            <History device={device} quantity={shown.quantity} unit={shown.unit} />
          </section>
          <DeviceFacts device={device} />
        </div>
      )}
    </>
  );
}

/** One device: what it says now, and one of its quantities over a chosen time. */
export function Device(): ReactNode {
  const { w } = useSay();
  const { id = "" } = useParams({ strict: false });
  return (
    <>
      <Link to="/devices">← {w.device.back}</Link>
      <Loaded query={useDevices()}>
        {({ items }) => {
          const device = items.find((entry) => entry.id === id);
          return device ? (
            <Found key={id} device={device} />
          ) : (
            <Empty>{fill(w.device.missing, { id })}</Empty>
          );
        }}
      </Loaded>
    </>
  );
}

/** What an address may hold of a view. */
export const viewOf = (search: Record<string, unknown>): DeviceView => ({
  ...(typeof search["quantity"] === "string" ? { quantity: search["quantity"] } : {}),
  ...(periods.some((name) => name === search["period"]) ? { period: search["period"] as Period } : {}),
  ...(isDay(search["from"]) ? { from: search["from"] } : {}),
  ...(isDay(search["to"]) ? { to: search["to"] } : {}),
});
