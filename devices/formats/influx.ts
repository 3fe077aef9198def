import { attributesText, isAttribute, isAttributeText } from "../attributes.js";
import type { Fault } from "../codec.js";
import type { RawMessage } from "../message.js";
import { createResolver } from "../unit.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { maxFields } from "./interpret.js";
import { fromOf, step } from "./json.js";
import { maxLines } from "./line-batch.js";
import { type BadLine, type Point, readLines } from "./line-protocol.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });
const resolve = createResolver();

/** Nanoseconds of a unit of time, by how the topic names it. */
const precisions: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);
const nanosecondsOfMs = 1_000_000n;
/** Fields that are read of a message; what comes after is the limit's own fault. */
const maxRead = maxFields + 1;

/** Precisions of the topic `influx/{precision}`. */
export const influxPrecisions: readonly string[] = [...precisions.keys()];

/** What a point calls its device: the tag `device`, else `host`. */
const nameOf = (point: Point): string | undefined => point.tags.get("device") ?? point.tags.get("host");

/** Nanoseconds of the unit that a topic names last; Telegraf's own topics end in a measurement, which may be called `s` or `m`. */
function unitOf(topic: string): bigint {
  if (topic.startsWith("telegraf/")) return 1n;
  return precisions.get(topic.slice(topic.lastIndexOf("/") + 1)) ?? 1n;
}

function timeOf({ time }: Point, unit: bigint, receivedMs: number): number {
  if (time === undefined) return receivedMs;
  const ns = time * unit;
  const ms = ns / nanosecondsOfMs - (ns < 0n && ns % nanosecondsOfMs !== 0n ? 1n : 0n);
  return ms > 8_640_000_000_000_000n || ms < -8_640_000_000_000_000n ? Number.NaN : Number(ms);
}

/** At most `most` fields of a point. */
function fieldsOf(point: Point, identity: string, timeMs: number, most: number): ParsedField[] {
  const given = [...point.tags].filter(([key, text]) => isAttribute(key) && isAttributeText(key, text));
  const attributes = attributesText(Object.fromEntries(given));
  return point.fields.slice(0, most).map(([key, value]): ParsedField => {
    const isKnown = key.length <= 64 && resolve(key, undefined, "") !== undefined;
    return {
      from: fromOf(point.measurement, key),
      path: `/${point.line}/${step(key)}`,
      value,
      timeMs,
      identity,
      attributes,
      ...(isKnown ? { name: key } : {}),
    };
  });
}

const faultOf = ({ line, reason, text }: BadLine): Fault => ({
  code: "invalid-line",
  path: `/${line}`,
  detail: `unable to parse '${text}': ${reason}`,
});

/**
 * InfluxDB line protocol, as Telegraf and InfluxDB's clients write it. A point's device is its tag `device`, else `host`; a field
 * whose key is in the vocabulary means that. Times are in the unit that the topic names last (`influx/ms`), else nanoseconds.
 * Source: InfluxDB documentation, "Line protocol"; Telegraf documentation, "Influx Line Protocol" serializer.
 */
export const influx: Format = {
  name: "influx",
  version: "1",
  topics: ["influx/#", "telegraf/#"],
  schemes: ["name", "mac", "serial"],
  parse(message: RawMessage): Parsed {
    let text: string;
    try {
      text = utf8.decode(message.payload);
    } catch {
      const detail = "the payload isn't line protocol in UTF-8";
      return { kind: "refused", identity: undefined, fault: { code: "invalid-line", path: "", detail } };
    }
    const unit = unitOf(message.topic);
    const fields: ParsedField[] = [];
    const faults: Fault[] = [];
    let first: string | undefined;
    let lines = 0;
    for (const one of readLines(text)) {
      if ((lines += 1) > maxLines) {
        const detail = `more than ${maxLines} lines in one message`;
        faults.push({ code: "too-many-readings", path: `/${one.line}`, detail });
        break;
      }
      if ("reason" in one) faults.push(faultOf(one));
      else {
        const name = nameOf(one);
        if (name === undefined) {
          const detail = "the line names no device: give it the tag device, or host";
          faults.push({ code: "invalid-identifier", path: `/${one.line}`, detail });
        } else {
          first ??= name;
          const timeMs = timeOf(one, unit, message.receivedMs);
          fields.push(...fieldsOf(one, name, timeMs, maxRead - fields.length));
          if (fields.length === maxRead) break;
        }
      }
    }
    if (lines === 0) return { kind: "ignored", reason: "empty" };
    const [fault] = faults;
    if (first === undefined && fault) return { kind: "refused", identity: undefined, fault };
    // Fields of the message's own device stand under it, those of others under theirs.
    for (const field of fields) if (field.identity === first) delete field.identity;
    return { kind: "parsed", identity: first ?? "", fields, faults };
  },
};
