import { Button, Group } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useId, useState } from "react";
import { type Quarantined, readQuarantine, type Replayed, replayQuarantine } from "../api.ts";
import { SinksPart } from "../parts/sinks.tsx";
import { Empty, FaultBox, Loaded } from "../parts/states.tsx";
import { useMayAct } from "../queries.ts";
import { fill, type Say, useSay } from "../say.tsx";
import { reasonName } from "../words/vocabulary.ts";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** The bytes as people read them: text, tidied when it is JSON; else hexadecimal with offsets, 16 a line. */
export function readable(payload: Quarantined["payload"]): { text: string; binary: boolean } {
  if (typeof payload.text === "string") {
    try {
      return { text: JSON.stringify(JSON.parse(payload.text), undefined, 2), binary: false };
    } catch {
      return { text: payload.text, binary: false };
    }
  }
  const bytes = Uint8Array.from(atob(payload.base64), (letter) => letter.codePointAt(0) ?? 0);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16)
    lines.push(`${hex(at, 6)}  ${[...bytes.subarray(at, at + 16)].map((byte) => hex(byte, 2)).join(" ")}`);
  return { text: lines.join("\n"), binary: bytes.length > 0 };
}

/** What a replay did, in a sentence: the counted nouns in their right forms. */
const outcome = ({ replayed, refused }: Replayed, { w, count }: Say): string =>
  [
    `${w.quarantine.replayed}: ${count(replayed, w.counted.entry)}`,
    ...(refused > 0 ? [`${w.quarantine.refused}: ${count(refused, w.counted.entry)}`] : []),
  ].join("; ");

function Raw({ entry }: { entry: Quarantined }): ReactNode {
  const say = useSay();
  const { w } = say;
  const [open, setOpen] = useState(false);
  const id = useId();
  const { text, binary } = open ? readable(entry.payload) : { text: "", binary: false };
  return (
    <>
      <Button variant="default" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {open ? w.quarantine.hideRaw : w.quarantine.showRaw}
      </Button>
      <div id={id} className="full" hidden={!open}>
        {open && (
          <>
            {entry.payload.truncated === true && (
              <p className="dim">
                {fill(w.quarantine.truncated, {
                  shown: say.bytes(4096),
                  all: say.bytes(entry.payload.bytes ?? 0),
                })}
              </p>
            )}
            {binary && <p className="dim">{w.quarantine.binary}</p>}
            <pre className="raw" tabIndex={0} role="region" aria-label={`${w.quarantine.raw} ${entry.id}`}>
              {text === "" ? w.quarantine.emptyPayload : text}
            </pre>
          </>
        )}
      </div>
    </>
  );
}

function Entry(props: {
  entry: Quarantined;
  mayAct: boolean;
  busy: boolean;
  onReplay: (ask: { ids?: string[]; reason?: string }) => void;
}): ReactNode {
  const say = useSay();
  const { w } = say;
  const { entry, mayAct, busy, onReplay } = props;
  const reason = reasonName(entry.reason, say.language);
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
            entry.device
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
            : entry.paths.join(", ")}
          {entry.count > 0 && ` (${say.count(entry.count, w.counted.field)})`}
        </dd>
        <dt>{w.quarantine.topic}</dt>
        <dd>
          <code>{entry.topic}</code>
        </dd>
        <dt>{w.quarantine.user}</dt>
        <dd>{entry.user}</dd>
        <dt>{w.quarantine.reason}</dt>
        <dd>
          <code>{entry.reason}</code> {entry.detail}
        </dd>
      </dl>
      <Group gap="xs">
        {mayAct && (
          <>
            <Button
              disabled={busy}
              onClick={() => onReplay({ ids: [entry.id] })}
              aria-label={`${w.quarantine.replay}: ${entry.device}, ${say.moment(entry.receivedAt)}`}
            >
              {w.quarantine.replay}
            </Button>
            <Button variant="default" disabled={busy} onClick={() => onReplay({ reason: entry.reason })}>
              {w.quarantine.replayReason}
            </Button>
          </>
        )}
        <Raw entry={entry} />
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
    queryKey: ["quarantine"],
    queryFn: ({ pageParam }) => readQuarantine(pageParam),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: 60_000,
  });
  const replay = useMutation({
    mutationFn: replayQuarantine,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["quarantine"] });
      await client.invalidateQueries({ queryKey: ["overview"] });
    },
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
      </div>
      {replay.isError && <FaultBox error={replay.error} />}
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
                    busy={replay.isPending}
                    onReplay={(ask) => replay.mutate(ask)}
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
