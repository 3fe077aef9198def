import type { Fault, Past } from "../codec.js";
import type { LocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";
import { createResolver } from "../unit.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { longestName, type Metric, type Payload, readPayload } from "./sparkplug-payload.js";
import {
  dataOf,
  type Definition,
  deviceBorn,
  deviceDied,
  type Lookup,
  nodeBorn,
  nodeDied,
  type Turn,
} from "./sparkplug-session.js";

const resolve = createResolver();

/** Bits of the whole data types; negative where they have a sign. Source: Eclipse Sparkplug 3.0.0, 6.4.16 (data types). */
const widths: ReadonlyMap<number, number> = new Map([
  [1, -8],
  [2, -16],
  [3, -32],
  [4, -64],
  [5, 8],
  [6, 16],
  [7, 32],
  [8, 64],
]);
const realTypes: ReadonlySet<number> = new Set([9, 10]);
const booleanType = 11;
/** Unknown, texts, moments, UUID, data sets, bytes, files, templates, property sets, arrays. */
const isNoNumber = (type: number): boolean => type === 0 || type > booleanType;

/** A whole number as its type means it: negative ones travel in two's complement, of their own width or wider. */
function wholeOf(raw: bigint, width: number): number | undefined {
  const bits = Math.abs(width);
  const isWide = raw >> BigInt(bits) !== 0n;
  if (width > 0) return isWide ? undefined : Number(raw);
  const signed = BigInt.asIntN(bits, raw);
  const isSame = [bits, 32, 64].some((wide) => BigInt.asUintN(wide, signed) === raw);
  return isSame ? Number(signed) : undefined;
}

/** What a metric's value is by its type: a number, null for none, "text" for what is no number, undefined for a contradiction. */
function numberOf({ value, isNull }: Metric, type: number | undefined): number | null | "text" | undefined {
  if (isNull) return null;
  if (type !== undefined && isNoNumber(type)) return "text";
  if (value === undefined) return type === undefined ? "text" : undefined;
  if ("text" in value) return type === undefined ? "text" : undefined;
  if ("truth" in value) return type === undefined || type === booleanType ? Number(value.truth) : undefined;
  if ("real" in value) return type === undefined || realTypes.has(type) ? value.real : undefined;
  const width = type === undefined ? undefined : widths.get(type);
  return width === undefined ? undefined : wholeOf(value.whole, width);
}

/** Of the session and the machine, not of what is measured. */
const isApart = (name: string): boolean =>
  name === "bdSeq" || /^(?:Node|Device) (?:Control|Info)\//.test(name);

/** What a name and its unit mean where that is beyond doubt: the vocabulary's name last, or a stem of it with a unit. */
function meaningOf(name: string, unit: string | undefined): { name?: string; unit?: string } {
  const written = name.slice(name.lastIndexOf("/") + 1);
  if (written.length > 64) return {};
  const last = written.trim().toLowerCase().replaceAll(/[ -]+/g, "_");
  if (unit !== undefined && resolve(last, unit, "")) return { name: last, unit };
  return unit === undefined && resolve(last, undefined, "") ? { name: last } : {};
}

const invalid = (path: string, detail: string): Fault => ({
  code: "invalid-sparkplug",
  path,
  detail: detail.slice(0, 300),
});

/** The fields of a payload, and what of it can't be told. */
function fieldsOf(
  payload: Payload,
  receivedMs: number,
  lookup: Lookup,
): { fields: ParsedField[]; faults: Fault[]; lost: number } {
  const fields: ParsedField[] = [];
  const faults: Fault[] = [];
  let lost = 0;
  for (const [index, metric] of payload.metrics.entries()) {
    const path = `/metrics/${index}`;
    const known: Definition | undefined = lookup(metric);
    if (metric.isNameLong || known?.isNameLong) {
      faults.push(invalid(path, `its name is longer than ${longestName} characters`));
      continue;
    }
    const name = metric.name !== undefined && metric.name !== "" ? metric.name : known?.name;
    if (name === undefined) {
      lost += 1;
      const what = metric.alias === undefined ? "a metric without name and alias" : `alias ${metric.alias}`;
      const detail = `${what} is of no birth that is known: a rebirth is asked for; replay afterwards`;
      faults.push({ code: "unknown-alias", path, detail });
      continue;
    }
    const timeMs = metric.timeMs ?? payload.timeMs ?? receivedMs;
    const type = metric.type ?? known?.type;
    const value = numberOf(metric, type);
    if (value === undefined) {
      const detail = `${name.slice(0, 80)} isn't a value of its data type ${type ?? "(none is known)"}`;
      faults.push(invalid(path, detail));
      continue;
    }
    if (value === "text" || metric.isTransient) {
      fields.push({ from: name, path, value: null, timeMs, ignored: true });
      continue;
    }
    const meaning = isApart(name) ? {} : meaningOf(name, metric.unit ?? known?.unit);
    fields.push({ from: name, path, value, timeMs, ignored: isApart(name), ...meaning });
  }
  return { fields, faults, lost };
}

const births: ReadonlySet<string> = new Set(["NBIRTH", "DBIRTH"]);
const ofDevices: ReadonlySet<string> = new Set(["DBIRTH", "DDEATH", "DDATA"]);
const ofNodes: ReadonlySet<string> = new Set(["NBIRTH", "NDEATH", "NDATA"]);

/** A birth or data: its fields, and what it teaches. */
function read(type: string, identity: string, turn: Turn): Parsed {
  const { payload, message } = turn;
  const isBirth = births.has(type);
  const data = isBirth ? undefined : dataOf(turn);
  const { fields, faults, lost } = fieldsOf(payload, message.receivedMs, data?.lookup ?? (() => undefined));
  const aftermath = data?.after(lost > 0) ?? (type === "NBIRTH" ? nodeBorn(turn) : deviceBorn(turn));
  const presence = isBirth ? { presence: [{ online: true }] } : {};
  const [fault] = faults;
  if (fault && lost === payload.metrics.length)
    return { kind: "refused", identity, fault: { ...fault, path: "" }, ...aftermath };
  const hasNumber = fields.some(({ ignored }) => ignored !== true);
  if (!hasNumber && faults.length === 0)
    return { kind: "ignored", reason: "no-number", identity, ...presence, ...aftermath };
  return { kind: "parsed", identity, fields, faults, ...presence, ...aftermath };
}

/** What a death says: who is gone. */
function dead(type: string, identity: string, turn: Turn): Parsed {
  if (type === "DDEATH")
    return {
      kind: "ignored",
      reason: "presence",
      identity,
      presence: [{ online: false }],
      ...deviceDied(turn),
    };
  const death = nodeDied(turn);
  if (!death) return { kind: "ignored", reason: "stale-death", identity };
  const { devices, ...aftermath } = death;
  const gone = devices.map((device) => ({ online: false, identity: `${identity}/${device}` }));
  return {
    kind: "ignored",
    reason: "presence",
    identity,
    presence: [{ online: false }, ...gone],
    ...aftermath,
  };
}

/**
 * Sparkplug B: edge nodes and their devices, told apart by `group/node` and `group/node/device`. Births name the metrics, data may
 * give an alias alone; a gap in the node's sequence, or an alias that no birth gave, has the node asked for a rebirth, at most once
 * a minute and ever more seldom while it doesn't answer.
 * Source: Eclipse Sparkplug 3.0.0, chapters 4 to 6.
 */
export const sparkplug: Format = {
  name: "sparkplug",
  version: "1",
  topics: ["spBv1.0/#"],
  schemes: ["sparkplug"],
  remembers: true,
  parse(message: RawMessage, _clock: LocalClock, past: Past): Parsed {
    const levels = message.topic.split("/");
    const base = levels.indexOf("spBv1.0");
    const [group = "", type = "", node = "", device, ...more] = levels.slice(base + 1);
    if (base < 0 || group === "STATE") return { kind: "ignored", reason: "state" };
    const identity = [group, node, ...(device === undefined ? [] : [device])].join("/");
    if (type === "NCMD" || type === "DCMD") return { kind: "ignored", reason: "command", identity };
    const isFit = device === undefined ? ofNodes.has(type) : ofDevices.has(type);
    if (!isFit || more.length > 0 || node === "") return { kind: "ignored", reason: "topic", identity };
    let payload: Payload;
    try {
      payload = readPayload(message.payload);
    } catch (error) {
      const detail = `the payload isn't a whole Sparkplug B payload: ${(error as Error).message}`;
      return { kind: "refused", identity, fault: invalid("", detail) };
    }
    if (payload.isPacked) {
      const detail = "the payload is packed: switch compression off in the gateway";
      return { kind: "refused", identity, fault: invalid("/body", detail) };
    }
    const head = levels.slice(0, base + 2).join("/");
    const turn: Turn = {
      past,
      speaker: { node: `${head}/${node}`, device },
      message,
      payload,
      commands: `${head}/NCMD/${node}`,
    };
    return type.endsWith("DEATH") ? dead(type, identity, turn) : read(type, identity, turn);
  },
};
