import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Alert } from "../api.ts";
import { useNow } from "../live.tsx";
import { useSay } from "../say.tsx";
import { Pill, type Tone } from "./states.tsx";

const severityTone: Record<Alert["severity"], Tone> = { critical: "bad", warning: "warn", info: "calm" };
const stateTone: Record<Alert["state"], Tone> = {
  raised: "bad",
  acknowledged: "calm",
  resolved: "good",
  withdrawn: "calm",
};

/** The shape of an alert's `delivery`, as far as the page looks at it. */
interface Channel {
  channel?: string;
  status?: string;
  state?: string;
  error?: string;
}

/** Channels that gave up on an alert, by name. */
export const deadChannels = (delivery: unknown): string[] => {
  const list: [string, Channel | string][] = Array.isArray(delivery)
    ? (delivery as Channel[]).map((channel) => [channel.channel ?? "?", channel])
    : typeof delivery === "object" && delivery !== null
      ? Object.entries(delivery as Record<string, Channel | string>)
      : [];
  return list
    .filter(([, value]) => {
      const status = typeof value === "string" ? value : (value?.status ?? value?.state);
      return status === "dead" || status === "failed";
    })
    .map(([name]) => name);
};

/** What happened, how grave it is, whether somebody took it, where and since when. */
export function AlertHead({ alert, device = true }: { alert: Alert; device?: boolean }): ReactNode {
  const say = useSay();
  const { w, language } = say;
  const nowMs = useNow(10_000);
  const dead = deadChannels(alert.delivery);
  return (
    <>
      <div>
        <Pill tone={severityTone[alert.severity]}>{w.alerts.severity[alert.severity]}</Pill>{" "}
        <Pill tone={stateTone[alert.state]}>{w.alerts.state[alert.state]}</Pill>{" "}
        {dead.length > 0 && (
          <Pill tone="bad">
            {w.alerts.undelivered}: {dead.join(", ")}
          </Pill>
        )}
      </div>
      <strong>{alert.title[language]}</strong>
      <div className="dim">
        {device && alert.device && (
          <>
            <Link
              to="/devices/$id"
              params={{ id: alert.device }}
              search={alert.quantity ? { quantity: alert.quantity } : {}}
            >
              {alert.device}
            </Link>
            {" · "}
          </>
        )}
        {alert.place} · <time dateTime={alert.since}>{say.ago(alert.since, nowMs)}</time>
      </div>
    </>
  );
}
