import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useState } from "react";
import type { Device, Overview, Presence, Reading } from "./api.ts";

const LiveContext = createContext(false);
const flushMs = 500;
const alertsMs = 1000;
const seriesMs = 10_000;
const reopenMs = [1000, 2000, 5000, 10_000];

/** Newest readings put into the devices; a reading older than what is shown changes nothing. */
export function withReadings(devices: Device[], readings: ReadonlyMap<string, Reading>): Device[] {
  const of = new Map<string, Reading[]>();
  for (const reading of readings.values()) {
    const list = of.get(reading.device);
    if (list) list.push(reading);
    else of.set(reading.device, [reading]);
  }
  return devices.map((device) => {
    const fresh = of.get(device.id);
    if (fresh === undefined) return device;
    const latest = new Map(device.latest.map((value) => [value.quantity, value]));
    for (const { quantity, unit, value, time } of fresh) {
      const old = latest.get(quantity);
      if (old === undefined || Date.parse(old.time) <= Date.parse(time))
        latest.set(quantity, { quantity, unit: unit ?? old?.unit ?? "", value, time });
    }
    return { ...device, latest: [...latest.values()] };
  });
}

interface PresenceItem extends Presence {
  device: string;
}

/** What devices said of their being there, put into them. */
function withPresence(devices: Device[], items: readonly PresenceItem[]): Device[] {
  const said = new Map(items.map(({ device, online, since }) => [device, { online, since }]));
  return devices.map((device) => {
    const presence = said.get(device.id);
    return presence === undefined ? device : { ...device, presence };
  });
}

const parse = (event: MessageEvent<string>): unknown => {
  try {
    return JSON.parse(event.data) as unknown;
  } catch {
    return undefined;
  }
};

const readingsOf = (data: unknown): Reading[] => {
  if (Array.isArray(data)) return data as Reading[];
  if (typeof data !== "object" || data === null) return [];
  if ("items" in data && Array.isArray(data.items)) return data.items as Reading[];
  return [data as Reading];
};

/** Runs `act` at once, then at most once in `everyMs`, with a trailing run. */
const throttled = (everyMs: number, act: () => void): { ask(): void; stop(): void } => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  const run = (): void => {
    act();
    timer = setTimeout(() => {
      timer = undefined;
      if (again) {
        again = false;
        run();
      }
    }, everyMs);
  };
  return {
    ask: () => {
      if (timer === undefined) run();
      else again = true;
    },
    stop: () => clearTimeout(timer),
  };
};

/** Feeds events into the queries' cache until stopped; reopens a feed that the browser gave up. */
function startFeed(client: QueryClient, onLive: (live: boolean) => void): () => void {
  const pending = new Map<string, Reading>();
  const flush = (): void => {
    if (pending.size === 0) return;
    client.setQueryData<{ items: Device[]; more: boolean }>(
      ["devices"],
      (was) => was && { ...was, items: withReadings(was.items, pending) },
    );
    pending.clear();
  };
  const flusher = setInterval(flush, flushMs);
  const alerts = throttled(alertsMs, () => void client.invalidateQueries({ queryKey: ["alerts"] }));
  const quarantine = throttled(seriesMs, () => void client.invalidateQueries({ queryKey: ["quarantine"] }));
  const series = throttled(seriesMs, () => void client.invalidateQueries({ queryKey: ["series"] }));
  let source: EventSource | undefined;
  let reopen: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let interrupted = false;
  const open = (): void => {
    const feed = new EventSource("/api/v1/events?topics=readings,alerts,quarantine,presence,overview", {
      withCredentials: true,
    });
    source = feed;
    feed.addEventListener("open", () => {
      tries = 0;
      onLive(true);
      if (interrupted) void client.invalidateQueries();
      interrupted = false;
    });
    feed.addEventListener("error", () => {
      onLive(false);
      interrupted = true;
      void client.invalidateQueries({ queryKey: ["overview"] });
      if (feed.readyState !== EventSource.CLOSED) return;
      reopen = setTimeout(open, reopenMs[Math.min(tries, reopenMs.length - 1)]);
      tries += 1;
    });
    feed.addEventListener("overview", (event) => {
      const data = parse(event) as Overview | undefined;
      if (data?.devices) client.setQueryData(["overview"], data);
    });
    feed.addEventListener("presence", (event) => {
      const { items = [], skipped = 0 } = (parse(event) ?? {}) as {
        items?: PresenceItem[];
        skipped?: number;
      };
      if (skipped > 0) return void client.invalidateQueries({ queryKey: ["devices"] });
      client.setQueryData<{ items: Device[]; more: boolean }>(
        ["devices"],
        (was) => was && { ...was, items: withPresence(was.items, items) },
      );
    });
    feed.addEventListener("alerts", () => alerts.ask());
    feed.addEventListener("quarantine", () => quarantine.ask());
    feed.addEventListener("reset", () => void client.invalidateQueries());
    feed.addEventListener("readings", (event) => {
      for (const reading of readingsOf(parse(event)))
        if (reading?.device) pending.set(`${reading.device} ${reading.quantity}`, reading);
      series.ask();
    });
  };
  open();
  return () => {
    clearInterval(flusher);
    clearTimeout(reopen);
    alerts.stop();
    quarantine.stop();
    series.stop();
    source?.close();
  };
}

/** Keeps the live feed open while somebody is logged in. */
export function LiveProvider({ children }: { children: ReactNode }): ReactNode {
  const client = useQueryClient();
  const [live, setLive] = useState(false);
  useEffect(() => startFeed(client, setLive), [client]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

/** Whether the feed is open now. */
export const useLive = (): boolean => use(LiveContext);

/** The browser's clock, epoch milliseconds, renewed every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
