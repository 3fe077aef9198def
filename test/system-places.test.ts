import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg } from "./support/obieg.js";

const rule =
  "{ id: full, kind: threshold, place: krakow/podgorze/rynek, class: bin, quantity: fill_percent, above: 90, clear: 60, for: 0s, severity: warning, title: { pl: P, en: F } }";
let obieg: Obieg;

beforeAll(async () => {
  const city = testCity({ rules: [rule] }).replace(
    "devices:",
    "  - { id: krakow/podgorze/rynek, kind: site, name: Rynek }\ndevices:",
  );
  obieg = await startObieg({ city, env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const send = async (method: string, id: string, body?: object): Promise<[number, string]> => {
  const { status, body: answer } = await obieg.api(`/api/v1/places/${encodeURIComponent(id)}`, {
    method,
    ...(body ? { headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {}),
  });
  const { code, detail, name } = (answer ?? {}) as { code?: string; detail?: string; name?: string };
  return [status, code === undefined ? (name ?? "") : `${code}: ${detail ?? ""}`];
};
const names = async (): Promise<string[]> =>
  ((await obieg.api("/api/v1/places")).body as { items: { name: string }[] }).items.map(({ name }) => name);

test("a building is added below a district, a device stands in it, and what a place file says of both is exported", async () => {
  const id = "krakow/podgorze/przedszkole-3";
  const said = { kind: "building", name: "Przedszkole 3", at: [50.04, 19.95] };
  expect(await send("PUT", id, said)).toEqual([201, "Przedszkole 3"]);
  expect(await send("PUT", id, { ...said, name: "Przedszkole nr 3" })).toEqual([200, "Przedszkole nr 3"]);
  const added = await obieg.api("/api/v1/devices/wm-3", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ class: "water-meter", place: id }),
  });
  expect(added.status).toBe(201);
  const below = await obieg.api("/api/v1/devices?place=krakow/podgorze&class=water-meter");
  expect((below.body as { items: { id: string }[] }).items.map((one) => one.id)).toEqual(["wm-3"]);
  expect((await obieg.api("/api/v1/city")).text).toContain("Przedszkole nr 3");
});

test("a place that doesn't fit is refused with what to do, and one that is needed stays", async () => {
  const site = { kind: "site", name: "X" };
  expect(await send("PUT", "krakow/zablocie/fabryka", site)).toEqual([
    422,
    "place-invalid: id: its parent krakow/zablocie isn't among the places: add it first",
  ]);
  expect((await send("PUT", "krakow/Zabłocie", site))[1]).toContain("place-invalid: id: lower-case letters");
  expect((await send("PUT", "krakow/x", { kind: "planet", name: "X" }))[0]).toBe(400);
  expect(await send("DELETE", "krakow/podgorze/przedszkole-3")).toEqual([
    409,
    "place-in-use: krakow/podgorze/przedszkole-3 can't be removed: devices stand there (wm-3); move or remove them first",
  ]);
  expect((await send("DELETE", "krakow/podgorze"))[1]).toContain(
    "places stand in it (krakow/podgorze/szkola-25, krakow/podgorze/rynek, krakow/podgorze/przedszkole-3)",
  );
  expect((await send("DELETE", "krakow/podgorze/rynek"))[1]).toContain("rules name it (full)");
  expect((await send("DELETE", "krakow/nowhere"))[0]).toBe(404);
  await obieg.api("/api/v1/devices/wm-3", { method: "DELETE" });
  expect(await send("DELETE", "krakow/podgorze/przedszkole-3")).toEqual([204, ""]);
  expect(await names()).toEqual(["Kraków", "XIII Podgórze", "Szkoła 25", "Rynek"]);
});
