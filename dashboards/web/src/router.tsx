import { createHashHistory, createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Frame } from "./parts/frame.tsx";
import { FaultBox } from "./parts/states.tsx";
import { isDay } from "./points.ts";
import { useSay } from "./say.tsx";
import { Alerts } from "./screens/alerts.tsx";
import { Device, viewOf } from "./screens/device.tsx";
import { type DeviceFilter, Devices } from "./screens/devices.tsx";
import { Ledger } from "./screens/ledger.tsx";
import { Overview } from "./screens/overview.tsx";
import { Quarantine } from "./screens/quarantine.tsx";
import { UnknownDevices } from "./screens/unknown-devices.tsx";

function Missing(): ReactNode {
  const { w } = useSay();
  return (
    <>
      <h1>{w.missingPage}</h1>
      <Link to="/">{w.nav.overview}</Link>
    </>
  );
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;

const filterOf = (search: Record<string, unknown>): DeviceFilter => {
  const [kind, place, find] = [text(search["class"]), text(search["place"]), text(search["find"])];
  return {
    ...(kind === undefined ? {} : { class: kind }),
    ...(place === undefined ? {} : { place }),
    ...(find === undefined ? {} : { find }),
    ...(search["silent"] === true ? { silent: true } : {}),
  };
};

/**
 * Makes the page's routes. They live behind `#`, so that the server serves one file and knows no screen.
 */
export function makeRouter() {
  const root = createRootRoute({
    component: Frame,
    notFoundComponent: Missing,
    errorComponent: ({ error }) => <FaultBox error={error} />,
  });
  const at = <P extends string>(path: P, component: () => ReactNode) =>
    ({ getParentRoute: () => root, path, component }) as const;
  const overview = createRoute(at("/", Overview));
  const quarantine = createRoute(at("/quarantine", Quarantine));
  const strangers = createRoute(at("/unknown-devices", UnknownDevices));
  const devices = createRoute({ ...at("/devices", Devices), validateSearch: filterOf });
  const device = createRoute({ ...at("/devices/$id", Device), validateSearch: viewOf });
  const alerts = createRoute({
    ...at("/alerts", Alerts),
    validateSearch: (search): { state?: "closed" } =>
      search["state"] === "closed" ? { state: "closed" } : {},
  });
  const ledger = createRoute({
    ...at("/ledger", Ledger),
    validateSearch: (search): { day?: string } => (isDay(search["day"]) ? { day: search["day"] } : {}),
  });
  return createRouter({
    routeTree: root.addChildren([overview, devices, device, alerts, quarantine, strangers, ledger]),
    history: createHashHistory(),
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
