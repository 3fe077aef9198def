import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

/** The credential that the README tells people to give to Home Assistant. */
const readme = readFileSync(join(import.meta.dirname, "../ingest/home-assistant/README.md"), "utf8");
const asTheReadmeSays = (/- (\{\s*user: home,.*?\})/s.exec(readme)?.[1] ?? "").replaceAll(/\s+/g, " ");
const home = { user: "home", secret: "the secret of home" };
const plugs = { user: "plugs", secret: "the secret of plugs" };
const tools = { user: "tools", secret: secrets.TOOLS_SECRET };
const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
const city = testCity({
  devices: [
    "{ id: plug-17, class: electricity-meter, place: krakow, identifiers: { topic: tasmota_8F12A0 } }",
  ],
  credentials: [
    asTheReadmeSays.replace("secretFile: secrets/home", `secret: "${home.secret}"`),
    `{ user: plugs, secret: "${plugs.secret}", publish: ["#"] }`,
  ],
});
const topic = "homeassistant/device/obieg/plug-17/config";
const dir = makeFolder();
let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ dir, city, config: "homeAssistant: { every: 1s }\n", env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(dir);
});

/** Retained messages that Debian's mosquitto_sub is given within a second, by topic. */
const retained = (login: { user: string; secret: string }): Promise<Map<string, string>> => {
  const as = ["-h", "127.0.0.1", "-p", String(obieg.mqttPort), "-u", login.user, "-P", login.secret];
  const filters = ["homeassistant/#", "latest/#", "presence/#"].flatMap((filter) => ["-t", filter]);
  return new Promise((resolve) => {
    execFile(
      "/usr/bin/mosquitto_sub",
      [...as, "-v", "--retained-only", "-W", "1", ...filters],
      (_error, stdout) =>
        resolve(
          new Map(
            stdout
              .split("\n")
              .filter((line) => line.includes(" "))
              .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
          ),
        ),
    );
  });
};

test("Home Assistant comes in with the credential of the README: its will and its word that it is there are taken", async () => {
  const will = ["--will-topic", "homeassistant/status", "--will-payload", "offline"];
  expect(await mosquittoPub(obieg.mqttPort, home, "homeassistant/status", "online", will)).toEqual({
    code: 0,
    output: "",
  });
});

test("Home Assistant's user finds a Tasmota plug: its description, its newest values, its presence", async () => {
  const sensor = { Time: "2026-11-23T07:15:10", ENERGY: { Total: 617.294, Power: 2635, Voltage: 227 } };
  await mosquittoPub(obieg.mqttPort, plugs, "tele/tasmota_8F12A0/LWT", "Online");
  await mosquittoPub(obieg.mqttPort, plugs, "tele/tasmota_8F12A0/SENSOR", JSON.stringify(sensor));
  const found = await until(
    () => retained(home),
    (all) => all.has("presence/plug-17"),
  );
  const { components, state_topic, availability } = JSON.parse(found.get(topic) ?? "{}") as {
    components: Record<string, object>;
    state_topic: string;
    availability: { topic: string }[];
  };
  expect(Object.keys(components)).toEqual(["energy_import_kwh", "power_w", "voltage_v"]);
  expect(components["energy_import_kwh"]).toMatchObject({
    name: "Energia pobrana",
    device_class: "energy",
    unit_of_measurement: "kWh",
    state_class: "total_increasing",
  });
  expect(JSON.parse(found.get(state_topic) ?? "{}")).toEqual({
    time: "2026-11-23T06:15:10.000Z",
    energy_import_kwh: 617.294,
    power_w: 2635,
    voltage_v: 227,
  });
  expect(found.get(availability[0]?.topic ?? "")).toBe("online");
});

test("who may not subscribe is told nothing, and nobody else publishes there", async () => {
  expect([...(await retained(tools)).keys()]).toEqual([]);
  for (const reserved of [topic, "latest/plug-17", "presence/plug-17"]) {
    const { code } = await mosquittoPub(obieg.mqttPort, plugs, reserved, "forged");
    expect([reserved, code === 0]).toEqual([reserved, false]);
  }
  const own = "homeassistant/sensor/0x00158d0001abcdef/power/config";
  expect((await mosquittoPub(obieg.mqttPort, plugs, own, "{}")).code).toBe(0);
});

test("a device that is removed while the service runs disappears, and all of them once announcing is switched off", async () => {
  await mosquittoPub(obieg.mqttPort, bin, "readings/bin-1", '{"fill_percent": 12}');
  await until(
    () => retained(home),
    (all) => all.has("latest/bin-1"),
  );
  await obieg.api("/api/v1/devices/plug-17", { method: "DELETE" });
  const left = await until(
    () => retained(home),
    (all) => !all.has(topic),
  );
  expect([...left.keys()].toSorted()).toEqual(["homeassistant/device/obieg/bin-1/config", "latest/bin-1"]);
  await obieg.stop();
  obieg = await startObieg({ dir, config: "logLevel: info\n", env: secrets });
  await until(
    () => retained(home),
    (all) => all.size === 0,
  );
});
