import { type Browser, chromium, type Page } from "playwright-core";

/** Opens Debian's browser. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

/** Logs in as `admin` at a service that speaks Polish, with a browser of its own, and looks at the list of alerts. */
export async function onAlerts<T>(
  url: string,
  password: string,
  look: (page: Page) => Promise<T>,
): Promise<T> {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.getByLabel("Użytkownik").fill("admin");
    await page.getByLabel("Hasło").first().fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Przegląd" }).waitFor();
    await page.goto(`${url}/#/alerts`);
    return await look(page);
  } finally {
    await browser.close();
  }
}
