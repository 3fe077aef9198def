import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { serveCity } from "./web-city.js";
import { openWebStand, type WebStand } from "./web-stand.js";

let stand: WebStand;
beforeAll(async () => {
  stand = await openWebStand();
});
afterAll(() => stand.close());
afterEach(() => stand.closePages());

test("a device's meter says its number, since when, and how far each of its last amounts can be relied on", async () => {
  serveCity(stand.mock, { role: "viewer" });
  const page = await stand.openPage({ path: "/devices/em-204", language: "pl" });
  const meter = page.getByRole("region", { name: "Licznik", exact: true });
  await meter.getByText("nr 30-7781").waitFor();
  await meter.getByText("od 12 mar 2026, 10:20").waitFor();
  expect(await meter.getByText("30-1", { exact: false }).count()).toBe(0);
  expect(await meter.getByRole("link", { name: "wm-31" }).getAttribute("href")).toContain("/devices/wm-31");
  const rows = await meter.locator("tbody tr").allInnerTexts();
  expect(rows.map((row) => row.split("\t").slice(1).join(" | ").replaceAll("\u00a0", " "))).toEqual([
    "3,1 kWh | zmierzone licznik przeszedł przez zero",
    "0 kWh | wątpliwe licznik przeskoczył (poza bilansem: 95,5 kWh)",
    "2 kWh | skorygowane dodane przez osobę",
    "4,875 kWh | oszacowane brak odczytów pomiędzy",
    "1,25 kWh | zmierzone z odczytów",
  ]);
  // A time that is short is said to the second, so that no two rows read the same.
  const times = rows.map((row) => row.split("\t")[0]?.trim() ?? "");
  expect(times[0]).toMatch(/^\d+ \S+, (\d\d:\d\d):00\s?–\s?\1:10$/);
  expect(times[1]).toMatch(/^\d+ \S+, \d\d:\d\d\s?–\s?.*\d\d:\d\d$/);
  expect(times[1]).not.toMatch(/:\d\d:/);
  // A bin counts nothing.
  const bin = await stand.openPage({ path: "/devices/bin-0006", language: "pl" });
  await bin.locator(".chart canvas").waitFor();
  expect(await bin.getByText("Licznik", { exact: true }).count()).toBe(0);
});
