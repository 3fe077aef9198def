import { afterAll, beforeAll, expect, test } from "vitest";
import { overviewOf, serveCity } from "./web-city.js";
import { openWebStand, type WebStand } from "./web-stand.js";

let stand: WebStand;
beforeAll(async () => {
  stand = await openWebStand();
});
afterAll(() => stand.close());

test("damaged days of history stand first on the overview, with what brings them back", async () => {
  serveCity(stand.mock, { role: "viewer" });
  const damagedDays = Array.from({ length: 8 }, (_, n) => ({ file: `history/d${n}.parquet`, message: "" }));
  stand.mock.answer("GET /overview", () => overviewOf({ damagedDays }));
  const page = await stand.openPage({ language: "pl" });
  await page.getByRole("heading", { name: "Działaj teraz" }).waitFor();
  expect(await page.getByText("Uszkodzone dni historii").innerText()).toBe(
    "Uszkodzone dni historii: history/d0.parquet, history/d1.parquet, history/d2.parquet, history/d3.parquet, history/d4.parquet, history/d5.parquet, …; przywróć z kopii zapasowej: obieg history restore --from KOPIA",
  );
});

test("that the history's upkeep fails is told on the overview, with the reason", async () => {
  serveCity(stand.mock, { role: "viewer" });
  const upkeep = { code: "history-seal", message: "2026-06-05 isn't sealed: no space left on device" };
  stand.mock.answer("GET /overview", () => overviewOf({ upkeep }));
  const page = await stand.openPage({ language: "pl" });
  await page.getByRole("heading", { name: "Działaj teraz" }).waitFor();
  expect(await page.getByText("Porządkowanie historii").innerText()).toBe(
    `Porządkowanie historii nie powiodło się (nic nie ginie, kolejna próba za minutę): ${upkeep.message}`,
  );
});
