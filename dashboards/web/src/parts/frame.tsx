import { Button, SegmentedControl } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";
import { logOut } from "../api.ts";
import { LiveProvider, useLive } from "../live.tsx";
import { useOverview, useSession, useStrangers } from "../queries.ts";
import { fill, useSay } from "../say.tsx";
import { LogIn } from "../screens/log-in.tsx";
import { FaultBox, Loading, Pill } from "./states.tsx";

/** Polish or English, remembered. */
export function LanguageSwitch(): ReactNode {
  const { language, setLanguage, w } = useSay();
  return (
    <SegmentedControl
      size="xs"
      aria-label={w.language}
      value={language}
      onChange={(value) => setLanguage(value === "pl" ? "pl" : "en")}
      data={[
        { value: "pl", label: "PL" },
        { value: "en", label: "EN" },
      ]}
    />
  );
}

/** The sections and how many things wait in them. */
function Sections(): ReactNode {
  const say = useSay();
  const { w } = say;
  const open = useOverview().data?.openAlerts ?? 0;
  const strangers = useStrangers().data;
  return (
    <nav aria-label={w.nav.label}>
      <ul className="sections">
        <li>
          <Link to="/" activeOptions={{ exact: true }}>
            {w.nav.overview}
          </Link>
        </li>
        <li>
          <Link to="/devices">{w.nav.devices}</Link>
        </li>
        <li>
          <Link to="/alerts">
            {w.nav.alerts}
            {open > 0 && <Pill tone="bad">{say.whole(open)}</Pill>}
          </Link>
        </li>
        <li>
          <Link to="/unknown-devices">
            {w.nav["unknown-devices"]}
            {strangers && strangers.items.length > 0 && (
              <Pill tone="warn">
                {say.whole(strangers.items.length)}
                {strangers.more && "+"}
              </Pill>
            )}
          </Link>
        </li>
        <li>
          <Link to="/quarantine">{w.nav.quarantine}</Link>
        </li>
        <li>
          <Link to="/ledger">{w.nav.ledger}</Link>
        </li>
      </ul>
    </nav>
  );
}

/** Says, unasked, that what is shown has stopped moving. */
function LostBanner(): ReactNode {
  const say = useSay();
  const { isError, dataUpdatedAt } = useOverview();
  return (
    <div role="alert">
      {isError && (
        <div className="banner">
          <div className="frame">
            {fill(say.w.lost, { time: dataUpdatedAt === 0 ? "–" : say.clock(dataUpdatedAt) })}
          </div>
        </div>
      )}
    </div>
  );
}

function Top(): ReactNode {
  const { w } = useSay();
  const client = useQueryClient();
  const session = useSession().data;
  const overview = useOverview();
  const live = useLive();
  const leave = useMutation({
    mutationFn: logOut,
    onSettled: () => {
      client.setQueryData(["session"], null);
      client.setQueryData(["session", "ended"], false);
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
    },
  });
  return (
    <header className="top">
      <LostBanner />
      <div className="frame">
        <div className="bar">
          <span className="brand">
            <img src="/mark.svg" alt="" />
            Obieg{overview.data && ` · ${overview.data.city.name}`}
          </span>
          {overview.data?.demo && (
            <span className="pill demo" title={w.demoHint}>
              {w.demo}
            </span>
          )}
          <Pill tone={live && !overview.isError ? "good" : "calm"}>
            {live && !overview.isError ? w.live : w.notLive}
          </Pill>
          <div className="push bar">
            <span className="dim wide-only">{session?.user}</span>
            <LanguageSwitch />
            <Button size="xs" variant="default" onClick={() => leave.mutate()}>
              {w.logOut}
            </Button>
          </div>
        </div>
        <Sections />
      </div>
    </header>
  );
}

const sections = ["devices", "alerts", "unknown-devices", "quarantine", "ledger"] as const;

/** Moves focus to the content and names the document when the reader goes to another section. */
function Content(): ReactNode {
  const { w } = useSay();
  const main = useRef<HTMLElement>(null);
  const path = useLocation({ select: ({ pathname }) => pathname });
  const before = useRef(path);
  const section = path.split("/")[1] ?? "";
  useEffect(() => {
    const name = sections.find((one) => one === section);
    document.title = `${w.nav[name ?? "overview"]} – Obieg`;
  }, [section, w]);
  useEffect(() => {
    if (before.current !== path) main.current?.focus();
    before.current = path;
  }, [path]);
  return (
    <main id="content" ref={main} tabIndex={-1} className="frame">
      <Outlet />
    </main>
  );
}

function Inside(): ReactNode {
  const { w, setCity } = useSay();
  const city = useOverview().data?.city;
  useEffect(() => {
    if (city) setCity(city.timeZone, city.language);
  }, [city, setCity]);
  return (
    <>
      <button type="button" className="skip" onClick={() => document.getElementById("content")?.focus()}>
        {w.skip}
      </button>
      <Top />
      <Content />
    </>
  );
}

/** The page's frame: logged out, the form; logged in, header, sections and the screen. */
export function Frame(): ReactNode {
  const session = useSession();
  if (session.data === undefined)
    return (
      <main className="frame">
        {session.isError ? (
          <FaultBox error={session.error} onRetry={() => void session.refetch()} />
        ) : (
          <Loading />
        )}
      </main>
    );
  if (session.data === null) return <LogIn languageSwitch={<LanguageSwitch />} />;
  return (
    <LiveProvider>
      <Inside />
    </LiveProvider>
  );
}
