import { afterEach, beforeEach, expect, test } from "vitest";
import { askAsAdmin, type FakeServer, startFakeServer } from "./support/fake-server.js";
import { noonMs } from "./support/fake-view.js";
import { openTestHistory, take, valueAt } from "./support/stores-history.js";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

const get = (url: string, accept = "application/json") =>
  askAsAdmin(server, { url: `/api/v1${url}`, headers: { accept } });

test("the ledger is given by pages and whole, day by day", async () => {
  const { history, clock } = await openTestHistory({
    devices: () => ["d0", "d1", "d2"],
    sinceMsOf: () => noonMs - 400 * 86_400_000,
  });
  clock.nowMs = noonMs;
  server.view.history.ledger = (query) => history.ledger(query);
  const url = "/ledger?from=2026-11-01&to=2026-11-24";
  const paged: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const answer = await get(`${url}&limit=10&cursor=${cursor}`);
    const page = answer.json<{ items: { day: string; device: string }[]; next: string | null }>();
    paged.push(...page.items.map(({ day, device }) => `${day},${device}`));
    cursor = page.next;
  }
  expect(paged).toHaveLength(23 * 3);
  expect(paged.slice(0, 4)).toEqual(["2026-11-01,d0", "2026-11-01,d1", "2026-11-01,d2", "2026-11-02,d0"]);
  const rows = (await get(url, "text/csv")).body.trimEnd().split("\r\n").slice(1);
  expect(rows.map((row) => row.split(",", 2).join(","))).toEqual(paged);
  expect((await get(`${url}&cursor=at10`)).statusCode).toBe(400);
  await history.close();
});

test("a device that is named twice is expected to report once", async () => {
  const { history, clock } = await openTestHistory({ sinceMsOf: () => noonMs - 86_400_000 });
  clock.nowMs = noonMs + 3_600_000;
  await take(history, [valueAt(noonMs + 60_000, 1), valueAt(noonMs + 60_000, 2, { device: "d1" })]);
  server.view.history.series = (query) => history.series(query);
  const range = "from=2026-11-23T10:00:00Z&to=2026-11-23T11:00:00Z&quantity=energy_import_kwh";
  expect((await get(`/series?device=d0&device=d1&device=d0&${range}`)).json()).toMatchObject({
    items: [{ count: 2, expected: 8 }],
  });
  await history.close();
});
