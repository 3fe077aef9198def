import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultServer } from "./alerts-fixture.js";
import { onAlerts } from "./support/browser.js";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { freePort } from "./support/port.js";

interface Delivery {
  status: string;
  state: string;
  attempts: number;
  fault: string | null;
  nextAt: string | null;
}
interface AlertDocument {
  id: string;
  device: string;
  delivery: Record<string, Delivery>;
}

const rule =
  '{ id: bin-full, kind: threshold, class: bin, quantity: fill_percent, above: 90, severity: warning, title: { pl: "Pełny kosz", en: "Bin full" } }';
/** One receiver a fault, and one that takes everything. */
const receivers = {
  crews: new FaultServer(),
  silent: new FaultServer(),
  moved: new FaultServer(),
  office: new FaultServer(),
};
const { crews, silent, moved, office } = receivers;
let obieg: Obieg;

beforeAll(async () => {
  for (const receiver of Object.values(receivers)) await receiver.start();
  crews.decide = () => ({ status: 500 });
  silent.decide = () => "hang";
  moved.decide = () => ({ status: 302, headers: { location: office.url } });
  obieg = await startObieg({
    city: testCity({
      rules: [rule],
      devices: ["{ id: bin-2, class: bin, place: krakow/podgorze, every: 15m }"],
      hookUrl: crews.url,
      hooks: {
        silent: silent.url,
        moved: moved.url,
        office: office.url,
        down: `http://127.0.0.1:${await freePort()}/hook`,
      },
    }),
    env: secrets,
  });
});
afterAll(async () => {
  await obieg.stop();
  for (const receiver of Object.values(receivers)) await receiver.stop();
  removeFolder(obieg.dir);
});

async function publish(device: string, fill: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "gw-1",
    password: secrets.GATEWAY_SECRET,
  });
  await client.publishAsync(`readings/${device}`, `{"fill_percent": ${fill}}`, { qos: 1 });
  await client.endAsync();
}
const alerts = async (): Promise<AlertDocument[]> =>
  ((await obieg.api("/api/v1/alerts")).body as { items: AlertDocument[] }).items;
const deliveryOf = async (device: string): Promise<Record<string, Delivery>> =>
  (await alerts()).find((alert) => alert.device === device)?.delivery ?? {};

/** What the page says of an alert, in Polish. */
const cardOf = (device: string): Promise<string> =>
  onAlerts(obieg.httpUrl, "a long enough password", async (page) => {
    const card = page.locator(".card").filter({ hasText: device });
    await card.getByText("answered 500").waitFor();
    return card.innerText();
  });

test("receivers that are down, silent, failing or moved delay no other, are tried again, and stand on the page with their fault and the next try", async () => {
  await publish("bin-1", 95);
  const seen = await until(
    () => deliveryOf("bin-1"),
    (delivery) =>
      delivery["office"]?.status === "delivered" &&
      delivery["mqtt"]?.status === "delivered" &&
      ["crews", "moved", "down"].every((channel) => (delivery[channel]?.attempts ?? 0) > 0),
  );
  expect(seen["silent"]).toMatchObject({ status: "pending", attempts: 0 });
  expect(seen["crews"]).toMatchObject({
    status: "pending",
    fault: "answered 500",
    nextAt: expect.any(String) as string,
  });
  expect(seen["moved"]).toMatchObject({
    status: "pending",
    fault: "answered 302, redirects aren't followed",
  });
  expect(seen["down"]?.fault).toMatch(/^ECONNREFUSED/);
  expect(office.story).toEqual(["bin-1 raised"]);

  await publish("bin-2", 96);
  await until(
    async () => office.story,
    (story) => story.length === 2,
  );
  await until(
    async () => silent.received,
    (received) => received.length === 2,
  );
  const card = await cardOf("bin-1");
  expect(card).toMatch(/Doręczanie zawodzi: (crews|moved|down)/);
  expect(card).toMatch(/crews\s+czeka, \d+\sprób\S*, answered 500, następna próba \d+ \S+ \d{4}, \d\d:\d\d/);
  expect(card).toMatch(/moved\s+czeka, .*answered 302, redirects aren't followed, następna próba/);
  expect(card).toMatch(/office\s+doręczono/);

  crews.decide = undefined;
  const healed = await until(
    () => deliveryOf("bin-1"),
    (delivery) => delivery["crews"]?.status === "delivered",
    30_000,
  );
  expect(healed["crews"]).toMatchObject({ state: "raised", nextAt: null });
  expect(healed["moved"]?.status).toBe("pending");
  const ids = crews.received
    .filter(({ alert }) => alert.device === "bin-1")
    .map(({ headers }) => headers["webhook-id"]);
  expect(ids.length).toBeGreaterThan(1);
  expect(new Set(ids).size).toBe(1);
  expect(office.story).toEqual(["bin-1 raised", "bin-2 raised"]);
});
