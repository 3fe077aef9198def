import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import type { Device } from "../api.ts";
import { useNow } from "../live.tsx";
import { Empty, Loaded, Pill, type Tone } from "../parts/states.tsx";
import {
  batteryOf,
  foremostOf,
  heardAt,
  isAway,
  type Standing,
  standingOf,
  useDevices,
  usePlaceName,
  useQuantities,
} from "../queries.ts";
import { type Say, useSay } from "../say.tsx";

const pageRows = 200;

/** What the list is narrowed to; kept in the address. */
export interface DeviceFilter {
  class?: string;
  place?: string;
  silent?: boolean;
  find?: string;
}

const standingTone: Record<Standing, Tone> = {
  reports: "good",
  silent: "warn",
  offline: "calm",
  never: "warn",
  unknown: "calm",
};
const standingRank: Record<Standing, number> = { silent: 0, offline: 1, never: 2, unknown: 3, reports: 4 };

/** How a device stands, in a word. */
export function StandingPill({ device, nowMs }: { device: Device; nowMs: number }): ReactNode {
  const standing = standingOf(device, nowMs);
  const tone = isAway(device, nowMs) ? "warn" : standingTone[standing];
  return <Pill tone={tone}>{useSay().w.devices[standing]}</Pill>;
}

const isUnder = (place: string, root: string): boolean => place === root || place.startsWith(`${root}/`);

const placesOf = (devices: readonly Device[]): string[] => {
  const all = devices.flatMap(({ place }) => {
    const parts = place.split("/");
    return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  });
  return [...new Set(all)].sort();
};

const matches = (device: Device, filter: DeviceFilter, nowMs: number): boolean =>
  (filter.class === undefined || device.class === filter.class) &&
  (filter.place === undefined || isUnder(device.place, filter.place)) &&
  (filter.find === undefined ||
    `${device.id}
${device.name ?? ""}`
      .toLowerCase()
      .includes(filter.find.toLowerCase())) &&
  (filter.silent !== true || isAway(device, nowMs));

function Filters({ devices, filter }: { devices: Device[]; filter: DeviceFilter }): ReactNode {
  const say = useSay();
  const { w } = say;
  const navigate = useNavigate();
  const placeName = usePlaceName();
  const narrow = (change: DeviceFilter): void => {
    const next = Object.fromEntries(
      Object.entries({ ...filter, ...change }).filter(([, value]) => value !== "" && value !== false),
    );
    void navigate({ to: "/devices", search: next as DeviceFilter, replace: true });
  };
  const classes = [...new Set(devices.map((device) => device.class))].sort();
  return (
    <div className="filters">
      <TextInput
        type="search"
        label={w.devices.search}
        value={filter.find ?? ""}
        onChange={(event) => narrow({ find: event.currentTarget.value })}
      />
      <NativeSelect
        label={w.devices.class}
        value={filter.class ?? ""}
        onChange={(event) => narrow({ class: event.currentTarget.value })}
        data={[
          { value: "", label: w.devices.all },
          ...classes.map((name) => ({ value: name, label: say.class(name) })),
        ]}
      />
      <NativeSelect
        label={w.devices.place}
        value={filter.place ?? ""}
        onChange={(event) => narrow({ place: event.currentTarget.value })}
        data={[
          { value: "", label: w.devices.all },
          ...placesOf(devices).map((place) => ({ value: place, label: placeName(place) })),
        ]}
      />
      <Checkbox
        label={w.devices.onlySilent}
        checked={filter.silent ?? false}
        onChange={(event) => narrow({ silent: event.currentTarget.checked })}
        pb={8}
      />
      {Object.keys(filter).length > 0 && (
        <Button variant="default" onClick={() => void navigate({ to: "/devices", search: {} })}>
          {w.devices.clear}
        </Button>
      )}
    </div>
  );
}

function Battery({ device, say }: { device: Device; say: Say }): ReactNode {
  const battery = batteryOf(device);
  if (battery === undefined) return <span className="zero">{say.w.devices.noBattery}</span>;
  return (
    <>
      {say.number(battery.value, battery.unit)}
      {battery.low && (
        <>
          {" "}
          <Pill tone="bad">{say.w.devices.low}</Pill>
        </>
      )}
    </>
  );
}

function Row({
  device,
  nowMs,
  isState,
}: {
  device: Device;
  nowMs: number;
  isState: (q: string) => boolean;
}): ReactNode {
  const say = useSay();
  const placeName = usePlaceName();
  const value = foremostOf(device);
  const heard = heardAt(device);
  return (
    <tr>
      <th scope="row">
        <Link to="/devices/$id" params={{ id: device.id }}>
          {device.id}
        </Link>
        {device.name && <div className="dim">{device.name}</div>}
        <div className="dim narrow-only">
          {say.class(device.class)} · {placeName(device.place)}
        </div>
      </th>
      <td className="wide-only">{say.class(device.class)}</td>
      <td className="wide-only">{placeName(device.place)}</td>
      <td>
        {value === undefined ? (
          "–"
        ) : (
          <>
            <strong>{say.reading(value.value, value.unit, isState(value.quantity))}</strong>
            <div className="dim">{say.quantity(value.quantity)}</div>
          </>
        )}
      </td>
      <td>
        {heard !== undefined && (
          <div>
            <time dateTime={heard} title={say.moment(heard)}>
              {say.ago(heard, nowMs)}
            </time>
          </div>
        )}
        <StandingPill device={device} nowMs={nowMs} />
        {batteryOf(device)?.low === true && (
          <div className="narrow-only">
            <Battery device={device} say={say} />
          </div>
        )}
      </td>
      <td className="wide-only">
        <Battery device={device} say={say} />
      </td>
    </tr>
  );
}

function List({ devices, nowMs }: { devices: Device[]; nowMs: number }): ReactNode {
  const say = useSay();
  const { w } = say;
  const [rows, setRows] = useState(pageRows);
  const quantities = useQuantities().data;
  const isState = (quantity: string): boolean => quantities?.get(quantity)?.kind === "state";
  return (
    <>
      <div className="scroll" tabIndex={0} role="region" aria-label={w.devices.title}>
        <table className="table devices">
          <thead>
            <tr>
              <th scope="col">{w.devices.device}</th>
              <th scope="col" className="wide-only">
                {w.devices.class}
              </th>
              <th scope="col" className="wide-only">
                {w.devices.place}
              </th>
              <th scope="col">{w.devices.last}</th>
              <th scope="col">{w.devices.age}</th>
              <th scope="col" className="wide-only">
                {w.devices.battery}
              </th>
            </tr>
          </thead>
          <tbody>
            {devices.slice(0, rows).map((device) => (
              <Row key={device.id} device={device} nowMs={nowMs} isState={isState} />
            ))}
          </tbody>
        </table>
      </div>
      {devices.length > rows && (
        <Button variant="default" mt="sm" onClick={() => setRows(rows + pageRows)}>
          +{say.whole(Math.min(pageRows, devices.length - rows))}
        </Button>
      )}
    </>
  );
}

/** Every device with its last value, when it was heard and its battery; the silent ones first. */
export function Devices(): ReactNode {
  const say = useSay();
  const { w } = say;
  const nowMs = useNow(5000);
  const search = useSearch({ strict: false });
  const filter: DeviceFilter = Object.fromEntries(
    Object.entries({
      class: search.class,
      place: search.place,
      silent: search.silent,
      find: search.find,
    }).filter(([, value]) => value !== undefined),
  );
  return (
    <>
      <h1>{w.devices.title}</h1>
      <Loaded query={useDevices()}>
        {({ items, more }) => {
          if (items.length === 0) return <Empty>{w.devices.noneAtAll}</Empty>;
          const found = items
            .filter((device) => matches(device, filter, nowMs))
            .sort(
              (a, b) =>
                standingRank[standingOf(a, nowMs)] - standingRank[standingOf(b, nowMs)] ||
                a.id.localeCompare(b.id),
            );
          return (
            <>
              <Filters devices={items} filter={filter} />
              <p className="dim" role="status">
                {say.count(found.length, w.counted.shownDevice)}
              </p>
              {found.length === 0 ? <Empty>{w.devices.none}</Empty> : <List devices={found} nowMs={nowMs} />}
              {more && <p className="dim">{w.truncated}</p>}
            </>
          );
        }}
      </Loaded>
    </>
  );
}
