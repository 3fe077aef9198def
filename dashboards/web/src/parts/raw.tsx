import { Button } from "@mantine/core";
import { type ReactNode, useId, useState } from "react";
import type { Payload } from "../api.ts";
import { visible } from "../foreign.ts";
import { fill, useSay } from "../say.tsx";

/** A name that came from outside: kept apart from the direction of the text around it, nothing in it invisible. */
export const Foreign = ({ children }: { children: string }): ReactNode => <bdi>{visible(children)}</bdi>;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** The bytes as people read them: text, tidied when it is JSON; else hexadecimal with offsets, 16 a line. */
export function readable(payload: Payload): { text: string; binary: boolean } {
  if (typeof payload.text === "string") {
    try {
      return { text: visible(JSON.stringify(JSON.parse(payload.text), undefined, 2)), binary: false };
    } catch {
      return { text: visible(payload.text), binary: false };
    }
  }
  const bytes = Uint8Array.from(atob(payload.base64), (letter) => letter.codePointAt(0) ?? 0);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16)
    lines.push(`${hex(at, 6)}  ${[...bytes.subarray(at, at + 16)].map((byte) => hex(byte, 2)).join(" ")}`);
  return { text: lines.join("\n"), binary: bytes.length > 0 };
}

/** A button that shows a raw message. `name` says which, `mostBytes` how much of it the list holds. */
export function Raw(props: { name: string; payload: Payload; mostBytes: number }): ReactNode {
  const say = useSay();
  const { w } = say;
  const { name, payload, mostBytes } = props;
  const [open, setOpen] = useState(false);
  const id = useId();
  const { text, binary } = open ? readable(payload) : { text: "", binary: false };
  return (
    <>
      <Button variant="default" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {open ? w.quarantine.hideRaw : w.quarantine.showRaw}
      </Button>
      <div id={id} className="full" hidden={!open}>
        {open && (
          <>
            {payload.truncated === true && (
              <p className="dim">
                {fill(w.quarantine.truncated, {
                  shown: say.bytes(mostBytes),
                  all: say.bytes(payload.bytes ?? 0),
                })}
              </p>
            )}
            {binary && <p className="dim">{w.quarantine.binary}</p>}
            <pre
              className="raw"
              dir="ltr"
              tabIndex={0}
              role="region"
              aria-label={`${w.quarantine.raw} ${visible(name)}`}
            >
              {text === "" ? w.quarantine.emptyPayload : text}
            </pre>
          </>
        )}
      </div>
    </>
  );
}

/** A button that asks once more before it acts. */
export function Confirmed(props: {
  label: string;
  name: string;
  question: string;
  busy: boolean;
  onConfirm: () => void;
}): ReactNode {
  const { w } = useSay();
  const { label, name, question, busy, onConfirm } = props;
  const [asked, setAsked] = useState(false);
  if (!asked)
    return (
      <Button
        variant="default"
        disabled={busy}
        onClick={() => setAsked(true)}
        aria-label={`${label}: ${visible(name)}`}
      >
        {label}
      </Button>
    );
  return (
    <div className="full" role="group" aria-label={question}>
      <p>{question}</p>
      <div className="bar">
        <Button
          color="red"
          disabled={busy}
          autoFocus
          onClick={() => {
            setAsked(false);
            onConfirm();
          }}
        >
          {label}
        </Button>
        <Button variant="default" onClick={() => setAsked(false)}>
          {w.alerts.cancel}
        </Button>
      </div>
    </div>
  );
}
