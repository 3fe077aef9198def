import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Alert, Device, Overview as Standing } from "../api.ts";
import { useNow } from "../live.tsx";
import { AlertHead } from "../parts/alert-head.tsx";
import { Loaded, type Tone } from "../parts/states.tsx";
import { heardAt, isAway, useAlerts, useDevices, useOverview, usePlaceName } from "../queries.ts";
import { fill, type Say, useSay } from "../say.tsx";

const shownAtMost = 6;
const fullShare = 0.8;

interface Finding {
  tone: "warn" | "bad";
  key: string;
  text: string;
  to?: "/alerts" | "/devices" | "/quarantine";
}

/** The first of them by name, and an ellipsis where there are more. */
const filesOf = (damaged: readonly { file: string }[]): string =>
  [
    ...damaged.slice(0, shownAtMost).map(({ file }) => file),
    ...(damaged.length > shownAtMost ? ["…"] : []),
  ].join(", ");

/** What an operator must know first, worst first. */
function findingsOf(now: Standing, open: readonly Alert[] | undefined, say: Say): Finding[] {
  const { w } = say;
  const silent = now.devices.total - now.devices.alive;
  const critical =
    open?.filter(({ severity, state }) => severity === "critical" && state === "raised").length ?? 0;
  const share = now.journal.maxBytes > 0 ? now.journal.bytes / now.journal.maxBytes : 0;
  const reasons = now.reasons.map((reason) => (typeof reason === "string" ? reason : reason.message));
  const all: (Finding | false)[] = [
    !now.ready && {
      tone: "bad",
      key: "ready",
      text: [w.overview.notReady, reasons.join("; ")].filter((part) => part !== "").join(": "),
    },
    now.damagedDays.length > 0 && {
      tone: "bad",
      key: "damaged",
      text: fill(w.overview.damaged, { files: filesOf(now.damagedDays) }),
    },
    now.upkeep !== null && {
      tone: "bad",
      key: "upkeep",
      text: fill(w.overview.upkeep, { reason: now.upkeep.message }),
    },
    critical > 0 && {
      tone: "bad",
      key: "critical",
      to: "/alerts",
      text: say.count(critical, w.counted.criticalAlert),
    },
    now.openAlerts > 0 && {
      tone: "warn",
      key: "alerts",
      to: "/alerts",
      text: say.count(now.openAlerts, w.counted.openAlert),
    },
    silent > 0 && {
      tone: "warn",
      key: "silent",
      to: "/devices",
      text: say.count(silent, w.counted.silentDevice),
    },
    now.today.quarantined > 0 && {
      tone: "warn",
      key: "quarantine",
      to: "/quarantine",
      text: say.count(now.today.quarantined, w.counted.quarantinedEntry),
    },
    share >= fullShare && {
      tone: "bad",
      key: "journal",
      text: `${w.overview.journal}: ${say.percent(share)}`,
    },
  ];
  return all.filter((finding): finding is Finding => finding !== false);
}

/** One sentence on how the city stands, with what to look at. */
function Verdict({ now }: { now: Standing }): ReactNode {
  const say = useSay();
  const { w } = say;
  const findings = findingsOf(now, useAlerts("open").data?.items, say);
  const tone: Tone = findings.some((finding) => finding.tone === "bad")
    ? "bad"
    : findings.length > 0
      ? "warn"
      : "good";
  const words = { good: w.overview.fine, warn: w.overview.attention, bad: w.overview.trouble, calm: "" };
  return (
    <section className={`verdict ${tone}`} aria-labelledby="verdict">
      <h2 id="verdict">{words[tone]}</h2>
      {findings.length > 0 && (
        <ul>
          {findings.map((finding) => (
            <li key={finding.key}>
              {finding.to === undefined ? (
                finding.text
              ) : (
                <Link to={finding.to} search={finding.key === "silent" ? { silent: true } : {}}>
                  {finding.text}
                </Link>
              )}
            </li>
          ))}
        </ul>
      )}
      <span>{fill(w.overview.asOf, { time: say.clock(now.at) })}</span>
    </section>
  );
}

/** One figure with what it means. */
function Tile(props: { name: string; figure: string; note?: string; tone?: Tone; hint?: string }): ReactNode {
  return (
    <li className={`tile ${props.tone ?? ""}`} title={props.hint}>
      <span className="note">{props.name}</span>
      <span className="figure">{props.figure}</span>
      {props.note !== undefined && <span className="note">{props.note}</span>}
    </li>
  );
}

function Tiles({ now }: { now: Standing }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { total, alive } = now.devices;
  const counted = (value: number, forms: Parameters<Say["count"]>[1]): string =>
    say.count(value, forms).slice(say.whole(value).length + 1);
  return (
    <ul className="tiles plain" aria-label={w.overview.today}>
      <Tile
        name={w.overview.alive}
        figure={say.whole(alive)}
        note={fill(w.overview.ofAll, { total: say.count(total, w.counted.ofDevices) })}
        tone={alive < total ? "warn" : "calm"}
      />
      <Tile name={w.overview.rate} figure={say.number(now.messagesPerSecond)} note={w.overview.perSecond} />
      <Tile
        name={w.overview.stored}
        figure={say.whole(now.today.stored)}
        note={counted(now.today.stored, w.counted.value)}
      />
      <Tile
        name={w.overview.quarantined}
        figure={say.whole(now.today.quarantined)}
        note={counted(now.today.quarantined, w.counted.entry)}
        tone={now.today.quarantined > 0 ? "warn" : "calm"}
      />
      <Tile
        name={w.overview.missing}
        hint={w.overview.missingHint}
        figure={say.whole(now.today.missing)}
        note={counted(now.today.missing, w.counted.report)}
        tone={now.today.missing > 0 ? "warn" : "calm"}
      />
      <Tile
        name={w.overview.openAlerts}
        figure={say.whole(now.openAlerts)}
        note={counted(now.openAlerts, w.counted.alert)}
        tone={now.openAlerts > 0 ? "warn" : "calm"}
      />
      <Tile
        name={w.overview.journal}
        hint={w.overview.journalHint}
        figure={now.journal.maxBytes > 0 ? say.percent(now.journal.bytes / now.journal.maxBytes) : "–"}
        note={`${say.bytes(now.journal.bytes)} / ${say.bytes(now.journal.maxBytes)}`}
        tone={now.journal.bytes >= fullShare * now.journal.maxBytes ? "bad" : "calm"}
      />
      <Tile
        name={w.overview.lag}
        figure={say.whole(now.pipelineLag)}
        note={counted(now.pipelineLag, w.counted.message)}
      />
    </ul>
  );
}

function OpenAlerts(): ReactNode {
  const say = useSay();
  const { w } = say;
  return (
    <section className="card" aria-labelledby="open-alerts">
      <h2 id="open-alerts">{w.overview.openAlerts}</h2>
      <Loaded query={useAlerts("open")}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="dim">{w.overview.noAlerts}</p>
          ) : (
            <>
              <ul className="plain rows">
                {items.slice(0, shownAtMost).map((alert) => (
                  <li key={alert.id}>
                    <AlertHead alert={alert} />
                  </li>
                ))}
              </ul>
              <p>
                <Link to="/alerts">{w.overview.allAlerts}</Link>
                {items.length > shownAtMost &&
                  ` (${fill(w.overview.more, { count: say.whole(items.length - shownAtMost) })})`}
              </p>
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function SilentDevices(): ReactNode {
  const say = useSay();
  const { w } = say;
  const nowMs = useNow(10_000);
  const placeName = usePlaceName();
  const silent = (items: readonly Device[]): Device[] => items.filter((device) => isAway(device, nowMs));
  return (
    <section className="card" aria-labelledby="silent-devices">
      <h2 id="silent-devices">{w.overview.silentDevices}</h2>
      <Loaded query={useDevices()}>
        {({ items }) => {
          const quiet = silent(items);
          if (quiet.length === 0) return <p className="dim">{w.overview.allReport}</p>;
          return (
            <>
              <ul className="plain rows">
                {quiet.slice(0, shownAtMost).map((device) => {
                  const heard = heardAt(device);
                  return (
                    <li key={device.id}>
                      <Link to="/devices/$id" params={{ id: device.id }}>
                        {device.id}
                      </Link>{" "}
                      <span className="dim">
                        {say.class(device.class)} · {placeName(device.place)} ·{" "}
                        {heard === undefined ? w.devices.never : say.ago(heard, nowMs)}
                      </span>
                    </li>
                  );
                })}
              </ul>
              <p>
                <Link to="/devices" search={{ silent: true }}>
                  {w.overview.allSilent}
                </Link>
                {quiet.length > shownAtMost &&
                  ` (${fill(w.overview.more, { count: say.whole(quiet.length - shownAtMost) })})`}
              </p>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

/** The first screen: a verdict, today's figures, what is open, who is silent. */
export function Overview(): ReactNode {
  const { w } = useSay();
  return (
    <>
      <h1>{w.overview.title}</h1>
      <Loaded query={useOverview()}>
        {(now) => (
          <>
            <Verdict now={now} />
            <Tiles now={now} />
            <div className="pair">
              <OpenAlerts />
              <SilentDevices />
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}
