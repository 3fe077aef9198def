import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Offender, readOffenders, readSinks, type SinkStanding } from "../api.ts";
import { fill, useSay } from "../say.tsx";
import { Loaded, Pill } from "./states.tsx";

const refreshMs = 30_000;
const names: Record<string, string> = { influxdb: "InfluxDB" };

function Refused({ offender }: { offender: Offender }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { device, quantity, value, unit, time, words, at } = offender;
  return (
    <li className="card">
      <strong>{words}</strong>
      <dl className="facts">
        <dt>{w.quarantine.device}</dt>
        <dd>
          <Link to="/devices/$id" params={{ id: device }} search={{ quantity }}>
            {device}
          </Link>
        </dd>
        <dt>{say.quantity(quantity)}</dt>
        <dd>
          {say.reading(value, unit, false)}, {say.moment(time)}
        </dd>
        <dt>{w.sinks.refusedAt}</dt>
        <dd>{say.moment(at)}</dd>
      </dl>
    </li>
  );
}

function Sink({ sink }: { sink: SinkStanding }): ReactNode {
  const say = useSay();
  const { w } = say;
  const offenders = useQuery({
    queryKey: ["offenders", sink.name],
    queryFn: () => readOffenders(sink.name),
    enabled: sink.offended > 0,
    refetchInterval: refreshMs,
  });
  const name = names[sink.name] ?? sink.name;
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      {sink.fault !== null && (
        <p>
          <Pill tone="bad">{w.sinks.waits}</Pill> <span className="words">{sink.fault}</span>
        </p>
      )}
      {sink.lag > 0 && <p>{fill(w.sinks.lag, { count: say.count(sink.lag, w.counted.value) })}</p>}
      {sink.offended > 0 && (
        <>
          <p className="dim">
            {w.sinks.about} {fill(w.sinks.refused, { count: say.count(sink.offended, w.counted.value) })}
          </p>
          <Loaded query={offenders}>
            {({ items, next }) => (
              <>
                <ul className="plain">
                  {items.map((offender) => (
                    <Refused key={offender.sequence} offender={offender} />
                  ))}
                </ul>
                {next && <p className="dim">{w.truncated}</p>}
              </>
            )}
          </Loaded>
        </>
      )}
    </section>
  );
}

/** Stores fed from history that wait or refused values, with their servers' words; nothing when all is well. */
export function SinksPart(): ReactNode {
  const { data } = useQuery({ queryKey: ["sinks"], queryFn: readSinks, refetchInterval: refreshMs });
  const troubled = (data ?? []).filter(({ offended, fault }) => offended > 0 || fault !== null);
  return troubled.map((sink) => <Sink key={sink.name} sink={sink} />);
}
