import { afterEach, expect, test } from "vitest";
import { AlertsBench, transition } from "./alerts-fixture.js";
import { startMs } from "./rules-fixture.js";

const open: AlertsBench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.end();
});
async function bench(...parts: Parameters<typeof AlertsBench.start>): Promise<AlertsBench> {
  const made = await AlertsBench.start(...parts);
  open.push(made);
  return made;
}

test("a raise opens an alert, a resolve closes the same", async () => {
  const b = await bench();
  await b.record(transition());
  expect(b.alerts.get("a1")).toMatchObject({ state: "raised", raisedMs: startMs, value: 91 });
  await b.record(transition({ state: "resolved", value: 40, atMs: startMs + 1 }));
  expect(b.alerts.get("a1")).toMatchObject({ state: "resolved", resolvedMs: startMs + 1, value: 40 });
  await b.record(transition({ atMs: startMs + 2 }));
  expect(b.alerts.get("a2")?.state).toBe("raised");
});

test("raise and resolve in one transaction are both kept", async () => {
  const b = await bench();
  await b.record(transition(), transition({ state: "resolved" }));
  expect(b.alerts.get("a1")?.state).toBe("resolved");
  expect(b.alerts.outbox.all()).toHaveLength(4);
});

test("a second raise and a resolve of nothing change nothing", async () => {
  const b = await bench();
  await b.record(transition({ device: "bin-9", state: "resolved" }));
  await b.record(transition());
  await b.record(transition());
  expect(b.alerts.list({ limit: 10 }).items.map((alert) => alert.id)).toEqual(["a1"]);
  expect(b.alerts.counts).toMatchObject({ raised: 1, resolved: 0, waiting: 2 });
});

test("a transaction that fails leaves neither alert nor outbox entry", async () => {
  const b = await bench();
  const seen: string[] = [];
  b.alerts.onChange((alert) => seen.push(alert.id));
  const failing = b.state.transaction(() => {
    b.alerts.record([transition()]);
    throw new Error("no room");
  });
  await expect(failing).rejects.toThrow("no room");
  expect(b.alerts.list({ limit: 10 }).items).toEqual([]);
  expect(b.alerts.outbox.all()).toEqual([]);
  await b.record(transition({ device: "bin-2" }));
  expect(seen).toEqual(["a2"]);
  const resolving = b.state.transaction(() => {
    b.alerts.record([transition({ device: "bin-2", state: "resolved" })]);
    throw new Error("no room");
  });
  await expect(resolving).rejects.toThrow("no room");
  await b.record(transition({ device: "bin-2", state: "resolved" }));
  expect(b.alerts.counts).toMatchObject({ raised: 1, resolved: 1 });
});

test("lists newest first, by state, in pages", async () => {
  const b = await bench();
  await b.record(...[1, 2, 3, 4, 5].map((n) => transition({ device: `bin-${n}`, atMs: startMs + n })));
  await b.record(transition({ device: "bin-4", state: "resolved" }));
  const first = b.alerts.list({ limit: 2 });
  expect(first.items.map((alert) => alert.device)).toEqual(["bin-5", "bin-4"]);
  const second = b.alerts.list({ limit: 3, cursor: first.next ?? "" });
  expect(second.items.map((alert) => alert.device)).toEqual(["bin-3", "bin-2", "bin-1"]);
  expect(second.next).toBeUndefined();
  const raised = b.alerts.list({ states: ["raised"], limit: 2 });
  expect(raised.items.map((alert) => alert.device)).toEqual(["bin-5", "bin-3"]);
  const rest = b.alerts.list({ states: ["raised"], limit: 2, cursor: raised.next ?? "" });
  expect(rest.items.map((alert) => alert.device)).toEqual(["bin-2", "bin-1"]);
  const some = b.alerts.list({ limit: 10, fromMs: startMs + 2, toMs: startMs + 4 });
  expect(some.items.map((alert) => alert.device)).toEqual(["bin-3", "bin-2"]);
  expect(() => b.alerts.list({ limit: 1, cursor: "x" })).toThrow("cursor");
});

test("acknowledging says who and when, once, and goes out", async () => {
  const b = await bench();
  await b.record(transition());
  b.nowMs += 5;
  const alert = await b.alerts.acknowledge("a1", "anna", "truck is on its way");
  expect(alert).toMatchObject({
    state: "acknowledged",
    acknowledged: { who: "anna", atMs: startMs + 5, note: "truck is on its way" },
  });
  expect((await b.alerts.acknowledge("a1", "jan")).acknowledged?.who).toBe("anna");
  expect(b.alerts.outbox.all()).toHaveLength(4);
  await b.record(transition({ state: "resolved" }));
  await expect(b.alerts.acknowledge("a1", "anna")).rejects.toMatchObject({ code: "alert-resolved" });
  await expect(b.alerts.acknowledge("nope", "anna")).rejects.toMatchObject({ code: "alert-not-found" });
});

test("listeners hear of an alert only when it is on disk", async () => {
  const b = await bench();
  const seen: string[] = [];
  const stop = b.alerts.onChange((alert) => seen.push(`${alert.id} ${alert.state}`));
  await b.record(transition());
  expect(seen).toEqual(["a1 raised"]);
  stop();
  await b.record(transition({ state: "resolved" }));
  expect(seen).toEqual(["a1 raised"]);
});

test("a channel gets only what is urgent enough", async () => {
  const b = await bench();
  b.channels = b.channels.map((channel) => ({ ...channel, minSeverity: "critical" }));
  await b.record(transition({ severity: "warning" }));
  expect(b.alerts.outbox.all().map((entry) => entry.channel)).toEqual(["mqtt"]);
  await b.record(transition({ device: "bin-2", severity: "critical" }));
  expect(b.alerts.outbox.all().map((entry) => entry.channel)).toEqual(["mqtt", "mqtt", "hook"]);
});

test("a full outbox sheds the oldest of the least severity, and says so", async () => {
  const b = await bench({ maxOutboxEntries: 4 });
  await b.record(transition({ device: "critical", severity: "critical" }));
  await b.record(transition({ device: "info", severity: "info" }));
  await b.record(transition({ device: "warning", severity: "warning" }));
  expect(b.alerts.counts).toMatchObject({ shed: 2, waiting: 4 });
  expect(b.alerts.get("a2")?.deliveries.map((mark) => mark.status)).toEqual(["shed", "shed"]);
  expect(b.alerts.get("a1")?.deliveries.map((mark) => mark.status)).toEqual(["pending", "pending"]);
});

test("alerts, numbers and outbox survive a restart", async () => {
  const b = await bench();
  await b.record(transition());
  await b.restart();
  expect(b.alerts.get("a1")?.state).toBe("raised");
  expect(b.alerts.counts.waiting).toBe(2);
  await b.record(transition({ state: "resolved" }), transition({ device: "bin-2" }));
  expect(b.alerts.list({ limit: 10 }).items.map((alert) => `${alert.device} ${alert.state}`)).toEqual([
    "bin-2 raised",
    "bin-1 resolved",
  ]);
});
