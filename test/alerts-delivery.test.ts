import { afterEach, expect, test } from "vitest";
import { Webhook } from "standardwebhooks";
import { AlertsBench, FaultServer, secret, transition } from "./alerts-fixture.js";
import { minute, startMs } from "./rules-fixture.js";

const open: { end(): Promise<void> }[] = [];
afterEach(async () => {
  for (const bench of open.splice(0).reverse()) await bench.end();
});
async function bench(...parts: Parameters<typeof AlertsBench.start>): Promise<AlertsBench> {
  const made = await AlertsBench.start(...parts);
  open.push(made);
  return made;
}
const hour = 60 * minute;
const marks = (b: AlertsBench, id = "a1", channel = "hook") =>
  b.alerts
    .get(id)
    ?.deliveries.filter((mark) => mark.channel === channel)
    .map((mark) => `${mark.state} ${mark.status} ${mark.attempts}`);

test("a webhook's body and signature are those of the contract, by a foreign implementation", async () => {
  const b = await bench();
  b.nowMs = Date.now();
  const deliverer = b.deliver();
  await b.record(transition());
  await deliverer.settle();
  const [received] = b.server.received;
  expect(
    new Webhook(secret).verify(received?.body ?? "", received?.headers as Record<string, string>),
  ).toEqual({
    id: "a1",
    rule: "full",
    kind: "threshold",
    severity: "warning",
    state: "raised",
    place: "krakow/podgorze",
    device: "bin-1",
    quantity: "fill_percent",
    value: 91,
    limit: 80,
    unit: "%",
    since: new Date(startMs).toISOString(),
    at: new Date(startMs).toISOString(),
    title: { pl: "Pełny kosz", en: "Bin full" },
    message: { pl: "bin-1: 91 %", en: "bin-1: 91 %" },
    links: { alert: "https://obieg.example/api/v1/alerts/a1" },
  });
  expect(() =>
    new Webhook(`whsec_${Buffer.alloc(32).toString("base64")}`).verify(
      received?.body ?? "",
      received?.headers as Record<string, string>,
    ),
  ).toThrow();
});

test("500, a cut connection and silence are tried again with the same id, further and further apart", async () => {
  const b = await bench({ limits: { timeoutMs: 100 } });
  const deliverer = b.deliver();
  b.server.answers.push({ status: 500 }, "close", "hang", { status: 400 });
  await b.record(transition());
  await deliverer.settle();
  for (const wait of [1_000, 2_000, 4_000, 8_000]) {
    const before = b.server.received.length;
    expect(b.alerts.get("a1")?.deliveries.find((mark) => mark.channel === "hook")).toMatchObject({
      status: "pending",
      fault: expect.any(String) as string,
      nextMs: b.nowMs + wait,
    });
    await b.pass(wait - 1);
    expect(b.server.received).toHaveLength(before);
    await b.pass(1);
    expect(b.server.received).toHaveLength(before + 1);
  }
  expect(new Set(b.server.received.map(({ headers }) => headers["webhook-id"]))).toEqual(
    new Set(["a1_raised"]),
  );
  expect(marks(b)).toEqual(["raised delivered 5"]);
  expect(b.alerts.counts).toMatchObject({ delivered: 2, failedAttempts: 4, waiting: 0 });
  expect(b.warnings).toEqual(["answered 500", expect.any(String), "no answer within 0.1 s", "answered 400"]);
});

test("Retry-After is honoured, in seconds and as a date", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 429, headers: { "retry-after": "120" } });
  await b.record(transition());
  await deliverer.settle();
  await b.pass(119_000);
  expect(b.server.received).toHaveLength(1);
  b.server.answers.push({
    status: 503,
    headers: { "retry-after": new Date(b.nowMs + 1_000 + 300_000).toUTCString() },
  });
  await b.pass(1_000);
  expect(b.server.received).toHaveLength(2);
  await b.pass(299_000);
  expect(b.server.received).toHaveLength(2);
  await b.pass(1_000);
  expect(marks(b)).toEqual(["raised delivered 3"]);
});

test("redirects aren't followed", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 307, headers: { location: b.server.url } });
  await b.record(transition());
  await deliverer.settle();
  expect(b.server.received).toHaveLength(1);
  expect(b.alerts.get("a1")?.deliveries[1]?.fault).toBe("answered 307, redirects aren't followed");
});

test("one rule at one device goes out in order, whatever fails", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 500 });
  await b.record(transition());
  await b.record(transition({ state: "resolved" }), transition());
  await deliverer.settle();
  expect(b.server.story).toEqual(["bin-1 raised"]);
  await b.pass(1_000);
  expect(b.server.received.map(({ headers }) => headers["webhook-id"])).toEqual([
    "a1_raised",
    "a1_raised",
    "a1_resolved",
    "a2_raised",
  ]);
});

test("an alert that a receiver chokes on doesn't hold up the others", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.decide = ({ alert }) => (alert.device === "bad" ? { status: 500 } : undefined);
  await b.record(transition({ device: "bad" }));
  await deliverer.settle();
  await b.record(...["x", "y", "z"].map((device) => transition({ device })));
  await b.pass(1_000);
  await b.pass(2_000);
  await b.pass(2_000);
  expect(b.server.story.filter((line) => !line.startsWith("bad"))).toEqual([
    "x raised",
    "y raised",
    "z raised",
  ]);
});

test("a receiver that never answers delays no other channel", async () => {
  const b = await bench({ limits: { timeoutMs: 60_000 } });
  const slow = await new FaultServer().start();
  open.push({ end: () => slow.stop() });
  slow.decide = () => "hang";
  b.channels.push({ id: "slow", kind: "webhook", url: slow.url, secret });
  b.deliver();
  const told = new Promise<void>((resolve) => {
    b.alerts.onChange((alert) => {
      const done = alert.deliveries.filter((mark) => mark.status === "delivered");
      if (done.length === 2) resolve();
    });
  });
  await b.record(transition());
  await told;
  expect(marks(b)).toEqual(["raised delivered 1"]);
  expect(marks(b, "a1", "slow")).toEqual(["raised pending 0"]);
});

test("after a day of failures an entry is dead, marked and counted, and the next one goes out", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.decide = ({ alert }) => (alert.state === "raised" ? { status: 500 } : undefined);
  await b.record(transition());
  await b.record(transition({ state: "resolved" }));
  await deliverer.settle();
  for (let round = 0; round < 40; round += 1) await b.pass(hour);
  expect(b.alerts.counts).toMatchObject({ dead: 1, waiting: 0 });
  expect(marks(b)?.[0]).toMatch(/^raised dead \d+$/);
  expect(b.alerts.get("a1")?.deliveries.find((mark) => mark.status === "dead")?.fault).toBe("answered 500");
  expect(marks(b)?.[1]).toBe("resolved delivered 1");
});

test("a clock that leaps a day ahead gives nothing up", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 500 });
  await b.record(transition());
  await deliverer.settle();
  b.server.answers.push({ status: 500 });
  await b.pass(48 * hour);
  expect(b.alerts.counts.dead).toBe(0);
  await b.pass(hour);
  expect(marks(b)).toEqual(["raised delivered 3"]);
});

test("a clock set back a day doesn't hold deliveries up for a day", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 500 });
  await b.record(transition());
  await deliverer.settle();
  await b.pass(-24 * hour);
  expect(marks(b)).toEqual(["raised delivered 2"]);
});

test("410 turns a channel off until its address changes", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  b.server.answers.push({ status: 410 });
  await b.record(transition());
  await deliverer.settle();
  await b.record(transition({ state: "resolved" }));
  await deliverer.settle();
  expect(b.server.received).toHaveLength(1);
  expect(b.alerts.counts.dead).toBe(2);
  b.channels = b.channels.map((channel) => ({ ...channel, url: `${channel.url}/new` }));
  await b.record(transition());
  await deliverer.settle();
  expect(b.server.story).toEqual(["bin-1 raised", "bin-1 raised"]);
});

test("entries of a removed channel are given up and say why", async () => {
  const b = await bench();
  await b.record(transition());
  b.channels = [];
  await b.deliver().settle();
  expect(marks(b)).toEqual(["raised dead 1"]);
  expect(b.alerts.get("a1")?.deliveries[1]?.fault).toBe("the channel was removed");
});

test("what was on its way at a stop goes out after the start, with the same id", async () => {
  const b = await bench();
  b.server.answers.push("hang");
  b.deliver();
  const arrived = new Promise<void>((resolve) => {
    b.server.decide = () => {
      resolve();
      return undefined;
    };
  });
  await b.record(transition());
  await arrived;
  await b.restart();
  expect(b.alerts.counts.waiting).toBeGreaterThan(0);
  await b.deliver().settle();
  expect(b.server.received.map(({ headers }) => headers["webhook-id"])).toEqual(["a1_raised", "a1_raised"]);
  expect(marks(b)).toEqual(["raised delivered 1"]);
});

test("an alert is retained on MQTT while it is open and removed when it is resolved", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  await b.record(transition());
  await deliverer.settle();
  await b.alerts.acknowledge("a1", "anna");
  await deliverer.settle();
  await b.record(transition({ state: "resolved" }));
  await deliverer.settle();
  expect(b.published.map(({ topic }) => topic)).toEqual(Array(3).fill("alerts/krakow/podgorze/full/bin-1"));
  expect(b.published.every(({ retain }) => retain)).toBe(true);
  expect(b.published.map(({ payload }) => (payload === "" ? "" : JSON.parse(payload).state))).toEqual([
    "raised",
    "acknowledged",
    "",
  ]);
});

test("what is on disk goes out in the order of recording, though the disk is full when it is to be told", async () => {
  const b = await bench();
  const deliverer = b.deliver();
  const seen: string[] = [];
  b.alerts.onChange((alert) => seen.push(`${alert.id} ${alert.state}`));
  await b.recordAndFill(transition());
  await b.pass(1_000);
  expect([b.server.story, seen]).toEqual([[], []]);
  b.stateFault = undefined;
  await b.pass(1_000);
  expect(b.server.story).toEqual(["bin-1 raised"]);
  expect([seen[0], b.alerts.counts.raised]).toEqual(["a1 raised", 1]);
  // What comes before the next try doesn't overtake what waits for it.
  await b.recordAndFill(transition({ device: "bin-2" }));
  b.stateFault = undefined;
  await b.record(transition({ device: "bin-2", state: "resolved" }));
  await deliverer.settle();
  await b.recordAndFill(transition({ device: "bin-3" }));
  b.stateFault = undefined;
  await b.alerts.acknowledge("a3", "anna");
  await deliverer.settle();
  const rest = ["bin-2 raised", "bin-2 resolved", "bin-3 raised", "bin-3 acknowledged"];
  expect(b.server.story).toEqual(["bin-1 raised", ...rest]);
  await b.pass(1_000);
  expect(b.alerts.counts).toMatchObject({ raised: 3, resolved: 1, delivered: 10, waiting: 0 });
});

test("what was on disk and never told goes out after a start, a raise before its resolve", async () => {
  const b = await bench();
  b.deliver();
  await b.recordAndFill(transition(), transition({ state: "resolved" }));
  await b.restart();
  b.stateFault = undefined;
  // Nothing of the old inbox is told any more.
  await b.pass(1_000);
  expect(b.server.story).toEqual([]);
  await b.deliver().settle();
  expect(b.server.story).toEqual(["bin-1 raised", "bin-1 resolved"]);
});
