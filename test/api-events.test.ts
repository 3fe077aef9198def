import { afterEach, beforeEach, expect, test } from "vitest";
import { type Feed, makeFeed } from "../dashboards/feed.js";
import { cookieIn, type FakeServer, logIn, problemIn, startFakeServer } from "./support/fake-server.js";
import { type FakeView, makeFakeView, raisedAlert, refusedEntry, stored } from "./support/fake-view.js";

const limits = { feeds: 3, feedLagBytes: 10_000, feedEvents: 5 };
let view: FakeView;
let feed: Feed;
let server: FakeServer | undefined;
beforeEach(() => {
  view = makeFakeView();
  feed = makeFeed(view, limits);
});
afterEach(async () => {
  feed.close();
  await server?.close();
  server = undefined;
});

interface Seen {
  id: string;
  event: string;
  data: unknown;
}

/** The events in the text of a stream, as a browser tells them apart. */
const eventsIn = (text: string): Seen[] =>
  text
    .split("\n\n")
    .map((block) => {
      const field = (name: string): string | undefined =>
        block
          .split("\n")
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      return { id: field("id") ?? "", event: field("event") ?? "", data: field("data") };
    })
    .filter(({ data }) => data !== undefined)
    .map((one) => ({ ...one, data: JSON.parse(one.data ?? "null") as unknown }));

const open = (
  lastId?: string,
  topics: ("readings" | "alerts" | "quarantine")[] = ["readings", "alerts", "quarantine"],
) => feed.open({ topics, lastId, isAllowed: () => true });
const read = (stream: ReturnType<Feed["open"]>): string => String(stream.read() ?? "");
const alert = (id: string): void => view.emit({ topic: "alerts", alert: raisedAlert(id) });

test("readings are gathered: the newest of each series, and how many came before it", () => {
  const stream = open();
  view.emit({ topic: "readings", values: [stored(0, 10), stored(2, 12), { ...stored(1, 11), late: true }] });
  view.emit({ topic: "readings", values: [{ ...stored(3, 99), verdict: "conflict" }] });
  expect(eventsIn(read(stream))).toEqual([]);
  feed.flush();
  expect(eventsIn(read(stream)).map(({ event, data }) => [event, data])).toEqual([
    [
      "readings",
      {
        items: [
          {
            device: "bin-1",
            quantity: "fill_percent",
            unit: "%",
            value: 12,
            time: "2026-11-23T10:02:00.000Z",
          },
        ],
        skipped: 2,
      },
    ],
  ]);
  feed.flush();
  expect(read(stream)).toBe("");
});

test("a million values between two flushes stay bounded", () => {
  const stream = open();
  for (let n = 0; n < 200; n += 1)
    view.emit({
      topic: "readings",
      values: Array.from({ length: 5_000 }, (_, m) => ({ ...stored(n), device: `bin-${m}` })),
    });
  const wide = makeFeed(view, { ...limits, feedLagBytes: 10_000_000 });
  wide.close();
  feed.flush();
  expect(stream.destroyed).toBe(true);
  const later = feed.open({ topics: ["readings"], lastId: undefined, isAllowed: () => true });
  view.emit({ topic: "readings", values: [stored(1)] });
  feed.flush();
  expect(eventsIn(read(later))).toHaveLength(1);
});

test("alerts go at once, and only to who follows them", () => {
  const alerts = open(undefined, ["alerts"]);
  const readings = open(undefined, ["readings"]);
  alert("a1");
  expect(eventsIn(read(alerts))).toMatchObject([
    { event: "alerts", data: { id: "a1", since: "2026-11-23T10:00:00.000Z" } },
  ]);
  expect(eventsIn(read(readings))).toEqual([]);
});

test("quarantine is told without its bytes", () => {
  const stream = open();
  view.emit({ topic: "quarantine", entries: [refusedEntry(7)] });
  feed.flush();
  expect(eventsIn(read(stream))[0]?.data).toEqual({
    items: [{ id: "7-1", device: "bin-1", reason: "not-a-number", receivedAt: "2026-11-23T10:00:00.007Z" }],
    skipped: 0,
  });
});

test("who comes back gets what it missed, once, in order", () => {
  const first = open();
  alert("a1");
  alert("a2");
  const seen = eventsIn(read(first));
  first.destroy();
  alert("a3");
  alert("a4");
  const again = eventsIn(read(open(seen[0]?.id)));
  expect(again.map(({ data }) => (data as { id: string }).id)).toEqual(["a2", "a3", "a4"]);
  expect(eventsIn(read(open(again.at(-1)?.id)))).toEqual([]);
});

test("who was away for too long, or since before a restart, is told to read anew, and can go on from there", async () => {
  const once = async (lastId?: string): Promise<Seen[]> => {
    const stream = open(lastId);
    const seen = eventsIn(read(stream));
    stream.destroy();
    await new Promise((resolve) => stream.once("close", resolve));
    return seen;
  };
  const first = open();
  alert("a0");
  const [{ id } = { id: "" }] = eventsIn(read(first));
  first.destroy();
  await new Promise((resolve) => first.once("close", resolve));
  for (let n = 1; n <= 6; n += 1) alert(`a${n}`);
  const reset = await once(id);
  expect(reset.map(({ event }) => event)).toEqual(["reset"]);
  alert("a7");
  const next = await once(reset[0]?.id);
  expect(next.map(({ data }) => (data as { id: string }).id)).toEqual(["a7"]);

  for (const foreign of ["00000000-3", "nonsense", `${id.split("-")[0]}-999999`]) {
    expect((await once(foreign)).map(({ event }) => event)).toEqual(["reset"]);
  }
});

test("who missed more than it may lag is told to read anew, and has no more waiting than any other", () => {
  const id = /^id: (\S+)$/m.exec(read(open()))?.[1];
  const series = Array.from({ length: 30 }, (_, n) => ({ ...stored(1), device: `bin-${n}` }));
  const publish = (): void => {
    view.emit({ topic: "readings", values: series });
    feed.flush();
  };
  publish();
  alert("a1");
  expect(eventsIn(read(open(id))).map(({ event }) => event)).toEqual(["readings", "alerts"]);
  for (let n = 0; n < 3; n += 1) publish();
  const again = open(id);
  expect(again.readableLength).toBeLessThan(1_000);
  const [reset, ...more] = eventsIn(read(again));
  expect([reset?.event, more]).toEqual(["reset", []]);
  again.destroy();
});

test("a connection that breaks before its first event resumes from where it was opened", () => {
  const hello = read(open());
  const id = /^id: (\S+)$/m.exec(hello)?.[1];
  alert("a1");
  expect(eventsIn(read(open(id)))).toMatchObject([{ data: { id: "a1" } }]);
});

test("a reader that never reads is cut off, and the others go on", async () => {
  const slow = open();
  const quick = open();
  const seen: string[] = [];
  quick.on("data", (text) => seen.push(String(text)));
  for (let n = 0; n < 40; n += 1) {
    alert(`a${n}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([slow.destroyed, quick.destroyed]).toEqual([true, false]);
  expect(eventsIn(seen.join(""))).toHaveLength(40);
  expect(feed.count).toBe(1);
});

test("more feeds than the bound are refused, and room comes back", async () => {
  const streams = [open(), open(), open()];
  expect(() => open()).toThrow(expect.objectContaining({ code: "too-many-feeds" }));
  streams[0]?.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  expect(() => open()).not.toThrow();
});

test("the overview comes when a feed opens and with each beat; others get a sign of life", async () => {
  const watching = feed.open({ topics: ["overview"], lastId: undefined, isAllowed: () => true });
  const other = open();
  await new Promise((resolve) => setImmediate(resolve));
  await feed.beat();
  expect(eventsIn(read(watching)).map(({ event, id }) => [event, id])).toEqual([
    ["overview", ""],
    ["overview", ""],
  ]);
  expect(read(other)).toContain(": still here");
});

test("a feed ends with the session that opened it", async () => {
  server = await startFakeServer();
  const address = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const id = cookieIn(await logIn(server, "wiktor"));
  const answer = await fetch(`${address}/api/v1/events?topics=alerts`, {
    headers: { cookie: `obieg_session=${id}` },
  });
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  await server.users.remove("wiktor");
  expect(await answer.text()).toContain(": following alerts");
});

test("a browser's feed resumes over HTTP by Last-Event-ID, and the server's end ends it", async () => {
  server = await startFakeServer();
  const { app, tokens } = server;
  const address = await app.listen({ host: "127.0.0.1", port: 0 });
  const follow = (lastId?: string) =>
    fetch(`${address}/api/v1/events?topics=readings,alerts`, {
      headers: {
        authorization: `Bearer ${tokens.viewer}`,
        ...(lastId === undefined ? {} : { "last-event-id": lastId }),
      },
    });
  const until = async (answer: Response, wanted: string): Promise<string> => {
    let text = "";
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes(wanted)) break;
    }
    return text;
  };
  const first = await follow();
  server.view.emit({ topic: "alerts", alert: raisedAlert("a1") });
  const [seen] = eventsIn(await until(first, "a1"));
  server.view.emit({ topic: "alerts", alert: raisedAlert("a2") });
  const second = await follow(seen?.id);
  expect(eventsIn(await until(second, "a2"))).toMatchObject([{ data: { id: "a2" } }]);

  const third = await follow();
  expect(server.view.listeners).toBe(1);
  const text = third.text();
  await app.close();
  expect(await text).toContain(": following");
  expect(server.view.listeners).toBe(0);
});

test("nobody follows without a role", async () => {
  server = await startFakeServer();
  const answer = await server.app.inject({ url: "/api/v1/events" });
  expect(problemIn(answer)).toMatchObject({ status: 401, code: "not-logged-in" });
});
