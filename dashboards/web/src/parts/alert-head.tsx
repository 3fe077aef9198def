import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Alert } from "../api.ts";
import { useNow } from "../live.tsx";
import { usePlaceName } from "../queries.ts";
import { useSay } from "../say.tsx";
import { Pill, type Tone } from "./states.tsx";

const severityTone: Record<Alert["severity"], Tone> = { critical: "bad", warning: "warn", info: "calm" };
const stateTone: Record<Alert["state"], Tone> = {
  raised: "calm",
  acknowledged: "good",
  resolved: "good",
  withdrawn: "calm",
};

/** Channels that gave up on an alert, by name. */
const deadChannels = (alert: Alert): string[] =>
  Object.entries(alert.delivery ?? {})
    .filter(([, { status }]) => status === "dead" || status === "shed")
    .map(([name]) => name);

/** Channels that didn't take an alert yet and are tried again, by name. */
const failingChannels = (alert: Alert): string[] =>
  Object.entries(alert.delivery ?? {})
    .filter(([, { status, fault }]) => status === "pending" && fault)
    .map(([name]) => name);

/** What happened, how grave it is, whether somebody took it, where and since when. */
export function AlertHead({ alert, device = true }: { alert: Alert; device?: boolean }): ReactNode {
  const say = useSay();
  const { w, language } = say;
  const placeName = usePlaceName();
  const nowMs = useNow(10_000);
  const dead = deadChannels(alert);
  const failing = failingChannels(alert);
  return (
    <>
      <div>
        <Pill tone={severityTone[alert.severity]}>{w.alerts.severity[alert.severity]}</Pill>{" "}
        <Pill tone={stateTone[alert.state]}>{w.alerts.state[alert.state]}</Pill>{" "}
        {dead.length > 0 && (
          <Pill tone="bad">
            {w.alerts.undelivered}: {dead.join(", ")}
          </Pill>
        )}{" "}
        {failing.length > 0 && (
          <Pill tone="warn">
            {w.alerts.failing}: {failing.join(", ")}
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
        {placeName(alert.place)} · <time dateTime={alert.since}>{say.ago(alert.since, nowMs)}</time>
      </div>
    </>
  );
}
