import type { Aftermath, Lessons, Past } from "../codec.js";
import type { RawMessage } from "../message.js";
import { type Metric, type Payload, rebirthPayload } from "./sparkplug-payload.js";

/** What an edge node said of itself so far. Sequences are of our journal, times epoch milliseconds of receipt. */
export interface Session {
  /** True from its birth to its death. */
  born: boolean;
  /** Since when its births, or the wait for them, are of one connection. */
  since: number;
  /** The newest message of it. */
  at: number;
  /** Its connection's number, as the birth says. */
  bdSeq?: number;
  /** The newest message's place in its own sequence, 0 to 255. */
  seq?: number;
  /** Devices that are born. */
  devices: string[];
  /** True while a rebirth is wanted. */
  wanted: boolean;
  /** How often it was asked for since the last birth, and when last. */
  asks: number;
  askedMs: number;
}

/** What a birth says of one metric. */
export interface Definition {
  name: string;
  /** True where the name was longer than one may be, and is left empty. */
  isNameLong?: boolean;
  alias?: number | string;
  type?: number;
  unit?: string;
}

/** What a birth of a node or a device says of its metrics. */
interface Births {
  /** The first message that may be read by it. */
  since: number;
  /** When its device died. */
  ended?: number;
  metrics: Definition[];
}

/** Who speaks: the key of the node, and of its device. */
export interface Speaker {
  node: string;
  device: string | undefined;
}

const firstWaitMs = 60_000;
const longestWaitMs = 3_600_000;
const lookedOneByOne = 16;

const birthsKey = ({ node, device }: Speaker): string => `${node}/${device ?? ""}`;
const sessionOf = (past: Past, { node }: Speaker): Session | undefined =>
  past.recall(node) as Session | undefined;
const birthsOf = (past: Past, speaker: Speaker): Births | undefined =>
  past.recall(birthsKey(speaker)) as Births | undefined;

const definitionOf = ({ name = "", isNameLong, alias, type, unit }: Metric): Definition => ({
  name,
  ...(isNameLong ? { isNameLong } : {}),
  ...(alias === undefined ? {} : { alias }),
  ...(type === undefined ? {} : { type }),
  ...(unit === undefined ? {} : { unit }),
});

/** How long a node isn't asked again, so that one that doesn't answer isn't pressed. */
const waitOf = (asks: number): number => Math.min(firstWaitMs * 2 ** Math.max(0, asks - 1), longestWaitMs);

/** A session in which the node isn't known to be born. */
const unborn = (sequence: number): Session => ({
  born: false,
  since: sequence,
  at: sequence,
  devices: [],
  wanted: false,
  asks: 0,
  askedMs: 0,
});

/** Asks for a rebirth where one is wanted, as seldom as has to be. `topic`: of the node's commands. */
function afterwards(
  session: Session,
  births: [string, Births][],
  speaker: Speaker,
  message: RawMessage,
  topic: string,
): Aftermath {
  const { receivedMs } = message;
  const { wanted, asks, askedMs } = session;
  const isTime = asks === 0 && askedMs === 0 ? true : Math.abs(receivedMs - askedMs) >= waitOf(asks);
  const asking = wanted && isTime;
  const next = asking ? { ...session, asks: asks + 1, askedMs: receivedMs } : session;
  const lessons: Lessons = new Map<string, unknown>([[speaker.node, next], ...births]);
  return asking ? { lessons, answers: [{ topic, payload: rebirthPayload(receivedMs) }] } : { lessons };
}

/** The session after a message with a place in the node's sequence: a gap means that some were lost. */
function stepped(session: Session, { seq }: Payload, sequence: number): Session {
  const isGap =
    session.born && seq !== undefined && session.seq !== undefined && seq !== (session.seq + 1) % 256;
  return {
    ...session,
    at: sequence,
    wanted: session.wanted || isGap,
    ...(seq === undefined ? {} : { seq }),
  };
}

/** What a birth teaches: definitions that stay the same stay readable back to where they first held. */
function bornOf(
  past: Past,
  speaker: Speaker,
  payload: Payload,
  otherwise: number,
  wasBorn: boolean,
): [string, Births][] {
  const before = birthsOf(past, speaker);
  const metrics = payload.metrics.filter(({ name }) => name !== undefined).map(definitionOf);
  const isSame = before !== undefined && JSON.stringify(before.metrics) === JSON.stringify(metrics);
  if (isSame && before.ended === undefined) return [];
  const changed = before && wasBorn ? past.sequence : Math.max(otherwise, before?.ended ?? 0);
  return [[birthsKey(speaker), { since: isSame ? before.since : changed, metrics }]];
}

/** One message on its way: who speaks, what it says, where commands to the node go. */
export interface Turn {
  past: Past;
  speaker: Speaker;
  message: RawMessage;
  payload: Payload;
  commands: string;
}

const bdSeqOf = ({ metrics }: Payload): number | undefined => {
  const value = metrics.find(({ name }) => name === "bdSeq")?.value;
  return value && "whole" in value ? Number(value.whole) : undefined;
};

/** Takes NBIRTH: a new session, in which the devices are born one after the other. */
export function nodeBorn({ past, speaker, message, payload, commands }: Turn): Aftermath {
  const before = sessionOf(past, speaker) ?? unborn(past.sequence);
  const bdSeq = bdSeqOf(payload);
  const isRebirth = before.born && before.bdSeq === bdSeq;
  const since = isRebirth || !before.born ? before.since : past.sequence;
  const session: Session = {
    born: true,
    since,
    at: past.sequence,
    ...(bdSeq === undefined ? {} : { bdSeq }),
    ...(payload.seq === undefined ? {} : { seq: payload.seq }),
    devices: [],
    wanted: false,
    asks: 0,
    askedMs: before.askedMs,
  };
  return afterwards(session, bornOf(past, speaker, payload, since, before.born), speaker, message, commands);
}

/** Takes DBIRTH; of a node whose own birth isn't known, that is asked for. */
export function deviceBorn({ past, speaker, message, payload, commands }: Turn): Aftermath {
  const before = sessionOf(past, speaker) ?? unborn(past.sequence);
  const { device = "" } = speaker;
  const wasBorn = before.devices.includes(device);
  const session = stepped(before, payload, past.sequence);
  return afterwards(
    {
      ...session,
      devices: wasBorn ? before.devices : [...before.devices, device],
      wanted: session.wanted || !before.born,
    },
    bornOf(past, speaker, payload, before.since, wasBorn),
    speaker,
    message,
    commands,
  );
}

/** Takes DDEATH. */
export function deviceDied({ past, speaker, message, payload, commands }: Turn): Aftermath {
  const before = sessionOf(past, speaker) ?? unborn(past.sequence);
  const births = birthsOf(past, speaker);
  const session = stepped(before, payload, past.sequence);
  return afterwards(
    { ...session, devices: before.devices.filter((one) => one !== speaker.device) },
    births ? [[birthsKey(speaker), { ...births, ended: past.sequence }]] : [],
    speaker,
    message,
    commands,
  );
}

/** Takes NDEATH: which devices died with the node; undefined for the death of a connection that is over already. */
export function nodeDied({ past, speaker, payload }: Turn): (Aftermath & { devices: string[] }) | undefined {
  const before = sessionOf(past, speaker);
  const bdSeq = bdSeqOf(payload);
  if (before?.born && before.bdSeq !== undefined && bdSeq !== undefined && before.bdSeq !== bdSeq)
    return undefined;
  if (!before) return { devices: [] };
  const { asks, askedMs } = before;
  const session = { ...unborn(past.sequence), asks, askedMs };
  return { devices: before.devices, lessons: new Map([[speaker.node, session]]) };
}

/** Finds the definition of a metric without a name, or what the birth said more of a named one. */
export type Lookup = (metric: Metric) => Definition | undefined;

/** Few metrics are looked for one by one, many by an index: most messages have a few of a long birth. */
function openLookup(metrics: readonly Definition[]): Lookup {
  let looked = 0;
  let byAlias: Map<unknown, Definition> | undefined;
  let byName: Map<unknown, Definition> | undefined;
  return ({ name, alias }) => {
    const isNamed = name !== undefined && name !== "";
    if (!isNamed && alias === undefined) return undefined;
    looked += 1;
    if (looked <= lookedOneByOne)
      return metrics.findLast((one) => (isNamed ? one.name === name : one.alias === alias));
    byName ??= new Map(metrics.map((one) => [one.name, one]));
    byAlias ??= new Map(metrics.map((one) => [one.alias, one]));
    return isNamed ? byName.get(name) : byAlias.get(alias);
  };
}

/** Takes NDATA or DDATA: what its metrics are called, and what comes of it when some can't be told. */
export function dataOf(turn: Turn): { lookup: Lookup; after: (isLost: boolean) => Aftermath } {
  const { past, speaker, message, payload, commands } = turn;
  const before = sessionOf(past, speaker) ?? unborn(past.sequence);
  const births = birthsOf(past, speaker);
  // A message of the past is read by what holds since before it, whatever became of the node later.
  const isThere =
    past.sequence <= before.at ||
    (before.born && (speaker.device === undefined || before.devices.includes(speaker.device)));
  const isReadable = births !== undefined && isThere && past.sequence >= births.since;
  return {
    lookup: isReadable ? openLookup(births.metrics) : () => undefined,
    after(isLost) {
      const session = stepped(before, payload, past.sequence);
      const wanted = session.wanted || isLost || !isThere;
      return afterwards({ ...session, wanted }, [], speaker, message, commands);
    },
  };
}
