import { Fragment, type ReactNode } from "react";
import type { Device } from "../api.ts";
import { fill, useSay } from "../say.tsx";
import { fractionName } from "../words/vocabulary.ts";
import { Foreign } from "./raw.tsx";

/** What the registry says of a device: how it is called elsewhere, where it stands, since when. */
export function DeviceFacts({ device }: { device: Device }): ReactNode {
  const say = useSay();
  const { w } = say;
  const litres = device.capacityLitres;
  const facts: [name: string, value: ReactNode][] = [
    ...(device.model ? [[w.device.model, <Foreign key="model">{device.model}</Foreign>] as const] : []),
    ...Object.entries(device.identifiers ?? {}).map(
      ([scheme, text]) =>
        [
          `${w.device.identifier} ${scheme}`,
          <code key={scheme}>
            <Foreign>{text}</Foreign>
          </code>,
        ] as const,
    ),
    ...(device.fraction ? [[w.device.fraction, fractionName(device.fraction, say.language)] as const] : []),
    ...(litres ? [[w.device.capacity, say.number(litres, "L")] as const] : []),
    ...(device.at
      ? [[w.device.position, device.at.map((degrees) => `${degrees}°`).join(", ")] as const]
      : []),
    ...(device.since ? [[w.device.since, say.moment(device.since)] as const] : []),
    ...(device.commissioned ? [[w.device.commissioned, say.moment(device.commissioned)] as const] : []),
    ...(device.decommissioned ? [[w.device.decommissioned, say.moment(device.decommissioned)] as const] : []),
    ...(device.uplinks
      ? [
          [
            w.device.uplinksLost,
            fill(w.device.uplinks, {
              lost: say.number(device.uplinks.lost),
              sent: say.number(device.uplinks.heard + device.uplinks.lost),
            }),
          ] as const,
        ]
      : []),
  ].map(([name, value]) => [name, value]);
  if (facts.length === 0) return null;
  return (
    <section className="card" aria-labelledby="device-facts">
      <h2 id="device-facts">{w.device.registry}</h2>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}
