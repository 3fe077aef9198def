import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { quantityName } from "../dashboards/web/src/words/vocabulary.js";
import { openBrowser } from "./support/browser.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where screenshots go when somebody wants to look at them. */
const shots = process.env["OBIEG_SCREENSHOTS"];

let obieg: Obieg;
let browser: Browser;
let page: Page;
/** The demo's made-up past ends before it. */
let startedMs = 0;
const noise: string[] = [];

beforeAll(async () => {
  obieg = await startObieg({ demo: true });
  startedMs = Date.now();
  browser = await openBrowser();
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
  await page.getByText("z 46 urządzeń").waitFor();
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

/** Numbers as the page prints them in Polish, to what it rounds them. */
const isShown = (text: string, value: number, unit: string): boolean => {
  const [, number = "", sign = ""] = /^(-?[\d\s,]+?)\s?([^\d\s,]*)$/.exec(text.replace("−", "-")) ?? [];
  const size = Math.abs(value);
  const rounding = size >= 1_000 ? 0.5 : size >= 1 || size === 0 ? 0.05 : 0.000_5;
  const shown = Number(number.replaceAll(/\s/g, "").replace(",", "."));
  return number !== "" && sign === unit && Math.abs(shown - value) <= rounding + 1e-9;
};

test.each([
  ["pilot-em3", 14, "Pompy i wentylacja pływalni"],
  ["pilot-sml", 4, "Licznik dwukierunkowy bloku"],
  ["pilot-plug", 4, "Ekspres do kawy w magistracie"],
  ["pilot-bin", 8, "Dzwon na papier przy Zalewie"],
  ["pilot-heat", 6, "Węzeł cieplny pływalni"],
])(
  "%s stands on its page like a native one: all %i values that its own format brought, with units",
  async (id, count, name) => {
    const latest = async (): Promise<{ quantity: string; unit: string; value: number; time: string }[]> => {
      const { body } = await obieg.api(`/api/v1/devices/${id}`);
      return (body as { latest: { quantity: string; unit: string; value: number; time: string }[] }).latest;
    };
    await page.goto(`${obieg.httpUrl}/#/devices/${id}`);
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    await until(
      async () => {
        const [known, shown] = [await latest(), await page.locator("dl.values > div").allInnerTexts()];
        const rows = new Map(
          shown.map((row) => row.split("\n")).map(([label = "", text = ""]) => [label, text]),
        );
        return { known, rows };
      },
      ({ known, rows }) =>
        known.length === count &&
        rows.size === count &&
        // What is younger than the start came through the device's own format, not from the past.
        known.some(({ time }) => Date.parse(time) > startedMs) &&
        known.every(({ quantity, value, unit }) =>
          isShown(rows.get(quantityName(quantity, "pl")) ?? "", value, unit),
        ),
      90_000,
    );
    await page.locator(".chart canvas").first().waitFor();
    await inspect(`real-${id}`);
  },
  100_000,
);

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
