import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import {
  type Alert,
  type Device,
  type Overview,
  type Place,
  type Quantity,
  readAlerts,
  readDevices,
  readOverview,
  readPlaces,
  readQuantities,
  readSession,
  type Session,
} from "./api.ts";
import { readStrangers, type Stranger } from "./strangers.ts";
import { byInterest } from "./words/vocabulary.ts";

const overviewMs = 15_000;
const listMs = 60_000;
const silentAfterIntervals = 3;
const lowBatteryPercent = 20;

/** Who is logged in; null when nobody is. */
export const useSession = (): UseQueryResult<Session | null> =>
  useQuery({
    queryKey: ["session"],
    queryFn: async () => (await readSession()) ?? null,
    staleTime: Infinity,
  });

/** Whether this session may acknowledge and replay. */
export const useMayAct = (): boolean => {
  const role = useSession().data?.role;
  return role === "operator" || role === "admin";
};

/** Whether this session may change the registry. */
export const useMayChange = (): boolean => useSession().data?.role === "admin";

/** Unknown devices; asked again with what is in quarantine. */
export const useStrangers = (): UseQueryResult<{ items: Stranger[]; more: boolean }> =>
  useQuery({ queryKey: ["quarantine", "strangers"], queryFn: readStrangers, refetchInterval: listMs });

/** How things stand; kept by events, asked again every 15 s in case they stall. */
export const useOverview = (): UseQueryResult<Overview> =>
  useQuery({ queryKey: ["overview"], queryFn: readOverview, refetchInterval: overviewMs, retry: false });

/** Every device. */
export const useDevices = (): UseQueryResult<{ items: Device[]; more: boolean }> =>
  useQuery({ queryKey: ["devices"], queryFn: readDevices, refetchInterval: listMs });

/** The vocabulary by name. */
export const useQuantities = (): UseQueryResult<Map<string, Quantity>> =>
  useQuery({
    queryKey: ["quantities"],
    queryFn: async () => new Map((await readQuantities()).map((quantity) => [quantity.name, quantity])),
    staleTime: Infinity,
  });

/** The tree of places. */
export const usePlaces = (): UseQueryResult<Place[]> =>
  useQuery({ queryKey: ["places"], queryFn: readPlaces, staleTime: 300_000 });

/**
 * Tells a place by name, from itself up to below the city: `Szkoła 25, XIII Podgórze`. Its id while names aren't known.
 */
export const usePlaceName = (): ((id: string) => string) => {
  const places = usePlaces().data;
  const names = useMemo(() => new Map(places?.map(({ id, name }) => [id, name])), [places]);
  return (id) => {
    const parts = id.split("/");
    const above = parts.map((part, index) => names.get(parts.slice(0, index + 1).join("/")) ?? part);
    return (above.length > 1 ? above.slice(1) : above).reverse().join(", ");
  };
};

const severityRank = { critical: 0, warning: 1, info: 2 };
const stateRank = { raised: 0, acknowledged: 1, resolved: 2, withdrawn: 3 };

const newest = (x: Alert, y: Alert): number => Date.parse(y.at) - Date.parse(x.at);

/** Alerts, open or closed. Open: unacknowledged first, then the worst, then the newest. Closed: the newest. */
export const useAlerts = (which: "open" | "closed"): UseQueryResult<{ items: Alert[]; more: boolean }> =>
  useQuery({
    queryKey: ["alerts", which],
    queryFn: async () => {
      const [a, b] =
        which === "open"
          ? await Promise.all([readAlerts("raised"), readAlerts("acknowledged")])
          : await Promise.all([readAlerts("resolved"), readAlerts("withdrawn")]);
      const items = [...new Map([...a.items, ...b.items].map((alert) => [alert.id, alert])).values()];
      return {
        items: items.sort((x, y) =>
          which === "closed"
            ? newest(x, y)
            : stateRank[x.state] - stateRank[y.state] ||
              severityRank[x.severity] - severityRank[y.severity] ||
              newest(x, y),
        ),
        more: a.more || b.more,
      };
    },
    refetchInterval: listMs,
  });

/** Whether a device still reports: silent after three intervals without a word, offline when it said so itself and nothing came since. */
export type Standing = "reports" | "silent" | "offline" | "never" | "unknown";

/** When a device was last heard (newest event time of any quantity); undefined when never. */
export const heardAt = (device: Device): string | undefined =>
  device.latest.reduce<string | undefined>(
    (newest, { time }) => (newest === undefined || Date.parse(time) > Date.parse(newest) ? time : newest),
    undefined,
  );

/** How a device stands at a moment. */
export const standingOf = (device: Device, nowMs: number): Standing => {
  const heard = heardAt(device);
  const { presence } = device;
  if (presence?.online === false && (heard === undefined || Date.parse(heard) <= Date.parse(presence.since)))
    return "offline";
  if (heard === undefined) return "never";
  if (!device.everySeconds) return "unknown";
  return nowMs - Date.parse(heard) > silentAfterIntervals * device.everySeconds * 1000 ? "silent" : "reports";
};

/** Whether somebody should look after a device. One that sleeps between its reports says offline each time: it has an interval. */
export const isAway = (device: Device, nowMs: number): boolean => {
  const standing = standingOf(device, nowMs);
  if (standing !== "offline") return standing === "silent" || standing === "never";
  const heard = heardAt(device);
  return heard === undefined || nowMs - Date.parse(heard) > (device.everySeconds ?? 0) * 1000;
};

/** The value that stands for a device at a glance; undefined when it never sent one. */
export const foremostOf = (device: Device): Device["latest"][number] | undefined =>
  [...device.latest].sort(byInterest)[0];

/** The battery as the device tells it; `low` under 20 %. */
export const batteryOf = (device: Device): { value: number; unit: string; low: boolean } | undefined => {
  const percent = device.latest.find(({ quantity }) => quantity === "battery_percent");
  if (percent) return { value: percent.value, unit: "%", low: percent.value < lowBatteryPercent };
  const volts = device.latest.find(({ quantity }) => quantity === "battery_v");
  return volts && { value: volts.value, unit: "V", low: false };
};
