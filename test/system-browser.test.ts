import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where screenshots go when somebody wants to look at them. */
const shots = process.env["OBIEG_SCREENSHOTS"];

let obieg: Obieg;
let browser: Browser;
let page: Page;
const noise: string[] = [];

beforeAll(async () => {
  obieg = await startObieg({ demo: true });
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  page.on("console", (message) => {
    // Before the log-in the page asks who is there and is told 401: the browser writes that down itself.
    if (message.type() === "error" && !message.text().includes("401")) noise.push(message.text());
  });
  page.on("pageerror", (error) => noise.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(obieg.httpUrl) && !request.url().startsWith("blob:"))
      noise.push(`outside: ${request.url()}`);
  });
  if (shots !== undefined) mkdirSync(shots, { recursive: true });
});
afterAll(async () => {
  await browser.close();
  await obieg.stop();
  removeFolder(obieg.dir);
});

const inspect = async (name: string): Promise<void> => {
  await page.evaluate(axeSource);
  const found = await page.evaluate<{ id: string; nodes: { html: string }[] }[]>(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)",
  );
  expect(found.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0]?.html ?? ""}`)).toEqual([]);
  if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`) });
};

test("an operator logs in and sees that the city is live, and that it is the demo", async () => {
  await page.goto(obieg.httpUrl);
  await page.getByLabel("Użytkownik").fill("admin");
  await page.getByLabel("Hasło").first().fill("a long enough password");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Przegląd" }).waitFor();
  await page.getByText("na żywo", { exact: true }).waitFor();
  await page.getByText("DEMO", { exact: true }).waitFor();
  await page.getByText("z 41 urządzeń").waitFor();
  await inspect("real-overview");
});

test("a value published by mosquitto_pub stands on the page within a moment", async () => {
  await page.goto(`${obieg.httpUrl}/#/devices`);
  const row = page.getByRole("row").filter({ hasText: "bin-0001" });
  await row.waitFor();
  await until(
    async () => {
      await mosquittoPub(obieg.mqttPort, undefined, "readings/bin-0001", '{"fill_percent": 87.25}');
      return row.innerText();
    },
    (text) => text.includes("87"),
  );
  await inspect("real-devices");
});

test("a device's values of the last day are drawn", async () => {
  await page.goto(`${obieg.httpUrl}/#/devices/bin-0001`);
  await page.locator(".chart canvas").first().waitFor();
  await inspect("real-device");
});

test("garbage stands in quarantine with its raw message, and its replay is answered", async () => {
  await mosquittoPub(obieg.mqttPort, undefined, "readings/bin-0001", "<b>not json</b>");
  await page.goto(`${obieg.httpUrl}/#/quarantine`);
  await page.getByText("invalid-json").first().waitFor();
  await page.getByRole("button", { name: "Pokaż surową wiadomość" }).first().click();
  await page.getByText("<b>not json</b>").first().waitFor();
  await page
    .getByRole("button", { name: /^Odtwórz: / })
    .first()
    .click();
  await page
    .getByText(/odrzucon/i)
    .first()
    .waitFor();
  await inspect("real-quarantine");
});

test("the ledger of the day is balanced, in Polish and in English", async () => {
  await page.goto(`${obieg.httpUrl}/#/ledger`);
  await page.locator("table").first().waitFor();
  await inspect("real-ledger");
  await page.getByText("EN", { exact: true }).click();
  await page.getByText("live", { exact: true }).waitFor();
  await inspect("real-ledger-en");
  expect(noise).toEqual([]);
});
