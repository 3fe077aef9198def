import type { DeviceEntry } from "../registry.js";
import { groupByConnection, openAll } from "./connections.js";
import type { Encoder, WireMessage } from "./encoders/encoder.js";
import { checkFaults, drawFate, drawGarbage, drawSkewMs, type Fate, type Faults } from "./fault.js";
import type { Link, Login } from "./link.js";
import { createModelIn, createScene, type DeviceModel, type ModelOptions } from "./model.js";
import { encoderOf } from "./products/table.js";
import { createRandom, keyOf } from "./random.js";
import { createTally, type FleetReport, type Tally } from "./report.js";
import { createIntervalSchedule, createRateSchedule, type Schedule, type Turn } from "./schedule.js";

/** How a fleet stands while it runs. */
export interface FleetProgress {
  elapsedMs: number;
  readings: number;
  sent: number;
  acknowledged: number;
  reconnects: number;
}

/** One reading on its way, as {@link FleetOptions.onAcknowledged} is told of it. */
export interface Publication {
  device: string;
  /** The time that the reading bears. */
  timeMs: number;
  /** What it is on the wire: one message in our own format, one or several in another. */
  messages: readonly WireMessage[];
  fate: Fate;
}

/** What {@link runFleet} is asked to do. */
export interface FleetOptions {
  /** `mqtt://127.0.0.1:1883`, `mqtts://…`, `ws://…` or `wss://…`. */
  url: string;
  devices: readonly DeviceEntry[];
  seed: number;
  /** IANA name; Europe/Warsaw unless told. */
  timeZone?: string;
  /** Readings a second of the whole fleet, in turn; Infinity: as fast as they are acknowledged. Without it each device keeps its interval. */
  rate?: number;
  /** Without `rate`: how many times as often as its interval each device reports; 1 unless told. */
  speed?: number;
  /** First moment of a simulated clock, on whose regular times readings are made; undefined: readings bear the time of sending. */
  fromMs?: number;
  /** Ends after this long, milliseconds. */
  forMs?: number;
  /** Ends after this many readings. */
  messages?: number;
  faults?: Faults;
  /** What a device comes in with; undefined: anonymously. Devices with the same user name share a connection. */
  loginFor?: (device: DeviceEntry) => Login | undefined;
  /** At most this many connections (1,000 unless told); anonymous devices beyond it share. */
  connections?: number;
  /** Publications that may wait for their PUBACK at once on a connection; 64 unless told. */
  inFlight?: number;
  /** How long to try the first connection, and to wait for the last PUBACKs, milliseconds; 10 s unless told. */
  patienceMs?: number;
  /** Pause before a lost connection is tried again, milliseconds; 1 s unless told. */
  reconnectMs?: number;
  /** Ends the run: nothing new is sent, what is in flight is waited for. */
  signal?: AbortSignal;
  /** Called about once a second. */
  onProgress?: (progress: FleetProgress) => void;
  /** Called when a reading's last message has its PUBACK. */
  onAcknowledged?: (publication: Publication) => void;
  optionsFor?: (device: DeviceEntry) => ModelOptions;
}

interface Member {
  device: DeviceEntry;
  model: DeviceModel;
  encoder: Encoder;
  link: Link;
  random: () => number;
  /** Late readings, and how many others go first. */
  held: { publication: Publication; behind: number }[];
}

/** Whom to tell that a connection may have room again. */
interface Bell {
  onRoom: (() => void) | undefined;
}

/**
 * Publishes as each of the devices with QoS 1, in the format that its model speaks (our own unless it is a product of
 * `products/`), until it is told to end, then says what it did.
 * Throws `simulator-faults`, `simulator-connections`, `simulator-refused`, `simulator-unreachable` (retryable), `simulator-class`, `simulator-time-zone`.
 * Guarantee: bounded in flight; what the broker didn't acknowledge is sent again; which reading meets which fault depends on seed and order alone.
 */
export async function runFleet(options: FleetOptions): Promise<FleetReport> {
  const faults = checkFaults(options.faults ?? {});
  const scene = createScene(options.seed, options.timeZone ?? "Europe/Warsaw");
  const models = options.devices.map((device) => createModelIn(scene, device, options.optionsFor?.(device)));
  // A model's first reading adds its registers up from 2020: done before the clock runs, it delays nobody.
  for (const model of models) model.at(options.fromMs ?? Date.now());
  const encoders = options.devices.map(encoderOf);
  const entrance = {
    url: options.url,
    devices: options.devices,
    encoders,
    loginFor: options.loginFor,
    connections: options.connections ?? 1_000,
    inFlight: options.inFlight ?? 64,
    patienceMs: options.patienceMs ?? 10_000,
    reconnectMs: options.reconnectMs ?? 1_000,
  };
  const groups = groupByConnection(entrance);
  const bell: Bell = { onRoom: undefined };
  const links = await openAll(entrance, groups, () => bell.onRoom?.());
  const members: Member[] = [];
  groups.forEach(({ members: positions }, group) => {
    for (const position of positions) {
      const [model, encoder, link] = [models[position], encoders[position], links[group]];
      if (!model || !encoder || !link) continue;
      const random = createRandom(keyOf(options.seed, model.device.id, "faults"));
      members[position] = { device: model.device, model, encoder, link, random, held: [] };
    }
  });
  const startMs = Date.now();
  const tally = createTally();
  const publish = publisher(tally, options.onAcknowledged);
  const snapshot = (): FleetProgress => ({
    elapsedMs: Date.now() - startMs,
    ...tally.total,
    reconnects: links.reduce((sum, link) => sum + link.reconnects, 0),
  });
  const progress = setInterval(() => options.onProgress?.(snapshot()), 1_000);
  try {
    await issueAll(options, members, startMs, bell, (turn, member) => {
      speak(member, turn, faults, tally, publish);
      return tally.total.readings;
    });
    for (const member of members)
      for (const { publication } of member.held.splice(0)) publish(member, publication);
    await drained(links, entrance.patienceMs, bell);
    const { elapsedMs, reconnects } = snapshot();
    return tally.report({
      connections: links.length,
      reconnects,
      refusals: links.flatMap((link) => link.refusal ?? []),
      elapsedMs,
    });
  } finally {
    clearInterval(progress);
    await Promise.all(links.map((link) => link.close()));
  }
}

/** Hands out turns until the run's end: its time, its number of readings, its signal, or no connection left. */
function issueAll(
  options: FleetOptions,
  members: readonly Member[],
  startMs: number,
  bell: Bell,
  speakUp: (turn: Turn, member: Member) => number,
): Promise<void> {
  const pace = { devices: options.devices, startMs, fromMs: options.fromMs };
  const schedule: Schedule =
    options.rate === undefined
      ? createIntervalSchedule(pace, options.speed ?? 1)
      : createRateSchedule(pace, options.rate);
  const endMs = startMs + (options.forMs ?? Infinity);
  const hasRoom = (member: number): boolean => members[member]?.link.hasRoom ?? false;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let soon: NodeJS.Immediate | undefined;
    let issued = 0;
    const end = (error?: Error): void => {
      clearTimeout(timer);
      clearImmediate(soon);
      bell.onRoom = undefined;
      options.signal?.removeEventListener("abort", step);
      if (error === undefined) resolve();
      else reject(error);
    };
    const isOver = (nowMs: number): boolean =>
      nowMs >= endMs ||
      issued >= (options.messages ?? Infinity) ||
      options.signal?.aborted === true ||
      members.every(({ link }) => link.refusal !== undefined);
    const step = (): void => {
      clearTimeout(timer);
      clearImmediate(soon);
      soon = undefined;
      try {
        for (let burst = 0; burst < 256; burst++) {
          const nowMs = Date.now();
          if (isOver(nowMs)) return end();
          const turn = schedule.next(nowMs, hasRoom);
          const member = turn && members[turn.member];
          if (!turn || !member) {
            // A turn that waits for room is woken by its connection; the timer only watches over the run's end.
            const dueMs = schedule.dueMs <= nowMs ? nowMs + 50 : schedule.dueMs;
            timer = setTimeout(step, Math.min(1_000, Math.max(1, Math.min(dueMs, endMs) - nowMs)));
            return;
          }
          issued = speakUp(turn, member);
        }
        soon = setImmediate(step);
      } catch (error) {
        end(error as Error);
      }
    };
    bell.onRoom = () => {
      soon ??= setImmediate(step);
    };
    options.signal?.addEventListener("abort", step);
    step();
  });
}

/** Makes a reading, lets it meet its fate, and sends what has waited long enough. */
function speak(
  member: Member,
  turn: Turn,
  faults: Faults,
  tally: Tally,
  publish: (member: Member, publication: Publication) => void,
): void {
  const { device, model, encoder, random } = member;
  const fate = drawFate(faults, random);
  const timeMs = fate === "skew" ? turn.timeMs + drawSkewMs(random) : turn.timeMs;
  const reading = model.at(turn.timeMs, turn.previousMs);
  const said = encoder.encode(timeMs, reading);
  const messages = fate === "garbage" ? said.map((message) => spoil(message, random)) : said;
  const publication: Publication = { device: device.id, timeMs, messages, fate };
  tally.reading(device.id, fate, Object.keys(reading).length);
  const ripe = member.held.filter((one) => --one.behind <= 0 || member.held.length > 8);
  member.held = member.held.filter((one) => !ripe.includes(one));
  if (fate === "late") member.held.push({ publication, behind: 1 + Math.floor(random() * 6) });
  else if (fate !== "drop") publish(member, publication);
  if (fate === "duplicate") publish(member, publication);
  for (const one of ripe) publish(member, one.publication);
}

const spoil = (message: WireMessage, random: () => number): WireMessage => ({
  ...message,
  payload: drawGarbage(message.payload.toString(), random),
});

function publisher(
  tally: Tally,
  onAcknowledged: FleetOptions["onAcknowledged"],
): (member: Member, publication: Publication) => void {
  return ({ device, link }, publication) => {
    const sentMs = performance.now();
    tally.sent(device.id);
    let waiting = publication.messages.length;
    const acknowledged = (): void => {
      waiting -= 1;
      if (waiting > 0) return;
      tally.acknowledged(device.id, performance.now() - sentMs);
      onAcknowledged?.(publication);
    };
    for (const message of publication.messages) link.publish(message, acknowledged);
  };
}

/** Waits until nothing is in flight, at most `patienceMs`. */
function drained(links: readonly Link[], patienceMs: number, bell: Bell): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    const look = (): void => {
      if (links.some((link) => link.waiting > 0 && link.refusal === undefined)) return;
      clearTimeout(timer);
      resolve();
    };
    bell.onRoom = look;
    look();
  });
}
