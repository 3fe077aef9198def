import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { openBrowser } from "./support/browser.js";
import { startWebMock, type WebMock } from "./web-mock.js";

const root = join(import.meta.dirname, "..");
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where screenshots go when somebody wants to look at them. */
const shots = process.env["OBIEG_SCREENSHOTS"];

/** A desk's screen and a telephone's. */
export const wide = { width: 1440, height: 900 };
export const narrow = { width: 390, height: 844 };

/** How a page is opened; wide and in New York unless told. */
export interface PageOptions {
  path?: string;
  size?: { width: number; height: number };
  language?: "pl" | "en";
  zone?: string;
}

/** The page, freshly built, before a stand-in of the service, in Debian's Chromium. */
export interface WebStand {
  readonly mock: WebMock;
  /** What the console of the newest page said, and what it asked of the outside. */
  readonly noise: readonly string[];
  openPage(options: PageOptions): Promise<Page>;
  closePages(): Promise<void>;
  close(): Promise<void>;
}

/** Builds the page and opens a browser. */
export async function openWebStand(): Promise<WebStand> {
  const folder = mkdtempSync(join(tmpdir(), "obieg-web-"));
  await build({
    root: join(root, "dashboards/web"),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true },
  });
  const mock = await startWebMock(folder);
  const browser = await openBrowser();
  if (shots !== undefined) mkdirSync(shots, { recursive: true });
  let contexts: BrowserContext[] = [];
  let noise: string[] = [];
  return {
    mock,
    get noise() {
      return noise;
    },
    async openPage(options) {
      const context = await browser.newContext({
        viewport: options.size ?? wide,
        timezoneId: options.zone ?? "America/New_York",
        reducedMotion: "reduce",
      });
      contexts.push(context);
      noise = [];
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") noise.push(message.text());
      });
      page.on("pageerror", (error) => noise.push(String(error)));
      page.on("request", (request) => {
        if (!request.url().startsWith(mock.url) && !request.url().startsWith("blob:"))
          noise.push(`outside: ${request.url()}`);
      });
      if (options.language !== undefined)
        await page.addInitScript(`localStorage.setItem("obieg.language", "${options.language}")`);
      await page.goto(`${mock.url}/#${options.path ?? "/"}`);
      return page;
    },
    async closePages() {
      await Promise.all(contexts.map((context) => context.close()));
      contexts = [];
    },
    async close() {
      await browser.close();
      await mock.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What axe finds wrong with a page. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)",
  );
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** Takes a picture of the page when somebody wants to look. */
export async function shoot(page: Page, name: string): Promise<void> {
  if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}
