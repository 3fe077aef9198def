import { Button, Group } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { dismissQuarantine } from "../api.ts";
import { useNow } from "../live.tsx";
import { AdoptForm } from "../parts/adopt-form.tsx";
import { Confirmed, Foreign, Raw } from "../parts/raw.tsx";
import { Empty, FaultBox, Loaded, Pill } from "../parts/states.tsx";
import { useMayAct, useMayChange, useStrangers } from "../queries.ts";
import { visible } from "../foreign.ts";
import { fill, useSay } from "../say.tsx";
import { adoptStranger, type Adopted, type Stranger } from "../strangers.ts";

const shownBytes = 1024;

/** What its newest messages suggest: its kind, what it measures, fields that nobody named. */
function Suggestion({ of }: { of: Stranger["suggestion"] }): ReactNode {
  const say = useSay();
  const { w } = say;
  return (
    <>
      <dt>{w.strangers.likely}</dt>
      <dd>{of.class === null ? w.strangers.unclear : <strong>{say.class(of.class)}</strong>}</dd>
      {of.quantities.length > 0 && (
        <>
          <dt>{w.strangers.measures}</dt>
          <dd>{of.quantities.map((name) => say.quantity(name)).join(", ")}</dd>
        </>
      )}
      {of.unmapped.length > 0 && (
        <>
          <dt>{w.strangers.unmapped}</dt>
          <dd>
            <Foreign>{of.unmapped.join(", ")}</Foreign>
          </dd>
        </>
      )}
    </>
  );
}

function Facts({ of }: { of: Stranger }): ReactNode {
  const say = useSay();
  const { w } = say;
  return (
    <dl className="facts">
      <Suggestion of={of.suggestion} />
      <dt>{w.strangers.last}</dt>
      <dd>
        {say.ago(of.lastSeenAt, useNow(5000))} ({say.moment(of.lastSeenAt)})
      </dd>
      <dt>{w.strangers.first}</dt>
      <dd>{say.moment(of.firstSeenAt)}</dd>
      <dt>{w.strangers.waiting}</dt>
      <dd>{say.count(of.messages, w.counted.message)}</dd>
      <dt>{w.strangers.format}</dt>
      <dd>
        {of.format ?? w.strangers.noFormat}
        {of.scheme !== null && (
          <>
            {" "}
            (<code>{of.scheme}</code> <Foreign>{of.text ?? of.identifier}</Foreign>)
          </>
        )}
      </dd>
      <dt>{w.quarantine.user}</dt>
      <dd>
        <Foreign>{of.user}</Foreign>
      </dd>
      <dt>{w.quarantine.topic}</dt>
      <dd>
        <code>
          <Foreign>{of.topic}</Foreign>
        </code>
      </dd>
    </dl>
  );
}

/** Devices that send and that nobody registered: who they are, and the form that adopts one. */
export function UnknownDevices(): ReactNode {
  const say = useSay();
  const { w } = say;
  const client = useQueryClient();
  const [mayAct, mayChange] = [useMayAct(), useMayChange()];
  const [open, setOpen] = useState<string>();
  const [place, setPlace] = useState("");
  const query = useStrangers();
  const refresh = async (): Promise<void> => {
    await Promise.all(
      ["quarantine", "devices", "overview"].map((key) => client.invalidateQueries({ queryKey: [key] })),
    );
  };
  const adopt = useMutation({
    mutationFn: adoptStranger,
    onSuccess: async ({ device }) => {
      setPlace(device.place);
      setOpen(undefined);
      dismiss.reset();
      await refresh();
    },
  });
  const dismiss = useMutation({
    mutationFn: (identifier: string) => dismissQuarantine({ reason: "unknown-device", device: identifier }),
    onSuccess: async () => {
      adopt.reset();
      await refresh();
    },
  });
  const busy = adopt.isPending || dismiss.isPending;
  const card = (stranger: Stranger): ReactNode => {
    const { identifier } = stranger;
    return (
      <li key={identifier} className="card">
        <h2 className="name">
          <Foreign>{identifier}</Foreign>
        </h2>
        <Facts of={stranger} />
        {open === identifier ? (
          <>
            <AdoptForm
              stranger={stranger}
              place={place}
              busy={adopt.isPending}
              onCancel={() => {
                setOpen(undefined);
                adopt.reset();
              }}
              onAdopt={(said) => adopt.mutate({ identifier, ...said })}
            />
            {adopt.isError && <FaultBox error={adopt.error} title={w.strangers.notAdopted} />}
          </>
        ) : (
          <Group gap="xs">
            {mayChange && (
              <Button
                disabled={busy}
                onClick={() => {
                  adopt.reset();
                  setOpen(identifier);
                }}
                aria-label={`${w.strangers.adopt}: ${visible(identifier)}`}
              >
                {w.strangers.adopt}
              </Button>
            )}
            {mayAct && (
              <Confirmed
                label={w.quarantine.dismiss}
                name={identifier}
                question={fill(w.strangers.dismissAsk, {
                  count: say.count(stranger.messages, w.counted.message),
                })}
                busy={busy}
                onConfirm={() => dismiss.mutate(identifier)}
              />
            )}
            <Raw name={identifier} payload={stranger.payload} mostBytes={shownBytes} />
          </Group>
        )}
      </li>
    );
  };
  return (
    <>
      <h1>{w.strangers.title}</h1>
      <p className="dim">{w.strangers.about}</p>
      {!mayChange && <p className="dim">{w.strangers.mayNot}</p>}
      <div role="status">
        {adopt.data && open === undefined && <Outcome done={adopt.data} />}
        {dismiss.data && (
          <p>
            <Pill tone="good">
              {w.quarantine.dismissed}: {say.count(dismiss.data.dismissed, w.counted.entry)}
            </Pill>
          </p>
        )}
      </div>
      {dismiss.isError && <FaultBox error={dismiss.error} title={w.quarantine.notDone} />}
      <Loaded query={query}>
        {({ items, more }) =>
          items.length === 0 ? (
            <Empty>{w.strangers.none}</Empty>
          ) : (
            <>
              <ul className="plain">{items.map(card)}</ul>
              {more && <p className="dim">{w.strangers.more}</p>}
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Outcome({ done }: { done: Adopted }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { device, replayed, refused } = done;
  return (
    <div className="bar">
      <Pill tone={refused > 0 ? "warn" : "good"}>
        {fill(w.strangers.done, { device: device.id, count: say.count(replayed, w.counted.entry) })}
        {refused > 0 && `; ${w.quarantine.refused}: ${say.count(refused, w.counted.entry)}`}
      </Pill>
      <Link to="/devices/$id" params={{ id: device.id }}>
        {w.strangers.see}
      </Link>
    </div>
  );
}
