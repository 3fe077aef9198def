import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sealedFilesIn } from "../ingest/stores/upkeep.js";
import { secrets, testCity } from "./support/city.js";
import { makeFolder, removeFolder, startObieg } from "./support/obieg.js";

const dir = makeFolder();
afterAll(() => removeFolder(dir));

test("a city's time zone isn't changed under a running service, nor at a start once days are sealed; its own is taken", async () => {
  const obieg = await startObieg({ dir, demo: true });
  expect(sealedFilesIn(join(obieg.data, "history")).length).toBeGreaterThan(0);
  const sent = await obieg.api("/api/v1/city", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ city: { name: "K", timeZone: "America/New_York" } }),
  });
  expect(sent).toMatchObject({ status: 409, body: { code: "time-zone-kept" } });
  await obieg.stop();

  const elsewhere = testCity().replace("Europe/Warsaw", "America/New_York");
  await expect(startObieg({ dir, city: elsewhere, env: secrets })).rejects.toThrow(
    /exited with 2 [\s\S]*time-zone-kept: city\.timeZone stays Europe\/Warsaw .*--data/,
  );
  const again = await startObieg({ dir, city: testCity(), env: secrets });
  expect((await again.api("/readyz")).status).toBe(200);
  await again.stop();
});
