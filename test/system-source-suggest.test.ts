import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { secrets, testCity } from "./support/city.js";
import { runObieg } from "./support/command-line.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const gateway = { user: "szkola", secret: "the secret of szkola" };
let obieg: Obieg;

const cityWith = (sources: string): string =>
  `${testCity({
    devices: [
      "{ id: plug-17, class: electricity-meter, place: krakow, model: MT681, identifiers: { topic: tasmota_8F12A0 } }",
      "{ id: plug-18, class: electricity-meter, place: krakow, model: MT681, identifiers: { topic: tasmota_8F12A1 } }",
      "{ id: sala, class: air-sensor, place: krakow, identifiers: { name: Sala } }",
    ],
    credentials: [`{ user: szkola, secret: "${gateway.secret}", publish: ["tele/#", "zigbee2mqtt/#"] }`],
  })}${sources}`;

beforeAll(async () => {
  obieg = await startObieg({
    city: cityWith("sources: [{ format: tasmota, map: [{ from: MT681.Old, ignore: true }] }]\n"),
    env: secrets,
  });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const publish = async (topic: string, payload: unknown): Promise<void> => {
  expect(await mosquittoPub(obieg.mqttPort, gateway, topic, JSON.stringify(payload))).toMatchObject({
    code: 0,
  });
};
const suggest = (...args: string[]): ReturnType<typeof runObieg> =>
  runObieg(["source", "suggest", "--data", obieg.data, ...args], { env: secrets });
const fields = async (): Promise<{ field: string; count: number; samples: object }[]> =>
  ((await obieg.api("/api/v1/unmapped-fields")).body as { items: [] }).items;

test("when every field has a quantity, it says so and proposes nothing", async () => {
  const { code, stdout, stderr } = await suggest();
  expect([code, stdout]).toEqual([0, ""]);
  expect(stderr).toContain("nothing to suggest");
});

test("it proposes what was seen, says how sure it is, and leaves to the person what only they can know", async () => {
  for (const [topic, total] of [
    ["tele/tasmota_8F12A0/SENSOR", 617_400],
    ["tele/tasmota_8F12A0/SENSOR", 617_500],
    ["tele/tasmota_8F12A1/SENSOR", 90_100],
  ] as const)
    await publish(topic, {
      Time: "2026-11-23T07:20:10",
      MT681: { Energy_in_Wh: total, Tariff: 2, Dose: 7.5, Old: 1 },
    });
  await publish("zigbee2mqtt/Sala", { temperature: 20, "#: {no2} \u202e\u0007": 12 });
  await until(fields, (list) => list.length >= 7);
  const { code, stdout } = await suggest();
  expect(code).toBe(0);
  const [tasmota, zigbee] = (parse(stdout) as { sources: { format: string; map: object[] }[] }).sources;
  expect(tasmota).toEqual({
    format: "tasmota",
    map: [
      { from: "MT681.Energy_in_Wh", quantity: "energy_import_wh", model: "MT681" },
      { from: "MT681.Tariff", ignore: true, model: "MT681" },
    ],
  });
  expect(zigbee).toEqual({ format: "zigbee2mqtt", map: [] });
  expect(stdout).toContain("# add to the map of source 1");
  expect(stdout).toContain("plug-17, plug-18: 3 times; seen 617400, 617500");
  expect(stdout).toMatch(/sure: its name says quantity and unit\n +- \{ from: MT681\.Energy_in_Wh/);
  expect(stdout).toMatch(/unsure: nothing in the vocabulary .*\n +# - \{ from: MT681\.Dose, quantity: "\?"/);
  expect(stdout).not.toMatch(/(?!\n)\p{C}/u);
  const [, hostile = ""] = /# - (\{ from: "#.*\})/.exec(stdout) ?? [];
  expect(parse(hostile)).toEqual({ from: "#: {no2} \u202e\u0007", quantity: "?" });
});

test("pasted into the city, what it proposes stores the fields that were waiting, and it proposes them no more", async () => {
  const { stdout } = await suggest("--source", "tasmota");
  expect(stdout).not.toContain("zigbee2mqtt");
  const file = join(obieg.dir, "city.yaml");
  writeFileSync(file, cityWith(stdout));
  const applied = await runObieg(["apply", file, "--data", obieg.data], { env: secrets });
  expect([applied.code, applied.stderr, readFileSync(file, "utf8").includes("MT681.Dose")]).toEqual([
    0,
    "",
    true,
  ]);
  await runObieg(["quarantine", "replay", "--reason", "unmapped-field", "--data", obieg.data]);
  const { body } = await obieg.api("/api/v1/readings?device=plug-17&quantity=energy_import_kwh");
  expect((body as { items: { value: number }[] }).items.map(({ value }) => value)).toEqual([617.4]);
  expect((await fields()).map(({ field }) => field)).not.toContain("MT681.Energy_in_Wh");
  const left = await suggest("--source", "tasmota");
  expect(left.stdout).not.toContain("Energy_in_Wh");
  expect(left.stdout).toContain("MT681.Dose");
});

test("it says what it counted when asked for JSON, and what to write instead when asked wrongly", async () => {
  const { stdout } = await suggest("--source", "tasmota", "--json");
  expect(JSON.parse(stdout)).toMatchObject(
    ["plug-17", "plug-18"].map((device) => ({
      device,
      field: "MT681.Dose",
      guess: { confidence: "unsure", quantity: null, ignore: false },
    })),
  );
  const wrong = await suggest("--source", "tasmotta");
  expect([wrong.code, wrong.stdout]).toEqual([1, ""]);
  expect(wrong.stderr).toMatch(/^obieg: bad-argument: there is no format tasmotta: write one of tasmota, /);
  const help = await runObieg(["source", "suggest", "--help"]);
  expect(help.stdout).toContain("--source <format>");
  const nobody = await runObieg(["source", "suggest", "--data", join(obieg.dir, "nothing")]);
  expect([nobody.code, nobody.stderr.startsWith("obieg: service-not-found: ")]).toEqual([1, true]);
});
