import type { Codec, Decoded, DeviceFields, Fault, Past, PresenceSign } from "../codec.js";
import { product, sum } from "../decimal.js";
import { fitsScheme, isIdentifier } from "../identifier.js";
import { openLocalClock } from "../local-time.js";
import type { RawMessage } from "../message.js";
import type { DeviceEntry, RegistryView, SourceEntry, SourceMapping } from "../registry.js";
import { matchesGlob } from "../rule.js";
import type { FrameDecoder } from "./decoders.js";
import type { Format, Parsed, ParsedField, ParsedPresence } from "./format.js";

type Read = Parsed & { kind: "parsed" };
/** Fields of one message. */
export const maxFields = 5_000;
const maxUnmapped = 200;
/** For formats that need no past, and messages that have none. */
const blank: Past = { sequence: 0, recall: () => undefined };

/** What a source's map says of a field for a model: the first entry that fits. */
export function mappingOf(
  map: readonly SourceMapping[],
  from: string,
  model: string | undefined,
): SourceMapping | undefined {
  return map.find((one) => (one.model === undefined || one.model === model) && matchesGlob(one.from, from));
}

/** {@link mappingOf}, remembered. */
function openMap(map: readonly SourceMapping[]): (from: string, model?: string) => SourceMapping | undefined {
  if (map.length === 0) return () => undefined;
  const remembered = new Map<string, SourceMapping | undefined>();
  return (from, model) => {
    const key = `${from}\n${model ?? ""}`;
    if (remembered.has(key)) return remembered.get(key);
    const found = mappingOf(map, from, model);
    if (remembered.size < 10_000 && key.length < 300) remembered.set(key, found);
    return found;
  };
}

/** The text at a path of a payload, levels divided by dots; undefined when nothing that names a device stands there. */
function textAt(body: unknown, field: string): string | undefined {
  let at = body;
  for (const step of field.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return typeof at === "string" || typeof at === "number" ? String(at) : undefined;
}

const fault = (code: string, path: string, detail: string): Fault => ({
  code,
  path,
  detail: detail.slice(0, 300),
});

/** A value as a number: true and false are 1 and 0, a text is what a source's map says of it. */
function numberOf(value: unknown, states: SourceMapping["states"]): unknown {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string" || !states || !Object.hasOwn(states, value)) return value;
  return states[value];
}

/** Takes one field into its device's list. */
function takeField(
  field: ParsedField,
  mapped: SourceMapping | undefined,
  device: DeviceEntry | undefined,
  into: DeviceFields,
): void {
  const { from, value, path, timeMs } = field;
  if (mapped ? mapped.ignore === true : field.ignored === true) return;
  const name = mapped ? mapped.quantity : (field.name ?? field.nameByClass?.[device?.class ?? ""]);
  if (name === undefined) {
    if (typeof value === "number" && Number.isFinite(value) && (into.unmapped?.length ?? 0) < maxUnmapped)
      (into.unmapped ??= []).push({ field: from, value, path });
    return;
  }
  if (value === null || value === undefined) return;
  const number = numberOf(value, mapped?.states);
  if (typeof number !== "number") {
    const texts = Object.keys(mapped?.states ?? {}).join(", ");
    const wanted = texts === "" ? "a number" : `a number, or one of ${texts}`;
    into.faults.push(fault("wrong-type", path, `${from.slice(0, 80)} should be ${wanted}`));
    return;
  }
  if (Number.isNaN(timeMs)) {
    into.faults.push(fault("invalid-time", path, "the time that stands with it can't be read"));
    return;
  }
  const unit = mapped ? mapped.unit : field.unit;
  const scale = (mapped ? mapped.scale : field.scale) ?? 1;
  into.fields.push({
    name,
    ...(unit === undefined ? {} : { unit }),
    value: sum(scale === 1 ? number : product(number, scale), mapped?.offset ?? 0),
    timeMs,
    attributes: field.attributes ?? "",
    path,
  });
}

/**
 * Makes a format's codec for a source: names devices by the source's rule and the registry's identifiers, fields by the
 * source's map and then the format's own table.
 * Guarantee: pure for a registry that doesn't change; never throws.
 */
export function interpret(
  format: Format,
  source: SourceEntry,
  cityTimeZone: string,
  decoder: FrameDecoder = { hasAny: false, decode: () => undefined },
): Codec {
  const clock = openLocalClock(source.timeZone ?? cityTimeZone);
  const mappingOf = openMap(source.map);
  const { level, field: namedBy, identifier } = source.device ?? {};
  const schemes = identifier === undefined ? format.schemes : [identifier];

  const find = (
    registry: RegistryView,
    identity: string,
    identifiers?: Readonly<Record<string, string>>,
  ): DeviceEntry | undefined => {
    for (const scheme of schemes) {
      const found = registry.byIdentifier(scheme, identifiers?.[scheme] ?? identity);
      if (found) return found;
    }
    for (const [scheme, text] of format.aliasesOf?.(identity) ?? []) {
      const found = schemes.includes(scheme) ? registry.byIdentifier(scheme, text) : undefined;
      if (found) return found;
    }
    return registry.device(identity);
  };
  const identityOf = (topic: string, parsed: Parsed): string | undefined => {
    if (level !== undefined) return topic.split("/")[level - 1];
    if (namedBy !== undefined) return parsed.kind === "parsed" ? textAt(parsed.body, namedBy) : undefined;
    return parsed.identity;
  };
  /** Signs of devices that the registry knows; of a stranger's nothing is kept. */
  const presenceOf = (
    registry: RegistryView,
    signs: readonly ParsedPresence[] | undefined,
    main: DeviceEntry | undefined,
  ): { presence?: PresenceSign[] } => {
    const known = (signs ?? []).flatMap(({ online, identity }): PresenceSign[] => {
      const device =
        identity === undefined ? main : isIdentifier(identity) ? find(registry, identity) : undefined;
      return device ? [{ device: device.id, online }] : [];
    });
    return known.length > 0 ? { presence: known } : {};
  };
  const take = (
    registry: RegistryView,
    parsed: Read,
    identity: string,
    main: DeviceEntry | undefined,
  ): Decoded => {
    const own: DeviceFields = { device: main?.id ?? identity, fields: [], faults: parsed.faults };
    const parts = new Map<string, { device: DeviceEntry | undefined; into: DeviceFields }>();
    const partOf = (other: string): { device: DeviceEntry | undefined; into: DeviceFields } => {
      let part = parts.get(other);
      if (part) return part;
      const device = find(registry, other);
      const isOwn = device !== undefined && device === main;
      part = { device, into: isOwn ? own : { device: device?.id ?? other, fields: [], faults: [] } };
      parts.set(other, part);
      return part;
    };
    for (const [index, field] of parsed.fields.entries()) {
      if (index >= maxFields) {
        own.faults.push(fault("too-many-fields", field.path, `more than ${maxFields} fields in one message`));
        break;
      }
      if (field.identity !== undefined && !isIdentifier(field.identity)) {
        own.faults.push(
          fault("invalid-identifier", field.path, "a device's name has 1 to 128 printable characters"),
        );
        continue;
      }
      const part = field.identity === undefined ? { device: main, into: own } : partOf(field.identity);
      const { localTime } = field;
      const timed =
        localTime === undefined ? field : { ...field, timeMs: clock.read(localTime, field.timeMs) };
      takeField(timed, mappingOf(field.from, part.device?.model), part.device, part.into);
    }
    // A message of several devices counts under one that is known, so that a stranger among them costs the others nothing.
    const known = main ? undefined : [...parts.values()].find(({ device }) => device)?.into;
    const head = known ?? own;
    const all = [own, ...[...parts.values()].map(({ into }) => into)];
    const others = [...new Set(all)].filter((part) => part !== head);
    return { kind: "decoded", ...head, ...(others.length > 0 ? { others } : {}) };
  };
  const aliasesOf = (parsed: Parsed): Readonly<Record<string, string>> | undefined =>
    level === undefined && namedBy === undefined && parsed.kind === "parsed" ? parsed.identifiers : undefined;
  const decodedOf = (message: RawMessage, registry: RegistryView, parsed: Parsed): Decoded => {
    const identity = identityOf(message.topic, parsed);
    const isNamed = identity !== undefined && isIdentifier(identity);
    const aliases = aliasesOf(parsed);
    const device = isNamed ? find(registry, identity, aliases) : undefined;
    if (parsed.kind !== "ignored" && parsed.isDoubtful && !device && source.topics === undefined)
      return { kind: "ignored", reason: "somebody-elses" };
    if (parsed.kind === "ignored")
      return {
        kind: "ignored",
        reason: parsed.reason,
        ...(device ? { device: device.id } : {}),
        ...(parsed.uplink ? { uplink: parsed.uplink } : {}),
        ...presenceOf(registry, parsed.presence, device),
      };
    if (parsed.kind === "refused")
      return {
        kind: "refused",
        device: device?.id ?? (isNamed ? identity : undefined),
        fault: parsed.fault,
      };
    if (!isNamed) {
      const detail =
        "the message names no device in 1 to 128 printable characters: see its source's device rule";
      return { kind: "refused", device: undefined, fault: fault("invalid-identifier", "", detail) };
    }
    const { frame, uplink } = parsed;
    const counted = uplink ? { uplink } : {};
    const decoded = frame && decoder.decode(frame, device?.model);
    if (decoded && "ready" in decoded) return { kind: "waiting", ready: decoded.ready };
    if (decoded && "fault" in decoded)
      return { kind: "refused", device: device?.id ?? identity, fault: decoded.fault, ...counted };
    if (frame?.isNeeded && !decoded && device) {
      const detail =
        "the frame isn't decoded: give its model a decoder in the source, or a codec in the network server";
      return {
        kind: "refused",
        device: device.id,
        fault: fault("no-decoder", frame.path, detail),
        ...counted,
      };
    }
    const { made = decoder.hasAny ? null : undefined, warnings } = decoded ?? {};
    return {
      ...take(registry, decoded ? { ...parsed, ...decoded } : parsed, identity, device),
      ...(made === undefined ? {} : { made }),
      ...(warnings && warnings.length > 0 ? { warnings } : {}),
      ...counted,
      ...presenceOf(registry, parsed.presence, device),
    };
  };
  return {
    format: format.name,
    version: format.version,
    remembers: format.remembers === true,
    introduce(message, name) {
      const parsed = format.parse(message, clock, blank);
      const aliases = identityOf(message.topic, parsed) === name ? aliasesOf(parsed) : undefined;
      const texts = schemes.map((scheme) => ({ scheme, text: aliases?.[scheme] ?? name }));
      return texts.find(({ scheme, text }) => fitsScheme(scheme, text));
    },
    decode(message, registry, past = blank) {
      if (!format.remembers) return decodedOf(message, registry, format.parse(message, clock, blank));
      const { sequence } = past;
      const own = (key: string): string => `${format.name} ${key}`;
      const parsed = format.parse(message, clock, { sequence, recall: (key) => past.recall(own(key)) });
      const { lessons, answers } = parsed;
      return {
        ...decodedOf(message, registry, parsed),
        ...(lessons ? { lessons: new Map([...lessons].map(([key, value]) => [own(key), value])) } : {}),
        ...(answers ? { answers } : {}),
      };
    },
  };
}
