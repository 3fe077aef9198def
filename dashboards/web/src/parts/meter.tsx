import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Device } from "../api.ts";
import { type Interval, type Mark, readIntervals, readMeter, type Register } from "../meter.ts";
import { fill, useSay } from "../say.tsx";
import { byInterest } from "../words/vocabulary.ts";
import { Loaded, Pill, type Tone } from "./states.tsx";

const refreshMs = 60_000;
const shownIntervals = 8;
const usualSeconds = 3_600;
const tones: Record<Mark, Tone> = { measured: "good", estimated: "warn", corrected: "calm", suspect: "bad" };

/** The registers that count now, or the last that did; what one looks for first stands first. */
const presentOf = (registers: readonly Register[]): Register[] => {
  const counting = registers.filter(({ to }) => to === null);
  const present = counting.length > 0 ? counting : registers.slice(-1);
  return present.toSorted(byInterest);
};

function RegisterFacts({ register }: { register: Register }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { quantity, serial, assumed, multiplier, from, to } = register;
  return (
    <>
      <dt>{say.quantity(quantity)}</dt>
      <dd>
        <strong>{serial === "" ? w.meter.unknownSerial : fill(w.meter.serial, { serial })}</strong>,{" "}
        {from === null ? w.meter.always : fill(w.meter.since, { time: say.moment(from) })}
        {to !== null && ` ${fill(w.meter.until, { time: say.moment(to) })}`}
        {multiplier !== 1 && ` · × ${say.number(multiplier)}`}
        {assumed && ` · ${w.meter.assumed}`}
      </dd>
    </>
  );
}

function IntervalRow({ interval }: { interval: Interval }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { from, to, amount, unit, mark, why, apart } = interval;
  return (
    <tr>
      <th scope="row">{say.range(from, to)}</th>
      <td className="num">{say.amount(amount, unit)}</td>
      <td>
        <Pill tone={tones[mark]}>{w.meter.marks[mark]}</Pill>{" "}
        <span className="dim">
          {w.meter.whys[why]}
          {apart !== 0 && ` ${fill(w.meter.apart, { amount: say.amount(apart, unit) })}`}
        </span>
      </td>
    </tr>
  );
}

function Amounts({ device, quantity }: { device: Device; quantity: string }): ReactNode {
  const say = useSay();
  const { w } = say;
  const latest = device.latest.find((one) => one.quantity === quantity);
  const newestMs = latest === undefined ? undefined : Date.parse(latest.time);
  const query = useQuery({
    queryKey: ["intervals", device.id, quantity],
    queryFn: () =>
      readIntervals(
        device.id,
        quantity,
        (newestMs ?? Date.now()) - shownIntervals * 2 * (device.everySeconds ?? usualSeconds) * 1_000,
      ),
    refetchInterval: refreshMs,
  });
  const label = fill(w.meter.amounts, { quantity: say.quantity(quantity) });
  return (
    <>
      <h3>{label}</h3>
      <Loaded query={query}>
        {(items) =>
          items.length === 0 ? (
            <p className="dim">{w.meter.none}</p>
          ) : (
            <div className="scroll" tabIndex={0} role="region" aria-label={label}>
              <table className="table">
                <thead>
                  <tr>
                    <th scope="col">{w.device.time}</th>
                    <th scope="col" className="num">
                      {w.meter.amount}
                    </th>
                    <th scope="col">{w.meter.quality}</th>
                  </tr>
                </thead>
                <tbody>
                  {items
                    .slice(-shownIntervals)
                    .reverse()
                    .map((interval) => (
                      <IntervalRow key={`${interval.from} ${interval.why}`} interval={interval} />
                    ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </>
  );
}

/** A device's meter: what it counts with, since when, and what flowed lately; nothing where it doesn't count. `quantity`: the one that is looked at. */
export function MeterPart({ device, quantity }: { device: Device; quantity: string }): ReactNode {
  const { w } = useSay();
  const query = useQuery({
    queryKey: ["meter", device.id],
    queryFn: () => readMeter(device.id),
    refetchInterval: refreshMs,
  });
  if (query.data?.registers.length === 0) return null;
  return (
    <section className="card" aria-labelledby="meter">
      <h2 id="meter">{w.meter.title}</h2>
      <Loaded query={query}>
        {({ parent, registers }) => {
          const present = presentOf(registers);
          const shown = present.find((one) => one.quantity === quantity) ?? present[0];
          return (
            <>
              <dl className="facts">
                {present.map((register) => (
                  <RegisterFacts key={register.quantity} register={register} />
                ))}
                {parent !== null && (
                  <>
                    <dt>{w.meter.upstream}</dt>
                    <dd>
                      <Link to="/devices/$id" params={{ id: parent }}>
                        {parent}
                      </Link>
                    </dd>
                  </>
                )}
              </dl>
              {shown && <Amounts device={device} quantity={shown.quantity} />}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
