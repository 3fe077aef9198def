import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { overviewOf, serveCity } from "./web-city.js";
import type { WebMock } from "./web-mock.js";
import { narrow, openWebStand, shoot, violations, type WebStand, wide } from "./web-stand.js";

let stand: WebStand;
let mock: WebMock;
const openPage: WebStand["openPage"] = (options) => stand.openPage(options);

beforeAll(async () => {
  stand = await openWebStand();
  mock = stand.mock;
});
afterAll(() => stand.close());
afterEach(() => stand.closePages());

const screens = [
  { name: "overview", path: "/", ready: ".tiles" },
  { name: "devices", path: "/devices", ready: "table" },
  { name: "device", path: "/devices/bin-0006", ready: ".chart canvas" },
  {
    name: "device-register",
    path: "/devices/em-204?quantity=energy_import_kwh&period=year",
    ready: ".chart canvas",
  },
  { name: "alerts", path: "/alerts", ready: ".card" },
  { name: "quarantine", path: "/quarantine", ready: ".card" },
  { name: "unknown-devices", path: "/unknown-devices", ready: ".card" },
  { name: "ledger", path: "/ledger", ready: "table" },
];

const sizes = [
  { name: "wide", size: wide },
  { name: "narrow", size: narrow },
];

for (const language of ["pl", "en"] as const)
  for (const { name: width, size } of sizes)
    for (const { name, path, ready } of screens)
      test(`${name} in ${language}, ${width}: axe finds nothing, the console is silent, nothing overflows`, async () => {
        serveCity(mock, { role: "operator" });
        const page = await openPage({ path, size, language });
        await page.locator(ready).first().waitFor();
        await page.getByText(language === "pl" ? "na żywo" : "live", { exact: true }).waitFor();
        await shoot(page, `${name}-${language}-${width}`);
        expect(await violations(page)).toEqual([]);
        expect(stand.noise).toEqual([]);
        expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
        expect(await page.evaluate("document.documentElement.lang")).toBe(language);
      });

test("logs in: a wrong password is said, the right one opens the overview", async () => {
  serveCity(mock, undefined);
  const page = await openPage({ size: narrow });
  await page.getByRole("heading", { name: "Zaloguj się" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await shoot(page, "log-in");
  await page.getByLabel("Użytkownik").fill("ewa");
  await page.getByRole("textbox", { name: "Hasło" }).fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("Zły użytkownik lub hasło.").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("textbox", { name: "Hasło" }).fill("secret");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Przegląd" }).waitFor();
  expect(mock.writes.at(-1)).toMatchObject({ call: "POST /session", csrf: "1" });
});

test("the overview follows the live feed and says what to look at first", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({});
  await page.getByText("na żywo", { exact: true }).waitFor();
  await page.getByRole("heading", { name: "Działaj teraz" }).waitFor();
  await page.getByText("2 otwarte alarmy").waitFor();
  await page.getByText("DEMO", { exact: true }).waitFor();
  mock.answer("GET /alerts", () => ({ items: [] }));
  mock.emit("alerts", { id: "a-2", state: "resolved" });
  const calm = { devices: { total: 24, alive: 24 }, openAlerts: 0, demo: false };
  mock.emit("overview", overviewOf({ ...calm, today: { stored: 5, quarantined: 0, missing: 0 } }));
  await page.getByRole("heading", { name: "Wszystko w porządku" }).waitFor();
  await page.getByText("DEMO", { exact: true }).waitFor({ state: "detached" });
  await shoot(page, "overview-fine");
  mock.emit("overview", overviewOf({ ...calm, ready: false, reasons: ["journal-full"] }));
  await page.getByText("Usługa nie jest gotowa: journal-full").waitFor();
});

test("Polish counts take their three forms", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({});
  await page.getByText("na żywo", { exact: true }).waitFor();
  for (const [count, words] of [
    [1, "1 urządzenie milczy"],
    [3, "3 urządzenia milczą"],
    [12, "12 urządzeń milczy"],
    [22, "22 urządzenia milczą"],
  ] as const) {
    mock.emit("overview", overviewOf({ devices: { total: 100, alive: 100 - count } }));
    await page.getByText(words).waitFor();
  }
});

test("a reading on the feed changes the list without a question", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/devices?find=em-204" });
  await page.getByText("na żywo", { exact: true }).waitFor();
  await page.getByText("5 230 W").waitFor();
  const time = new Date().toISOString();
  mock.emit("readings", {
    items: [{ device: "em-204", quantity: "power_w", unit: "W", value: 6112, time }],
    skipped: 0,
  });
  await page.getByText("6 112 W").waitFor();
});

test("a device that says itself that it goes is shown so, until it says that it is back", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/devices?find=em-204" });
  await page.getByText("na żywo", { exact: true }).waitFor();
  await page.getByText("nadaje", { exact: true }).waitFor();
  const say = (online: boolean): void =>
    mock.emit("presence", {
      items: [{ device: "em-204", online, since: new Date(Date.now() + 1_000).toISOString() }],
      skipped: 0,
    });
  say(false);
  await page.getByText("rozłączone", { exact: true }).waitFor();
  await page.getByRole("link", { name: "em-204" }).click();
  await page.getByText("zgłosiło rozłączenie").waitFor();
  say(true);
  await page.getByText("zgłosiło połączenie").waitFor();
  await page.getByText("nadaje", { exact: true }).waitFor();
});

test("the list narrows by class, place and silence", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/devices", language: "en" });
  await page.getByText("24 devices shown").waitFor();
  await page.getByLabel("Kind").selectOption("water-meter");
  await page.getByText("1 device shown").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.getByLabel("Place").selectOption("krakow/podgorze");
  await page.getByText("12 devices shown").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.getByLabel("Silent only").check();
  await page.getByText("2 devices shown").waitFor();
  await page.getByRole("link", { name: "bin-0007" }).click();
  await page.getByRole("heading", { name: "bin-0007" }).waitFor();
});

test("a device's page says what the registry says of it", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/devices/bin-0006" });
  const told = await page.getByRole("region", { name: "W rejestrze" }).innerText();
  const facts = "LDDS75;70B3D57ED0061234;Metale i tworzywa sztuczne;50.04°, 19.95°;12 sty 2026;3 z 980";
  for (const one of facts.split(";")) expect(told).toContain(one);
});

test("the language is remembered", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({});
  await page.getByRole("heading", { name: "Przegląd" }).waitFor();
  await page.getByText("EN", { exact: true }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
});

test("times are the city's, wherever the reader sits", async () => {
  serveCity(mock, { role: "viewer" });
  mock.answer("GET /overview", () => overviewOf({ at: "2026-11-24T05:00:07Z" }));
  const page = await openPage({ zone: "Asia/Tokyo" });
  await page.getByText("Stan z 06:00:07").waitFor();
});

test("the chart shows a hole as a gap, and its table says so", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/devices/bin-0006", language: "en" });
  await page.getByText("Gaps in the line: no readings came.").waitFor();
  await page.locator(".chart canvas").hover({ position: { x: 400, y: 150 } });
  await page.getByText(/Lowest: -?[\d.]+\s%/).waitFor();
  await shoot(page, "device-tooltip");
  await page.getByRole("button", { name: "Show as a table" }).click();
  await page.getByRole("cell", { name: "4 of 4 expected" }).first().waitFor();
  expect(await page.getByRole("row").filter({ hasText: "–" }).count()).toBe(1);
  expect(await violations(page)).toEqual([]);
  await page.getByText("Custom", { exact: true }).click();
  await page.getByLabel("From").fill("2026-03-30");
  await page.getByLabel("To", { exact: true }).fill("2026-03-01");
  await page.getByText("must be earlier").waitFor();
  expect(await violations(page)).toEqual([]);
  expect(stand.noise).toEqual([]);
});

test("an operator acknowledges by keyboard, with a note", async () => {
  serveCity(mock, { role: "operator" });
  mock.answer("POST /alerts/a-1/acknowledge", () => ({}));
  const page = await openPage({ path: "/alerts", language: "en" });
  await page.getByRole("button", { name: "Acknowledge: Bin bin-0006 is full" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("truck sent");
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Enter");
  await page.getByText("Acknowledged: Bin bin-0006 is full").waitFor();
  expect(mock.writes.at(-1)).toEqual({
    call: "POST /alerts/a-1/acknowledge",
    csrf: "1",
    body: { note: "truck sent" },
  });
});

test("a viewer may look, not act", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/quarantine", language: "en" });
  await page.getByText("Your role may look, not replay.").waitFor();
  await page.getByRole("button", { name: "Show the raw message" }).first().waitFor();
  expect(await page.getByRole("button", { name: /Replay/ }).count()).toBe(0);
});

test("quarantine shows text tidied, bytes in hexadecimal, and replays", async () => {
  serveCity(mock, { role: "operator" });
  const page = await openPage({ path: "/quarantine", language: "en", size: narrow });
  const raw = page.getByRole("button", { name: "Show the raw message" });
  await raw.first().click();
  await page.getByText('"fill_percent": 143').waitFor();
  await raw.first().click();
  await page.getByText("000000 00 ff 10 20").waitFor();
  await shoot(page, "quarantine-raw");
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: /^Replay: bin-0004/ }).click();
  await page.getByText("Replayed: 1 item").waitFor();
  expect(mock.writes.at(-1)).toEqual({ call: "POST /quarantine/replay", csrf: "1", body: { ids: ["10-1"] } });
});

test("quarantine is dismissed only after it was asked once more", async () => {
  serveCity(mock, { role: "operator" });
  const page = await openPage({ path: "/quarantine", language: "en" });
  const before = mock.writes.length;
  await page.getByRole("button", { name: /^Dismiss: bin-0004/ }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: /^Dismiss: bin-0004/ }).click();
  expect(mock.writes.length).toBe(before);
  await page.getByRole("button", { name: "Dismiss", exact: true }).click();
  await page.getByText("Dismissed: 1 item").waitFor();
  expect(mock.writes.slice(before)).toEqual([
    { call: "POST /quarantine/dismiss", csrf: "1", body: { ids: ["10-1"] } },
  ]);
});

test("what InfluxDB refused stands in quarantine with the server's words, and why it waits", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/quarantine" });
  const part = page.getByRole("region", { name: "InfluxDB" });
  await part.getByText("answered 401: who are you").waitFor();
  await part.getByText("Jeszcze niezapisane: 12 wartości.").waitFor();
  await part.getByText("Odrzucone: 2 wartości").waitFor();
  await part
    .getByText("422: failure writing points to database: partial write: field type conflict")
    .waitFor();
  expect(await part.getByRole("listitem").first().innerText()).toMatch(/wm-31[^]*1\s204\sm³[^]*24[^]*06:00/);
  mock.answer("GET /sinks", () => ({
    items: [{ name: "influxdb", lag: 0, offended: 0, fault: null }],
    next: null,
  }));
  await page.reload();
  await page.locator(".card").first().waitFor();
  expect(await page.getByRole("region", { name: "InfluxDB" }).count()).toBe(0);
});

test("an alert that a receiver doesn't take says its fault and when it is tried again", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ path: "/alerts" });
  const card = page.locator(".card").filter({ hasText: "Kosz bin-0006 jest pełny" });
  await card.getByText("Doręczanie zawodzi: crews").waitFor();
  await card.getByText(/czeka, 3\spróby, answered 500, następna próba .*06:00/).waitFor();
});

test("a lost connection is said, and mends itself", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ language: "en" });
  await page.getByText("live", { exact: true }).waitFor();
  await mock.stop();
  await page.getByText("Connection lost.").waitFor();
  expect(await violations(page)).toEqual([]);
  await shoot(page, "lost");
  await mock.start();
  await page.getByText("Connection lost.").waitFor({ state: "detached" });
  await page.getByText("live", { exact: true }).waitFor();
});

test("a fault is shown with its code, an empty list with what it means", async () => {
  serveCity(mock, { role: "viewer" });
  mock.answer("GET /ledger", () => 409);
  mock.answer("GET /quarantine", () => ({ items: [] }));
  const page = await openPage({ path: "/ledger", language: "en" });
  await page.getByText("code-409").waitFor();
  await shoot(page, "fault");
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "Quarantine" }).click();
  await page.getByText("Nothing is in quarantine.").waitFor();
  expect(await violations(page)).toEqual([]);
});

test("a session that ended brings the log-in back", async () => {
  serveCity(mock, { role: "viewer" });
  const page = await openPage({ language: "en" });
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  serveCity(mock, undefined);
  // The page may find out by itself before a click would land.
  await page.evaluate("location.hash = '#/ledger'");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.getByText("Your session has ended.").waitFor();
});

test("logging out ends the session here and there", async () => {
  serveCity(mock, { role: "operator" });
  const page = await openPage({ language: "en" });
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  expect(await page.getByText("Your session has ended.").count()).toBe(0);
  expect(mock.writes.at(-1)).toMatchObject({ call: "DELETE /session", csrf: "1" });
  await expect.poll(() => mock.feeds()).toBe(0);
});
