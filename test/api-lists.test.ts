import { afterEach, beforeEach, expect, test } from "vitest";
import { csvCell } from "../dashboards/export.js";
import { askAsAdmin, type FakeServer, startFakeServer } from "./support/fake-server.js";
import { noonMs, reading, refusedEntry } from "./support/fake-view.js";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

const get = (url: string, accept?: string) =>
  askAsAdmin(server, { url: `/api/v1${url}`, headers: accept === undefined ? {} : { accept } });
const items = async <T = Record<string, unknown>>(url: string): Promise<T[]> =>
  (await get(url)).json<{ items: T[] }>().items;

test("a reading is answered with unit, times in UTC, and its place in the order of storing", async () => {
  expect((await items("/readings?limit=1"))[0]).toEqual({
    device: "bin-1",
    quantity: "fill_percent",
    unit: "%",
    time: "2026-11-23T10:00:00.000Z",
    value: 0,
    attributes: {},
    receivedAt: "2026-11-23T10:00:00.500Z",
    sequence: 1,
    outside: null,
  });
});

test("from is inclusive and to exclusive, whatever the offset, with its plus sign or without", async () => {
  const values = async (from: string, to: string): Promise<unknown[]> =>
    (await items<{ value: number }>(`/readings?from=${from}&to=${to}`)).map(({ value }) => value);
  expect(await values("2026-11-23T10:00:00Z", "2026-11-23T10:02:00Z")).toEqual([0, 1]);
  expect(await values("2026-11-23T11:01:00%2B01:00", "2026-11-23T11:02:00+01:00")).toEqual([1]);
  expect(await values("2026-11-23t10:02:00z", "2026-11-23T10:02:00.001Z")).toEqual([2]);
});

test("pages follow one another by next, and end with null", async () => {
  const seen: number[] = [];
  let cursor = "";
  for (let page = 0; page < 5; page += 1) {
    const answer = (await get(`/readings?limit=2&cursor=${cursor}`)).json<{
      items: { value: number }[];
      next: string | null;
    }>();
    seen.push(...answer.items.map(({ value }) => value));
    if (answer.next === null) break;
    cursor = encodeURIComponent(answer.next);
  }
  expect(seen).toEqual([0, 1, 2]);
});

test("devices are listed by id with their newest values, by place and by class, page by page", async () => {
  const ids = async (query: string): Promise<unknown[]> =>
    (await items(`/devices${query}`)).map(({ id }) => id);
  expect(await ids("")).toEqual(["bin-1", "bin-2", "em-1"]);
  expect(await ids("?place=krakow/podgorze")).toEqual(["bin-1", "bin-2"]);
  expect(await ids("?place=krakow&class=electricity-meter&class=gas-meter")).toEqual(["em-1"]);
  const first = (await get("/devices?limit=2")).json<{ next: string }>();
  expect(await ids(`?limit=2&cursor=${first.next}`)).toEqual(["em-1"]);
  expect((await items("/devices"))[0]).toMatchObject({
    everySeconds: 900,
    at: null,
    latest: [{ quantity: "fill_percent", unit: "%", value: 2, time: "2026-11-23T10:02:00.000Z" }],
  });
});

test("a place with a device asked for and a device elsewhere don't add up", async () => {
  expect(await items("/readings?place=krakow/nowa-huta&device=bin-1")).toEqual([]);
  expect(await items("/readings?place=krakow/podgorze&device=bin-1&device=bin-2")).toHaveLength(3);
});

test("CSV holds the whole list in lines that RFC 4180 knows, whatever limit says", async () => {
  const answer = await get("/readings?limit=1", "text/csv");
  expect(answer.headers["content-type"]).toContain("text/csv");
  expect(answer.headers["content-disposition"]).toBe('attachment; filename="readings.csv"');
  expect(answer.body.split("\r\n")).toEqual([
    "device,quantity,unit,time,value,attributes,receivedAt,sequence,outside,codec",
    "bin-1,fill_percent,%,2026-11-23T10:00:00.000Z,0,{},2026-11-23T10:00:00.500Z,1,,",
    "bin-1,fill_percent,%,2026-11-23T10:01:00.000Z,1,{},2026-11-23T10:01:00.500Z,2,,",
    "bin-1,fill_percent,%,2026-11-23T10:02:00.000Z,2,{},2026-11-23T10:02:00.500Z,3,,",
    "",
  ]);
});

test("NDJSON holds the same objects as JSON, over many pages", async () => {
  for (let n = 3; n < 25_000; n += 1) server.view.stored.push(reading(n));
  const answer = await get("/readings", "application/x-ndjson");
  const rows = answer.body
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { value: number });
  expect(rows).toHaveLength(25_000);
  expect(rows[0]).toEqual((await items("/readings?limit=1"))[0]);
  expect(rows.every(({ value }, n) => value === n)).toBe(true);
});

test("a fault on the way breaks an export off, so that half a list never looks whole", async () => {
  for (let n = 3; n < 25_000; n += 1) server.view.stored.push(reading(n));
  server.view.readingsFaultAtPage = 2;
  const address = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const answer = await fetch(`${address}/api/v1/readings`, {
    headers: { accept: "application/x-ndjson", authorization: `Bearer ${server.tokens.admin}` },
  });
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
});

test("a fault before the first page is a problem, not an empty export", async () => {
  server.view.readingsFaultAtPage = 1;
  const answer = await get("/readings", "text/csv");
  expect([answer.statusCode, answer.headers["content-type"]]).toEqual([
    503,
    "application/problem+json; charset=utf-8",
  ]);
});

test("the best of what is accepted is chosen", async () => {
  const typeFor = async (accept: string): Promise<string> =>
    String((await get("/places", accept)).headers["content-type"]).split(";")[0] ?? "";
  expect(await typeFor("text/csv;q=0.5, application/x-ndjson")).toBe("application/x-ndjson");
  expect(await typeFor("text/html, */*;q=0.1")).toBe("application/json");
  expect(await typeFor("text/*")).toBe("text/csv");
});

test("what a spreadsheet would run, it doesn't", () => {
  expect(csvCell("=HYPERLINK(1)")).toBe("'=HYPERLINK(1)");
  expect(csvCell('@a,"b"\r\n')).toBe(`"'@a,""b""\r\n"`);
  expect([csvCell(-1.5), csvCell(null), csvCell(true), csvCell({ a: 1 })]).toEqual([
    "-1.5",
    "",
    "true",
    '"{""a"":1}"',
  ]);
});

test("exports are put into the audit, with who and what", async () => {
  await get("/readings?device=bin-1", "text/csv");
  const records = await items("/audit?action=readings.export");
  expect(records).toMatchObject([
    {
      who: "for-admin",
      role: "admin",
      target: "device=bin-1",
      detail: { format: "csv" },
      address: "127.0.0.1",
    },
  ]);
});

test("the audit is asked by who, what and when", async () => {
  await askAsAdmin(server, { method: "POST", url: "/api/v1/tokens", payload: { name: "a", role: "viewer" } });
  server.clock.ms += 60_000;
  await askAsAdmin(server, { method: "DELETE", url: "/api/v1/devices/bin-2" });
  const actions = async (query: string): Promise<unknown[]> =>
    (await items(`/audit${query}`)).map(({ action }) => action);
  expect(await actions("")).toEqual(["token.create", "device.remove"]);
  expect(await actions("?from=2026-11-23T10:01:00Z")).toEqual(["device.remove"]);
  expect(await actions("?who=nobody")).toEqual([]);
  expect(await actions("?limit=1&cursor=after1")).toEqual(["device.remove"]);
  expect((await get("/audit")).body).not.toContain("obieg_");
});

test("a series asks for the city's time zone unless told, and has no number where there is none", async () => {
  const url = "/series?device=bin-1&quantity=fill_percent&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z";
  expect(await items(`${url}&step=15m`)).toEqual([
    {
      from: "2026-11-23T00:00:00.000Z",
      to: "2026-11-24T00:00:00.000Z",
      count: 3,
      expected: null,
      min: 0,
      mean: null,
      max: 2,
      last: 2,
    },
  ]);
  await get(`${url}&step=day&tz=Europe/London`);
  expect(server.view.asked.series.map(({ step, timeZone }) => [step, timeZone])).toEqual([
    [900_000, "Europe/Warsaw"],
    ["day", "Europe/London"],
  ]);
});

test("the ledger is that of the city's day unless told, and to is exclusive", async () => {
  server.clock.ms = Date.parse("2026-11-23T23:30:00Z");
  await get("/ledger");
  await get("/ledger?day=2026-03-29");
  await get("/ledger?from=2026-10-01&to=2026-11-01");
  expect(server.view.asked.ledger).toEqual([
    { fromDay: "2026-11-24", toDay: "2026-11-24" },
    { fromDay: "2026-03-29", toDay: "2026-03-29" },
    { fromDay: "2026-10-01", toDay: "2026-10-31" },
  ]);
});

test("quarantine shows the beginning of the bytes in a list and all of them alone, as text where it is text", async () => {
  const long = Buffer.from(`{"note": "${"ż".repeat(10_000)}"}`);
  server.view.quarantined.push(refusedEntry(3, long), refusedEntry(4, Buffer.from([0xff, 0x00])));
  const list = await items<{ payload: Record<string, unknown> }>("/quarantine?status=open");
  expect(list[2]?.payload).toMatchObject({ bytes: long.length, truncated: true });
  expect(String(list[2]?.payload["text"])).toMatch(/^\{"note": "ż+$/);
  expect(list[3]?.payload).toEqual({ base64: "/wA=", text: null, bytes: 2, truncated: false });
  const { payload } = (await get("/quarantine/3-1")).json<{
    payload: { base64: string; truncated: boolean };
  }>();
  expect(Buffer.from(payload.base64, "base64").equals(long)).toBe(true);
  expect(payload.truncated).toBe(false);
});

test("a replay takes what all its conditions choose, in the name of who asked", async () => {
  const replay = (payload: object) =>
    askAsAdmin(server, { method: "POST", url: "/api/v1/quarantine/replay", payload });
  expect((await replay({ device: "bin-1", to: new Date(noonMs + 2).toISOString() })).json()).toEqual({
    replayed: 1,
    refused: 0,
  });
  expect((await replay({ reason: "not-a-number" })).json()).toEqual({ replayed: 1, refused: 0 });
  expect((await replay({ reason: "not-a-number" })).json()).toEqual({ replayed: 0, refused: 0 });
  expect(server.view.quarantined.map(({ changedBy }) => changedBy)).toEqual(["for-admin", "for-admin"]);
});

test("a reading sent over HTTP reaches the journal byte by byte, whatever it holds", async () => {
  const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x0a]);
  for (const type of ["application/json", "text/plain", "application/octet-stream"]) {
    const headers = { "content-type": type };
    const answer = await askAsAdmin(server, {
      method: "POST",
      url: "/api/v1/readings/bin-1",
      payload: bytes,
      headers,
    });
    expect(answer.statusCode).toBe(202);
  }
  expect(server.view.published).toHaveLength(3);
  expect(server.view.published[0]).toEqual({
    topic: "readings/bin-1",
    payload: bytes,
    user: "for-admin",
    receivedMs: noonMs,
  });
});

test("sinks tell how they stand, and their refused values by pages, newest first, in the server's words", async () => {
  expect((await get("/sinks")).json()).toEqual({
    items: [
      {
        name: "influxdb",
        position: 9,
        lag: 4,
        written: 6,
        offended: 3,
        fault: "answered 401: unauthorized access",
      },
    ],
    next: null,
  });
  const first = (await get("/sinks/influxdb/offenders?limit=2")).json<{ items: object[]; next: string }>();
  expect(first.items).toMatchObject([{ sequence: 9 }, { sequence: 7 }]);
  expect((await get(`/sinks/influxdb/offenders?limit=2&cursor=${first.next}`)).json()).toEqual({
    items: [
      {
        sequence: 3,
        device: "bin-1",
        quantity: "fill_percent",
        unit: "%",
        time: "2026-11-23T10:03:00.000Z",
        value: 93,
        words: "422: field type conflict",
        at: "2026-11-23T10:03:00.700Z",
      },
    ],
    next: null,
  });
  const none = await get("/sinks/other/offenders");
  expect([none.statusCode, none.json<{ code: string }>().code]).toEqual([404, "sink-not-found"]);
});

test("alerts are asked by state; withdrawn ones are known by name", async () => {
  await askAsAdmin(server, {
    method: "POST",
    url: "/api/v1/alerts/a1/acknowledge",
    payload: { note: "on my way" },
  });
  const ids = async (query: string): Promise<unknown[]> =>
    (await items(`/alerts${query}`)).map(({ id }) => id);
  expect(await ids("?state=acknowledged")).toEqual(["a1"]);
  expect(await ids("?state=raised&state=acknowledged")).toEqual(["a1", "a2"]);
  expect(await ids("?state=withdrawn")).toEqual([]);
  expect((await get("/alerts/a1")).json()).toMatchObject({
    state: "acknowledged",
    at: "2026-11-23T10:00:03.000Z",
    acknowledged: { who: "for-admin", note: "on my way" },
    delivery: { hook: { status: "dead", attempts: 40 } },
  });
});
