import type { Fault } from "../codec.js";
import { shift, sum } from "../decimal.js";
import type { RawMessage } from "../message.js";
import { readCbor } from "./cbor.js";
import type { Format, Parsed, ParsedField } from "./format.js";
import { isObject, readJson } from "./json.js";
import { meaningOf, sumMeaningOf } from "./senml-unit.js";

type Label =
  | "bver"
  | "bn"
  | "bt"
  | "bu"
  | "bv"
  | "bs"
  | "n"
  | "u"
  | "v"
  | "vs"
  | "vb"
  | "vd"
  | "s"
  | "t"
  | "ut";
/** A record under JSON's labels; labels that nobody knows are left out. */
type Entry = Partial<Record<Label, unknown>>;

/** Labels of CBOR and what may stand under each. Source: RFC 8428, tables 1 and 4. */
const labels: ReadonlyMap<Label, { key: number; type: string }> = new Map([
  ["bver", { key: -1, type: "number" }],
  ["bn", { key: -2, type: "string" }],
  ["bt", { key: -3, type: "number" }],
  ["bu", { key: -4, type: "string" }],
  ["bv", { key: -5, type: "number" }],
  ["bs", { key: -6, type: "number" }],
  ["n", { key: 0, type: "string" }],
  ["u", { key: 1, type: "string" }],
  ["v", { key: 2, type: "number" }],
  ["vs", { key: 3, type: "string" }],
  ["vb", { key: 4, type: "boolean" }],
  ["s", { key: 5, type: "number" }],
  ["t", { key: 6, type: "number" }],
  ["ut", { key: 7, type: "number" }],
  ["vd", { key: 8, type: "data" }],
]);
const labelOfKey: ReadonlyMap<unknown, Label> = new Map(
  [...labels].flatMap(([label, { key }]): [unknown, Label][] => [
    [key, label],
    [label, label],
  ]),
);
const version = 10;
const maxRecords = 5_000;
/** Times below this are seconds from now. Source: RFC 8428, section 4.5.3. */
const leastAbsoluteSeconds = 2 ** 28;
const latestMs = 8.64e15;
const nameText = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;
const deviceUrn = /^(urn:dev:[a-z0-9]+:[^:_/]+)(?:[:_/](.*))?$/i;

class PackFault extends Error {
  constructor(
    readonly code: string,
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}

const wholeOf = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/** A number of CBOR that isn't one of JavaScript's: whole ones above 2^53, decimal fractions (tag 4). */
function plainOf(value: unknown): unknown {
  if (!isObject(value) || value["tag"] !== 4 || !Array.isArray(value["contents"])) return wholeOf(value);
  const contents = value["contents"] as unknown[];
  const [exponent, mantissa] = [wholeOf(contents[0]), wholeOf(contents[1])];
  if (contents.length !== 2 || typeof exponent !== "number" || typeof mantissa !== "number") return value;
  return Number.isInteger(exponent) && Number.isInteger(mantissa) ? shift(mantissa, exponent) : value;
}

/** A record (a map of CBOR, an object of JSON) under its labels. Throws a `PackFault` for what has to be understood and isn't. */
function entryOf(item: unknown, path: string): Entry | undefined {
  const isCbor = item instanceof Map;
  const pairs = isCbor ? item : isObject(item) ? Object.entries(item) : undefined;
  if (!pairs) return undefined;
  const entry: Entry = {};
  for (const [key, value] of pairs as Iterable<[unknown, unknown]>) {
    if (typeof key === "string" && key.endsWith("_"))
      throw new PackFault("unknown-extension", path, `${key.slice(0, 80)} has to be understood, and isn't`);
    const label = labelOfKey.get(key);
    if (label !== undefined) entry[label] = isCbor ? plainOf(value) : value;
  }
  return entry;
}

const isOf = (type: string, value: unknown): boolean =>
  type === "data" ? typeof value === "string" || value instanceof Uint8Array : typeof value === type;

const words: Readonly<Record<string, string>> = { data: "data", string: "a text", number: "a number" };

/** The labels of a record whose values are of another type than theirs. */
const wrongOf = (entry: Entry): Label[] =>
  [...labels].flatMap(([label, { type }]) =>
    entry[label] === undefined || isOf(type, entry[label]) ? [] : [label],
  );

const wrongType = (label: Label): string =>
  `${label} should be ${words[labels.get(label)?.type ?? ""] ?? "true or false"}`;

/** Follows a pack's base fields and resolves one record after the other. */
class Pack {
  readonly fields: ParsedField[] = [];
  readonly faults: Fault[] = [];
  #base: Entry = {};
  readonly #message: RawMessage;
  readonly #ofTopic: string;

  constructor(message: RawMessage) {
    this.#message = message;
    this.#ofTopic = message.topic.split("/").findLast((level) => level !== "") ?? "";
  }

  take(item: unknown, at: number): void {
    const path = `/${at}`;
    const entry = entryOf(item, path);
    if (!entry) return this.#fault(path, "a record is an object, or a map");
    const wrong = wrongOf(entry);
    for (const label of ["bver", "bn", "bt", "bu", "bv", "bs"] as const) {
      if (wrong.includes(label)) throw new PackFault("invalid-senml", `${path}/${label}`, wrongType(label));
      if (entry[label] !== undefined) this.#base[label] = entry[label];
    }
    if ((entry.bver as number) > version)
      throw new PackFault("unknown-extension", `${path}/bver`, `version ${Number(entry.bver)} isn't known`);
    const [bad] = wrong;
    if (bad === undefined) this.#resolve(entry, path);
    else this.#fault(`${path}/${bad}`, wrongType(bad), bad === "t" ? "invalid-time" : "wrong-type");
  }

  #resolve(entry: Entry, path: string): void {
    const { n = "", u, t = 0, s } = entry as { n?: string; u?: string; t?: number; s?: number };
    const {
      bn = "",
      bt = 0,
      bu,
      bv,
      bs,
    } = this.#base as {
      bn?: string;
      bt?: number;
      bu?: string;
      bv?: number;
      bs?: number;
    };
    const given = (["v", "vs", "vb", "vd"] as const).filter((label) => entry[label] !== undefined);
    const isBase = given.length === 0 && s === undefined;
    if (isBase && [entry.n, entry.u, entry.t, entry.ut].every((one) => one === undefined)) return;
    if (given.length > 1 || (isBase && bv === undefined && bs === undefined))
      return this.#fault(path, "a record has one of v, vs, vb and vd, or s");
    // The length first: a base name as long as the message would be read through for each record.
    if (n.length + bn.length > 256 || !nameText.test(bn + n))
      return this.#fault(path, "bn and n make no name of letters, digits and - : . / _");
    const { identity, own } = this.#divide(bn, n);
    const timeMs = this.#timeOf(bt, t);
    const unit = u ?? bu;
    const from = (own === "" ? (unit ?? "value") : own).slice(0, 190).replaceAll(/[:/]/g, ".");
    const [label = "v"] = given;
    const value = label === "v" ? sum((entry.v as number | undefined) ?? 0, bv ?? 0) : entry[label];
    if (given.length > 0 || (isBase && bv !== undefined))
      this.fields.push({
        from,
        path: `${path}/${given.length > 0 ? label : "bv"}`,
        value,
        timeMs,
        identity,
        ...(label === "vs" || label === "vd" || unit === "lat" || unit === "lon" ? { ignored: true } : {}),
        ...meaningOf(own, unit),
      });
    if (s === undefined && entry.bs === undefined && !(isBase && bs !== undefined)) return;
    const counted = sumMeaningOf(own, unit);
    this.fields.push({
      from: `${from}.s`,
      path: `${path}/${s === undefined ? "bs" : "s"}`,
      value: sum(s ?? 0, bs ?? 0),
      timeMs,
      identity,
      ...(counted ?? { ignored: true }),
    });
  }

  /** Which device is meant, and which of its measurements. */
  #divide(bn: string, n: string): { identity: string; own: string } {
    const urn = deviceUrn.exec(bn + n);
    if (urn) return { identity: urn[1] ?? "", own: urn[2] ?? "" };
    const device = bn.replace(/[:./_-]+$/, "");
    if (device !== "") return { identity: device, own: n.replace(/^[:/]+/, "") };
    const [, before, own = n] = /^(.+)[:/]([^:/]+)$/.exec(n) ?? [];
    return { identity: before ?? this.#ofTopic, own };
  }

  #timeOf(base: number, time: number): number {
    const seconds = base + time;
    const from = seconds < leastAbsoluteSeconds ? this.#message.receivedMs : 0;
    const timeMs = from + Math.round(seconds * 1_000);
    return Math.abs(timeMs) <= latestMs ? timeMs : Number.NaN;
  }

  #fault(path: string, detail: string, code = "invalid-senml"): void {
    this.faults.push({ code, path, detail });
  }
}

/** What a device's URN says of it in other schemes. Source: RFC 9039, section 4. */
function aliasesOf(identity: string): [scheme: string, text: string][] {
  const [, kind = "", id = ""] = /^urn:dev:([a-z0-9]+):(.+)$/i.exec(identity) ?? [];
  const eui64 = /^([0-9a-f]{6})fffe([0-9a-f]{6})$/i.exec(id);
  const mac: [string, string][] = eui64 ? [["mac", `${eui64[1]}${eui64[2]}`]] : [];
  switch (kind.toLowerCase()) {
    case "":
      return [];
    case "mac":
      return [["mac", id], ...mac, ["devEui", id]];
    case "deveui":
    case "eui64":
      return [["devEui", id]];
    default:
      return [["serial", id.slice(id.lastIndexOf("-") + 1)]];
  }
}

/**
 * SenML in JSON and in CBOR, told apart by their first byte. A record's device is the `urn:dev:` that its name begins with, else its
 * base name, else what stands before the last `:` or `/` of its name, else the topic's last level; the rest names the measurement.
 * Source: RFC 8428; RFC 8798; RFC 9039.
 */
export const senml: Format = {
  name: "senml",
  version: "1",
  topics: ["senml/#"],
  schemes: ["name", "mac", "devEui", "serial", "topic"],
  aliasesOf,
  parse(message: RawMessage): Parsed {
    const refuse = (code: string, path: string, detail: string): Parsed => ({
      kind: "refused",
      identity: message.topic.split("/").findLast((level) => level !== ""),
      fault: { code, path, detail: detail.slice(0, 300) },
    });
    // An array, or a tag before it, begins above 0x80 in CBOR; JSON's text stands below.
    const isCbor = (message.payload[0] ?? 0) >= 0x80;
    const read = isCbor ? readCbor(message.payload) : readJson(message.payload);
    if ("fault" in read) return refuse(read.fault.code, read.fault.path, read.fault.detail);
    const { tag, contents } = isCbor && isObject(read.item) ? read.item : {};
    const list = tag === 55_799 ? contents : read.item;
    if (!Array.isArray(list)) return refuse("invalid-senml", "", "a pack is a list of records");
    if (list.length > maxRecords)
      return refuse("too-many-fields", "", `${list.length} records in one message; at most ${maxRecords}`);
    const pack = new Pack(message);
    try {
      for (const [at, item] of (list as unknown[]).entries()) pack.take(item, at);
    } catch (error) {
      if (error instanceof PackFault) return refuse(error.code, error.path, error.message);
      throw error;
    }
    const { fields, faults } = pack;
    const [first] = fields;
    if (!first && list.length === 0) return { kind: "ignored", reason: "empty" };
    if (!first)
      return faults[0]
        ? refuse(faults[0].code, faults[0].path, faults[0].detail)
        : { kind: "ignored", reason: "no-measurement" };
    const identity = first.identity ?? "";
    // Fields of the message's own device stand under it, those of others under theirs.
    for (const field of fields) if (field.identity === identity) delete field.identity;
    return { kind: "parsed", identity, fields, faults };
  },
};
