import { Button, Group } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import {
  dismissQuarantine,
  type Quarantined,
  readQuarantine,
  type Replayed,
  replayQuarantine,
  type Selection,
} from "../api.ts";
import { visible } from "../foreign.ts";
import { Confirmed, Foreign, Raw } from "../parts/raw.tsx";
import { SinksPart } from "../parts/sinks.tsx";
import { Empty, FaultBox, Loaded } from "../parts/states.tsx";
import { useMayAct } from "../queries.ts";
import { fill, type Say, useSay } from "../say.tsx";
import { reasonName } from "../words/vocabulary.ts";

/** What a replay did, in a sentence: the counted nouns in their right forms. */
const outcome = ({ replayed, refused }: Replayed, { w, count }: Say): string =>
  [
    `${w.quarantine.replayed}: ${count(replayed, w.counted.entry)}`,
    ...(refused > 0 ? [`${w.quarantine.refused}: ${count(refused, w.counted.entry)}`] : []),
  ].join("; ");

function Entry(props: {
  entry: Quarantined;
  mayAct: boolean;
  busy: boolean;
  onReplay: (ask: Selection) => void;
  onDismiss: (ask: Selection) => void;
}): ReactNode {
  const say = useSay();
  const { w } = say;
  const { entry, mayAct, busy, onReplay, onDismiss } = props;
  const reason = reasonName(entry.reason, say.language);
  const name = `${visible(entry.device)}, ${say.moment(entry.receivedAt)}`;
  return (
    <li className="card">
      <strong>{reason ?? entry.reason}</strong>
      <dl className="facts">
        <dt>{w.quarantine.device}</dt>
        <dd>
          {entry.device === "" || entry.device.startsWith("(") ? (
            entry.device === "" ? (
              "–"
            ) : (
              w.ledger.unknownDevice
            )
          ) : entry.reason === "unknown-device" ? (
            <Link to="/unknown-devices">
              <Foreign>{entry.device}</Foreign>
            </Link>
          ) : (
            <Link to="/devices/$id" params={{ id: entry.device }}>
              {entry.device}
            </Link>
          )}
        </dd>
        <dt>{w.quarantine.received}</dt>
        <dd>{say.moment(entry.receivedAt)}</dd>
        <dt>{w.quarantine.where}</dt>
        <dd>
          {entry.paths.filter((path) => path !== "").length === 0
            ? w.quarantine.whole
            : visible(entry.paths.join(", "))}
          {entry.count > 0 && ` (${say.count(entry.count, w.counted.field)})`}
        </dd>
        <dt>{w.quarantine.topic}</dt>
        <dd>
          <code>
            <Foreign>{entry.topic}</Foreign>
          </code>
        </dd>
        <dt>{w.quarantine.user}</dt>
        <dd>
          <Foreign>{entry.user}</Foreign>
        </dd>
        <dt>{w.quarantine.reason}</dt>
        <dd>
          <code>{entry.reason}</code> <Foreign>{entry.detail}</Foreign>
        </dd>
      </dl>
      <Group gap="xs">
        {mayAct && (
          <>
            <Button
              disabled={busy}
              onClick={() => onReplay({ ids: [entry.id] })}
              aria-label={`${w.quarantine.replay}: ${name}`}
            >
              {w.quarantine.replay}
            </Button>
            <Button variant="default" disabled={busy} onClick={() => onReplay({ reason: entry.reason })}>
              {w.quarantine.replayReason}
            </Button>
            <Confirmed
              label={w.quarantine.dismiss}
              name={name}
              question={w.quarantine.dismissAsk}
              busy={busy}
              onConfirm={() => onDismiss({ ids: [entry.id] })}
            />
            <Confirmed
              label={w.quarantine.dismissReason}
              name={name}
              question={fill(w.quarantine.dismissReasonAsk, { reason: reason ?? entry.reason })}
              busy={busy}
              onConfirm={() => onDismiss({ reason: entry.reason })}
            />
          </>
        )}
        <Raw name={entry.id} payload={entry.payload} mostBytes={4096} />
      </Group>
    </li>
  );
}

/** What could not be understood: why, where, the raw message, and once more through the pipeline. */
export function Quarantine(): ReactNode {
  const say = useSay();
  const { w } = say;
  const client = useQueryClient();
  const mayAct = useMayAct();
  const query = useInfiniteQuery({
    queryKey: ["quarantine", "entries"],
    queryFn: ({ pageParam }) => readQuarantine(pageParam),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: 60_000,
  });
  const refresh = async (): Promise<void> => {
    await client.invalidateQueries({ queryKey: ["quarantine"] });
    await client.invalidateQueries({ queryKey: ["overview"] });
  };
  const replay = useMutation({
    mutationFn: replayQuarantine,
    onSuccess: refresh,
  });
  const dismiss = useMutation({
    mutationFn: dismissQuarantine,
    onSuccess: refresh,
  });
  return (
    <>
      <h1>{w.quarantine.title}</h1>
      <p className="dim">{w.quarantine.about}</p>
      {!mayAct && <p className="dim">{w.quarantine.mayNot}</p>}
      <div role="status">
        {replay.data && (
          <p className={`pill ${replay.data.refused > 0 ? "warn" : "good"}`}>{outcome(replay.data, say)}</p>
        )}
        {dismiss.data && (
          <p className="pill good">
            {w.quarantine.dismissed}: {say.count(dismiss.data.dismissed, w.counted.entry)}
          </p>
        )}
      </div>
      {replay.isError && <FaultBox error={replay.error} title={w.quarantine.notDone} />}
      {dismiss.isError && <FaultBox error={dismiss.error} title={w.quarantine.notDone} />}
      <Loaded query={query}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.items);
          if (items.length === 0) return <Empty>{w.quarantine.none}</Empty>;
          return (
            <>
              <p className="dim">
                {fill(w.quarantine.shown, { count: say.count(items.length, w.counted.entry) })}
              </p>
              <ul className="plain">
                {items.map((entry) => (
                  <Entry
                    key={entry.id}
                    entry={entry}
                    mayAct={mayAct}
                    busy={replay.isPending || dismiss.isPending}
                    onReplay={(ask) => {
                      dismiss.reset();
                      replay.mutate(ask);
                    }}
                    onDismiss={(ask) => {
                      replay.reset();
                      dismiss.mutate(ask);
                    }}
                  />
                ))}
              </ul>
              {query.hasNextPage && (
                <Button
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  {w.quarantine.more}
                </Button>
              )}
            </>
          );
        }}
      </Loaded>
      <SinksPart />
    </>
  );
}
