import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { IdentifiedValue, IngestView, LiveEvent } from "../ingest/index.js";
import type { Latest } from "./api.js";
import type { PresenceEvent, QuarantineEvent, ReadingsEvent } from "./event.js";
import { HttpProblem } from "./problem.js";
import { isoOf } from "./query.js";
import { alertOf, overviewOf } from "./shape.js";

/** What can be followed live. */
export const topics = ["readings", "alerts", "quarantine", "presence", "overview"] as const;

/** One of {@link topics}. */
export type Topic = (typeof topics)[number];

/** What a feed is opened with. */
export interface FeedRequest {
  topics: readonly Topic[];
  /** `Last-Event-ID` of a client that comes back. */
  lastId: string | undefined;
  /** Asked at each sign of life: a feed whose session has ended is closed. */
  isAllowed: () => boolean;
}

/** The live feed: events as Server-Sent Events, to many. */
export interface Feed {
  /** Opens a stream of text. Throws `too-many-feeds` (503). */
  open(request: FeedRequest): Readable;
  /** Sends what waits, now; called on a clock. */
  flush(): void;
  /** Sends a sign of life, and the overview when somebody follows it. */
  beat(): Promise<void>;
  readonly count: number;
  /** Ends all streams. */
  close(): void;
}

/** Bounds of the feed. */
export interface FeedLimits {
  feeds: number;
  feedLagBytes: number;
  feedEvents: number;
}

interface Kept {
  n: number;
  topic: Topic;
  text: string;
}

interface Client {
  stream: Readable;
  topics: ReadonlySet<Topic>;
  isAllowed: () => boolean;
}

const seriesMost = 2_000;
const entriesMost = 200;
const ringBytes = 8_388_608;

/**
 * Makes the feed of `view`.
 * Readings and quarantine are gathered between flushes, the newest of each series; alerts go at once.
 * Guarantee: bounded in events, bytes and clients; a client that lags is cut off, and resumes by `Last-Event-ID`;
 * one that was away for too long, or for too much, is told so by an event `reset`.
 */
export function makeFeed(view: IngestView, limits: FeedLimits): Feed {
  const run = randomBytes(4).toString("hex");
  const clients = new Set<Client>();
  const ring: Kept[] = [];
  let bytes = 0;
  let count = 0;
  /** Newest value by device, and by quantity and attributes. */
  let values = new Map<string, Map<string, IdentifiedValue>>();
  let seriesCount = 0;
  let skippedValues = 0;
  let entries: QuarantineEvent = { items: [], skipped: 0 };
  /** Devices whose presence changed. */
  const away = new Set<string>();

  const send = (client: Client, text: string): void => {
    if (client.stream.readableLength + text.length > limits.feedLagBytes) client.stream.destroy();
    else client.stream.push(text);
  };
  const publish = (topic: Topic, data: unknown): void => {
    count += 1;
    const text = `id: ${run}-${count}\nevent: ${topic}\ndata: ${JSON.stringify(data)}\n\n`;
    ring.push({ n: count, topic, text });
    bytes += text.length;
    while (ring.length > limits.feedEvents || (bytes > ringBytes && ring.length > 1))
      bytes -= ring.shift()?.text.length ?? 0;
    for (const client of clients) if (client.topics.has(topic)) send(client, text);
  };

  const take = (event: LiveEvent): void => {
    if (event.topic === "alerts") publish("alerts", alertOf(event.alert));
    else if (event.topic === "presence") for (const device of event.devices) away.add(device);
    else if (event.topic === "quarantine")
      for (const { id, device, reason, receivedMs } of event.entries) {
        if (entries.items.length < entriesMost)
          entries.items.push({ id, device, reason, receivedAt: isoOf(receivedMs) });
        else entries.skipped += 1;
      }
    else
      for (const value of event.values) {
        if (value.verdict !== "stored") continue;
        let series = values.get(value.device);
        if (!series) values.set(value.device, (series = new Map()));
        const key = value.attributes === "" ? value.quantity : `${value.quantity} ${value.attributes}`;
        const known = series.get(key);
        if (known || seriesCount >= seriesMost) skippedValues += 1;
        if (known ? known.timeMs > value.timeMs : seriesCount >= seriesMost) continue;
        if (!known) seriesCount += 1;
        series.set(key, value);
      }
  };
  const unsubscribe = view.subscribe(take);

  const unitOf = (() => {
    let units: Map<string, string> | undefined;
    return (quantity: string): string => {
      units ??= new Map(view.quantities().map(({ name, unit }) => [name, unit]));
      return units.get(quantity) ?? "";
    };
  })();
  const itemOf = ({ device, quantity, value, timeMs }: IdentifiedValue): Latest & { device: string } => ({
    device,
    quantity,
    unit: unitOf(quantity),
    value,
    time: isoOf(timeMs),
  });

  /** What a client that comes back has missed; undefined when it can't be told any more, or is more than a client may lag. */
  const missed = (lastId: string, wanted: ReadonlySet<Topic>): string | undefined => {
    const [, epoch, number] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(lastId) ?? [];
    const last = Number(number);
    const oldest = ring[0]?.n ?? count + 1;
    if (epoch !== run || last > count || last < oldest - 1) return undefined;
    const texts = ring.filter(({ n, topic }) => n > last && wanted.has(topic)).map(({ text }) => text);
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    return length > limits.feedLagBytes ? undefined : texts.join("");
  };
  const overview = async (): Promise<string> =>
    `event: overview\ndata: ${JSON.stringify(overviewOf(view, await view.overview()))}\n\n`;

  return {
    open({ topics: wanted, lastId, isAllowed }) {
      if (clients.size >= limits.feeds)
        throw new HttpProblem(503, "too-many-feeds", "too many follow the live feed: try again later", {
          retryAfterMs: 10_000,
        });
      const stream = new Readable({ read: () => undefined, encoding: "utf8" });
      const client: Client = { stream, topics: new Set(wanted), isAllowed };
      clients.add(client);
      stream.on("close", () => clients.delete(client));
      stream.on("error", () => clients.delete(client));
      const here = `id: ${run}-${count}\n`;
      const isNew = lastId === undefined || lastId === "";
      stream.push(`retry: 2000\n${isNew ? here : ""}: following ${wanted.join(" ")}\n\n`);
      if (!isNew) stream.push(missed(lastId, client.topics) ?? `${here}event: reset\ndata: {}\n\n`);
      if (client.topics.has("overview"))
        overview().then(
          (text) => clients.has(client) && send(client, text),
          () => undefined,
        );
      return stream;
    },
    flush() {
      if (values.size > 0) {
        const newest = [...values.values()].flatMap((series) => [...series.values()]);
        const event: ReadingsEvent = { items: newest.map(itemOf), skipped: skippedValues };
        values = new Map();
        seriesCount = 0;
        skippedValues = 0;
        publish("readings", event);
      }
      if (away.size > 0) {
        const items = [...away].slice(0, entriesMost).map((device) => {
          const { online, sinceMs } = view.presence(device) ?? { online: false, sinceMs: 0 };
          return { device, online, since: isoOf(sinceMs) };
        });
        const event: PresenceEvent = { items, skipped: away.size - items.length };
        away.clear();
        publish("presence", event);
      }
      if (entries.items.length > 0) {
        publish("quarantine", entries);
        entries = { items: [], skipped: 0 };
      }
    },
    async beat() {
      for (const client of clients)
        if (!client.isAllowed()) {
          clients.delete(client);
          client.stream.push(null);
        }
      const follows = [...clients].some(({ topics: followed }) => followed.has("overview"));
      const text = follows ? await overview().catch(() => "") : "";
      for (const client of clients)
        send(client, client.topics.has("overview") && text !== "" ? text : ": still here\n\n");
    },
    get count() {
      return clients.size;
    },
    close() {
      unsubscribe();
      for (const { stream } of clients) stream.push(null);
      clients.clear();
    },
  };
}
