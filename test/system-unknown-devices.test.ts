import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser } from "./support/browser.js";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { violations } from "./web-stand.js";

interface Stranger {
  identifier: string;
  scheme: string | null;
  text: string | null;
  format: string | null;
  user: string;
  topic: string;
  firstSeenAt: string;
  lastSeenAt: string;
  messages: number;
  payload: { text: string | null; bytes: number; truncated: boolean };
  suggestion: { id: string | null; class: string | null; quantities: string[]; unmapped: string[] };
}

const gateway = { user: "szkola", secret: "the secret of szkola" };
const devEui = "70B3D57ED0061234";
/** Where screenshots go when somebody wants to look at them. */
const shots = process.env["OBIEG_SCREENSHOTS"];
const hostile = "<img src=x onerror=document.title=1>\u05d0\u05d1\u05d2";
let obieg: Obieg;
let browser: Browser | undefined;

beforeAll(async () => {
  const city = testCity({
    credentials: [
      `{ user: szkola, secret: "${gateway.secret}", publishesFor: ["bin-*"], publish: ["tele/#", "v3/#", "zigbee2mqtt/#"] }`,
    ],
  });
  obieg = await startObieg({ city, env: secrets });
});
afterAll(async () => {
  await browser?.close();
  await obieg.stop();
  removeFolder(obieg.dir);
});

const publish = async (topic: string, payload: unknown): Promise<void> => {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  expect(await mosquittoPub(obieg.mqttPort, gateway, topic, text)).toMatchObject({ code: 0 });
};
const strangers = async (query = ""): Promise<Stranger[]> =>
  ((await obieg.api(`/api/v1/unknown-devices${query}`)).body as { items: Stranger[] }).items;
const heard = (identifier: string, messages = 1): Promise<Stranger[]> =>
  until(strangers, (list) => list.some((one) => one.identifier === identifier && one.messages >= messages));
const adopt = (body: object): ReturnType<Obieg["api"]> =>
  obieg.api("/api/v1/unknown-devices/adopt", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const readings = async (device: string): Promise<string[]> =>
  (
    (await obieg.api(`/api/v1/readings?device=${device}`)).body as {
      items: { quantity: string; value: number }[];
    }
  ).items.map(({ quantity, value }) => `${quantity} ${value}`);

test("a stranger is told with its format, gateway, last message, and what it most likely is", async () => {
  await publish("tele/tasmota_8F12A0/STATE", { Time: "2026-11-23T07:15:05", Wifi: { Signal: -61 } });
  await publish("tele/tasmota_8F12A0/SENSOR", {
    Time: "2026-11-23T07:15:10",
    ENERGY: { Total: 617.294, Power: 2635, Voltage: 227 },
    X7: { Dose: 3 },
  });
  const [stranger] = await heard("tasmota_8F12A0", 2);
  expect(stranger).toMatchObject({
    identifier: "tasmota_8F12A0",
    scheme: "topic",
    text: null,
    format: "tasmota",
    user: "szkola",
    topic: "tele/tasmota_8F12A0/SENSOR",
    messages: 2,
    suggestion: { id: "tasmota_8F12A0", class: "electricity-meter", unmapped: ["X7.Dose"] },
  });
  expect(stranger?.suggestion.quantities.toSorted()).toEqual([
    "energy_import_kwh",
    "power_w",
    "rssi_dbm",
    "voltage_v",
  ]);
  expect(Date.parse(stranger?.lastSeenAt ?? "")).toBeGreaterThanOrEqual(
    Date.parse(stranger?.firstSeenAt ?? ""),
  );
});

test("adopted in one step, it is found by the identifier that its format goes by, and its past is stored", async () => {
  const uplink = (fill: number): object => ({
    end_device_ids: { device_id: "kosz-przy-szkole", dev_eui: devEui },
    received_at: "2026-11-23T07:15:10Z",
    uplink_message: {
      f_port: 1,
      received_at: `2026-11-23T07:15:${fill}Z`,
      decoded_payload: { fill_percent: fill },
    },
  });
  await publish("v3/app@ttn/devices/kosz-przy-szkole/up", uplink(10));
  await publish("v3/app@ttn/devices/kosz-przy-szkole/up", uplink(20));
  const found = (await heard("kosz-przy-szkole", 2)).find(({ format }) => format === "things-stack");
  expect(found).toMatchObject({ scheme: "devEui", text: devEui, suggestion: { class: "bin" } });
  const done = await adopt({
    identifier: "kosz-przy-szkole",
    id: "bin-77",
    class: "bin",
    place: "krakow",
    name: "Kosz przy szkole",
  });
  expect([done.status, done.body]).toMatchObject([
    201,
    {
      replayed: 2,
      refused: 0,
      device: { id: "bin-77", name: "Kosz przy szkole", identifiers: { devEui } },
    },
  ]);
  expect((await readings("bin-77")).toSorted()).toEqual(["fill_percent 10", "fill_percent 20"]);
  expect((await strangers()).map(({ identifier }) => identifier)).not.toContain("kosz-przy-szkole");
  await publish("v3/app@ttn/devices/renamed/up", {
    ...uplink(30),
    end_device_ids: { device_id: "renamed", dev_eui: devEui.toLowerCase() },
  });
  await until(
    () => readings("bin-77"),
    (list) => list.includes("fill_percent 30"),
  );
  const accounts = (await obieg.api("/api/v1/ledger")).body as { items: { balanced: boolean }[] };
  expect(accounts.items.every(({ balanced }) => balanced)).toBe(true);
});

test("what can't be adopted is refused with what to do instead, and nothing changes", async () => {
  await publish("readings/bin-900", { fill_percent: 55 });
  const native = (await heard("bin-900")).find(({ identifier }) => identifier === "bin-900");
  expect(native).toMatchObject({ scheme: null, format: "native-json", suggestion: { id: "bin-900" } });
  const said = { class: "bin", place: "krakow" };
  const answers = [
    await adopt({ identifier: "nobody", id: "x", ...said }),
    await adopt({ identifier: "bin-900", id: "bin-901", ...said }),
    await adopt({ identifier: "tasmota_8F12A0", id: "bin-1", ...said }),
    await adopt({ identifier: "bin-900", id: "bin-900", class: "bin", place: "warszawa" }),
    await adopt({ identifier: "bin-900", id: "bin-900", class: "spaceship", place: "krakow" }),
    await adopt({ identifier: "bin-900", id: "bin-900", ...said, name: "a\u202eb" }),
  ];
  expect(answers.map(({ status, body }) => `${status} ${(body as { code: string }).code}`)).toEqual([
    "404 unknown-device-not-found",
    "422 native-id",
    "409 device-exists",
    "422 place-not-found",
    "422 device-invalid",
    "422 device-invalid",
  ]);
  expect((await obieg.api("/api/v1/devices/bin-900")).status).toBe(404);
  const done = await adopt({ identifier: "bin-900", id: "bin-900", ...said });
  expect(done.body).toMatchObject({ replayed: 1, refused: 0 });
  expect(await readings("bin-900")).toEqual(["fill_percent 55"]);
});

test("the list is read page by page, and a stranger whose messages are dismissed leaves it", async () => {
  for (const name of ["a", "b", "c", "d", "e"])
    await publish(`zigbee2mqtt/czujnik ${name}`, { temperature: 1 });
  await heard("czujnik e");
  const names: string[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const { body } = await obieg.api(`/api/v1/unknown-devices?limit=2&cursor=${encodeURIComponent(cursor)}`);
    const page = body as { items: Stranger[]; next: string | null };
    names.push(...page.items.map(({ identifier }) => identifier));
    cursor = page.next ?? undefined;
  }
  expect(names).toEqual((await strangers()).map(({ identifier }) => identifier));
  expect(names.slice(0, 5)).toEqual(["e", "d", "c", "b", "a"].map((name) => `czujnik ${name}`));
  await obieg.api("/api/v1/quarantine/dismiss", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason: "unknown-device", device: "czujnik c" }),
  });
  expect((await strangers()).map(({ identifier }) => identifier)).not.toContain("czujnik c");
});

const openPage = async (noise: string[]): Promise<Page> => {
  browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("401")) noise.push(message.text());
  });
  page.on("pageerror", (error) => noise.push(String(error)));
  page.on("dialog", (dialog) => noise.push(dialog.message()));
  await page.goto(`${obieg.httpUrl}/#/unknown-devices`);
  await page.getByLabel("Użytkownik").fill("admin");
  await page.getByLabel("Hasło").first().fill("a long enough password");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Nieznane urządzenia", level: 1 }).waitFor();
  return page;
};

test("an operator adopts a stranger on the page; a name and a message that would break the page are written out", async () => {
  await publish(`zigbee2mqtt/${hostile}`, '{"temperature": 19.5, "note": "\u202eevil\u2066<b>x</b>\u0085"}');
  await publish("zigbee2mqtt/Sala gimnastyczna", { temperature: 19.5, humidity: 41 });
  await heard("Sala gimnastyczna");
  const noise: string[] = [];
  const page = await openPage(noise);
  const look = async (name: string): Promise<void> => {
    expect((await violations(page)).map((found) => `${name}: ${found}`)).toEqual([]);
    if (shots === undefined) return;
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  };
  const hostileCard = page.locator("li.card").filter({ hasText: "<img src=x" });
  await hostileCard.getByRole("button", { name: "Pokaż surową wiadomość" }).click();
  expect(await hostileCard.getByRole("heading").innerText()).toBe(hostile);
  const raw = await hostileCard.locator("pre").innerText();
  expect(raw).toContain(String.raw`\u{202E}evil\u{2066}<b>x</b>\u{0085}`);
  expect(await page.locator("main").innerHTML()).not.toMatch(/[\u202e\u2066\u0085]/);
  expect(await page.locator("main img, main b").count()).toBe(0);
  await look("unknown-devices-pl");
  await page.getByRole("button", { name: "Dodaj: Sala gimnastyczna" }).click();
  const form = page.getByRole("form", { name: "Dodaj: Sala gimnastyczna" });
  expect(await form.getByLabel("Identyfikator").inputValue()).toBe("sala-gimnastyczna");
  // The kinds come with the vocabulary, a moment after the form.
  await form.locator("option[value=air-sensor]").waitFor({ state: "attached" });
  expect(await form.getByLabel("Rodzaj").inputValue()).toBe("air-sensor");
  await form.getByLabel("Nazwa (opcjonalnie)").fill("Sala, parter");
  await form.getByLabel("Miejsce").selectOption({ label: "Szkoła 25, XIII Podgórze" });
  await look("unknown-devices-form-pl");
  await form.getByRole("button", { name: "Dodaj i odtwórz przeszłość" }).click();
  await page.getByText("Dodano: sala-gimnastyczna. Odtworzono z kwarantanny: 1 pozycja").waitFor();
  expect(await page.getByRole("heading", { name: "Sala gimnastyczna" }).count()).toBe(0);
  await look("unknown-devices-done-pl");
  await page.getByRole("link", { name: "Pokaż urządzenie" }).click();
  await page.getByText("41").first().waitFor();
  const { body } = await obieg.api("/api/v1/devices/sala-gimnastyczna");
  expect(body).toMatchObject({ name: "Sala, parter", place: "krakow/podgorze/szkola-25" });
  await page.getByText("EN", { exact: true }).click();
  await page.goto(`${obieg.httpUrl}/#/unknown-devices`);
  await page.getByRole("heading", { name: "Unknown devices", level: 1 }).waitFor();
  await look("unknown-devices-en");
  await hostileCard.getByRole("button", { name: /^Dismiss: / }).click();
  await hostileCard.getByRole("button", { name: "Dismiss", exact: true }).click();
  await page.getByText("Dismissed: 1 item").waitFor();
  expect((await strangers()).map(({ identifier }) => identifier)).not.toContain(hostile);
  await page.goto(`${obieg.httpUrl}/#/quarantine`);
  await page.getByRole("heading", { name: "Quarantine", level: 1 }).waitFor();
  await page.locator("li.card").first().waitFor();
  await look("quarantine-en");
  expect(noise).toEqual([]);
});
