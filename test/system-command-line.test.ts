import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { runObieg } from "./support/command-line.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const bin = { user: "bin-1", secret: secrets.BIN_SECRET };
let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

/** Runs a command against the running service; fails unless it ends with `code`. */
const ask = async (args: string[], code = 0): Promise<string> => {
  const ended = await runObieg([...args, "--data", obieg.data], { env: secrets });
  expect(ended, ended.stderr).toMatchObject({ code });
  return code === 0 ? ended.stdout : ended.stderr;
};
const askJson = async (args: string[]): Promise<never> => JSON.parse(await ask([...args, "--json"])) as never;
const publish = async (payload: string): Promise<void> => {
  expect((await mosquittoPub(obieg.mqttPort, bin, "readings/bin-1", payload)).code).toBe(0);
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
  );
};

test("every command explains itself", async () => {
  const { stdout } = await runObieg(["--help"]);
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+)(?:\|[a-z-]+)?(?: \[options\])?(?: <\w+>)? +\S/gm)].map(
    ([, name]) => name ?? "",
  );
  expect(commands).toEqual(
    expect.arrayContaining([
      "start",
      "check-config",
      "print-config",
      "schema",
      "apply",
      "export-city",
      "simulate",
      "quarantine",
      "ledger",
      "journal",
      "device",
      "source",
      "export",
      "backup",
      "verify-backup",
      "token",
    ]),
  );
  for (const command of commands.filter((name) => name !== "help")) {
    const help = await runObieg([command, "--help"]);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain(`Usage: obieg ${command}`);
  }
}, 120_000);

test("a faulty configuration is refused with every fault, its line and its remedy, exit code 2", async () => {
  const file = join(obieg.dir, "faulty.yaml");
  writeFileSync(
    file,
    "mqtt:\n  port: 70000\nlimits:\n  messageBytes: much\nunheard: 1\nhistory: { memory: 400KB }\nhomeAssistant: { every: 60d }\ninflux: { url: nonsense, token: x }\n" +
      "http: { port: '${UNSET_PORT}', trustProxy: [proxy] }\n",
  );
  const { code, stderr } = await runObieg(["check-config", file]);
  expect(code).toBe(2);
  for (const part of [
    ...[2, 4, 5, 6, 7, 8, 9].map((line) => `faulty.yaml:${line}:`),
    "UNSET_PORT",
    "between 16MB and 64GB",
    "10.0.0.0/8",
    "between 1s and 1d",
    "unheard",
    "512MiB",
  ])
    expect(stderr).toContain(part);
  const started = await runObieg(["start", "--config", file, "--data", join(obieg.dir, "never")]);
  expect(started.code).toBe(2);
  expect(existsSync(join(obieg.dir, "never"))).toBe(false);
});

test("print-config prints a configuration that check-config takes, secrets masked", async () => {
  const file = join(obieg.dir, "given.yaml");
  writeFileSync(
    file,
    'influx: { url: "http://127.0.0.1:8086", token: "${TOKEN}" }\nlimits: { messageBytes: 64KiB }\n',
  );
  const { stdout } = await runObieg(["print-config", "--config", file], { env: { TOKEN: "very secret" } });
  expect(stdout).not.toContain("very secret");
  expect(stdout).toContain("messageBytes: 64KiB");
  const printed = join(obieg.dir, "printed.yaml");
  writeFileSync(printed, stdout);
  expect(await runObieg(["check-config", printed])).toMatchObject({ code: 0 });
});

test("schema prints what an editor checks the two files with", async () => {
  for (const which of ["config", "city"]) {
    const { stdout } = await runObieg(["schema", which]);
    expect(JSON.parse(stdout)).toMatchObject({ type: "object", properties: expect.any(Object) as object });
  }
});

test("apply shows what changes, changes nothing on a dry run, and a faulty file leaves the old city", async () => {
  const file = join(obieg.dir, "city.yaml");
  writeFileSync(file, testCity({ devices: ["{ id: bin-2, class: bin, place: krakow, every: 15m }"] }));
  expect(await ask(["apply", file, "--dry-run"])).toBe(
    "+ device bin-2\nwould be: 1 added, 0 changed, 0 removed; nothing was changed\n",
  );
  expect((await obieg.api("/api/v1/devices/bin-2")).status).toBe(404);
  expect(await ask(["apply", file])).toContain("applied: 1 added");
  expect((await obieg.api("/api/v1/devices/bin-2")).status).toBe(200);
  writeFileSync(
    file,
    "city: { name: K, timeZone: Nowhere }\nplaces:\n  - { id: A, kind: planet, name: x }\n",
  );
  const said = await ask(["apply", file], 2);
  for (const part of ["city.yaml:1:", "city.yaml:3:", "IANA"]) expect(said).toContain(part);
  expect((await obieg.api("/api/v1/devices/bin-2")).status).toBe(200);
});

test("export-city gives a city.yaml that applies without a change", async () => {
  const text = await ask(["export-city"]);
  for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
  const city = parse(text) as { credentials: { user: string; secretFile: string }[] };
  const names: Record<string, string> = {
    "bin-1": "BIN_SECRET",
    "em-1": "METER_SECRET",
    "gw-1": "GATEWAY_SECRET",
    tools: "TOOLS_SECRET",
  };
  mkdirSync(join(obieg.dir, "secrets"));
  for (const { user, secretFile } of city.credentials)
    writeFileSync(join(obieg.dir, secretFile), secrets[(names[user] ?? "") as keyof typeof secrets]);
  const file = join(obieg.dir, "exported.yaml");
  writeFileSync(file, text);
  expect(await ask(["apply", file, "--dry-run"])).toBe(
    "would be: 0 added, 0 changed, 0 removed; nothing was changed\n",
  );
});

test("device add gives a secret that works, rotate-secret ends it, remove takes it away", async () => {
  const added: { secret: string } = await askJson([
    "device",
    "add",
    "em-7",
    "--class",
    "electricity-meter",
    "--place",
    "krakow",
  ]);
  const publishAs = async (secret: string): Promise<number> =>
    (await mosquittoPub(obieg.mqttPort, { user: "em-7", secret }, "readings/em-7", '{"power_w": 5}')).code;
  expect(await publishAs(added.secret)).toBe(0);
  const rotated: { secret: string } = await askJson(["device", "rotate-secret", "em-7"]);
  expect(await publishAs(added.secret)).not.toBe(0);
  expect(await publishAs(rotated.secret)).toBe(0);
  expect(await ask(["device", "list", "--class", "electricity-meter"])).toMatch(
    /em-7 +electricity-meter +krakow/,
  );
  await ask(["device", "remove", "em-7"]);
  expect(await publishAs(rotated.secret)).not.toBe(0);
  expect(
    await ask(["device", "add", "em-8", "--class", "electricity-meter", "--place", "nowhere"], 1),
  ).toContain("place-not-found");
});

/** Of an hour ago: in no sealed day while the file runs. */
const observed = `${new Date(Date.now() - 3_600_000).toISOString().slice(0, 19)}Z`;

test("quarantine list, show, replay and dismiss; ledger; export", async () => {
  await publish(`{"time": "${observed}", "fill_percent": 41}`);
  await publish("\u001b[31mnot json");
  const [entry]: { id: string }[] = await askJson(["quarantine", "list"]);
  expect(await ask(["quarantine", "list"])).toContain("invalid-json");
  const shown = await ask(["quarantine", "show", entry?.id ?? ""]);
  expect(shown).toContain("not json");
  expect(shown).not.toContain("\u001b");
  expect(await ask(["quarantine", "replay", "--reason", "invalid-json"])).toContain("0 replayed, 1 refused");
  expect(await ask(["quarantine", "dismiss", entry?.id ?? ""])).toContain("1 dismissed");
  expect(await ask(["quarantine", "list"])).not.toContain("invalid-json");
  expect(await ask(["ledger", "--device", "bin-1"])).toMatch(/bin-1 .*yes/);
  const csv = await ask(["export", "readings", "--device", "bin-1", "--format", "csv"]);
  expect(csv.split("\r\n")[0]).toBe(
    "device,quantity,unit,time,value,attributes,receivedAt,sequence,outside,codec",
  );
  const out = join(obieg.dir, "out.ndjson");
  await ask(["export", "readings", "--device", "bin-1", "--format", "ndjson", "--out", out]);
  expect(JSON.parse(readFileSync(out, "utf8").trim().split("\n")[0] ?? "")).toMatchObject({
    device: "bin-1",
    value: 41,
  });
});

test("token create makes a token with its role alone, remove ends it", async () => {
  const made: { id: string; token: string } = await askJson([
    "token",
    "create",
    "--name",
    "reader",
    "--role",
    "viewer",
  ]);
  const status = async (path: string): Promise<number> =>
    (await fetch(`${obieg.httpUrl}/api/v1${path}`, { headers: { authorization: `Bearer ${made.token}` } }))
      .status;
  expect([await status("/devices"), await status("/audit")]).toEqual([200, 403]);
  expect(await ask(["token", "list"])).toContain("reader");
  await ask(["token", "remove", made.id]);
  expect(await status("/devices")).toBe(401);
});

test("a data folder in use is refused with the process that holds it", async () => {
  const { code, stderr } = await runObieg([
    "start",
    "--data",
    obieg.data,
    "--mqtt-port",
    "0",
    "--http-port",
    "0",
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain(`data-folder-in-use: ${obieg.data} is in use by process ${obieg.process.pid}`);
  expect(statSync(join(obieg.data, "run.json")).mode & 0o777).toBe(0o600);
});

test("a backup made while readings come, started in another folder, gives the same answers", async () => {
  const dir = join(obieg.dir, "backup");
  const simulated = runObieg([
    "simulate",
    "--url",
    `mqtt://127.0.0.1:${obieg.mqttPort}`,
    "--city",
    cityOfSimulation(),
    "--user",
    "gw-1",
    "--password",
    secrets.GATEWAY_SECRET,
    "--rate",
    "200",
    "--for",
    "3s",
    "--json",
  ]);
  await until(
    async () => (await obieg.api("/api/v1/readings?device=bin-1")).body as { items: unknown[] },
    ({ items }) => items.length > 100,
  );
  await ask(["backup", dir]);
  const report = JSON.parse((await simulated).stdout) as { acknowledged: number; sent: number };
  expect(report.acknowledged).toBe(report.sent);
  const verdict = await runObieg(["verify-backup", dir, "--json"]);
  expect(verdict.code).toBe(0);
  expect(JSON.parse(verdict.stdout)).toMatchObject({ faults: [] });

  const restored = join(obieg.dir, "restored");
  cpSync(dir, join(restored, "data"), { recursive: true });
  const copy = await startObieg({ dir: restored });
  const paths = ["/api/v1/devices/em-1", "/api/v1/places", "/api/v1/quarantine", "/api/v1/alerts"];
  for (const path of paths) expect((await copy.api(path)).text).toBe((await obieg.api(path)).text);
  const list = async (from: Obieg): Promise<string[]> =>
    (await from.api("/api/v1/readings?device=bin-1", { headers: { accept: "application/x-ndjson" } })).text
      .trim()
      .split("\n");
  const there = await list(copy);
  expect(there.length).toBeGreaterThan(100);
  expect(await list(obieg).then((all) => all.slice(0, there.length))).toEqual(there);
  expect((await mosquittoPub(copy.mqttPort, bin, "readings/bin-1", '{"fill_percent": 3}')).code).toBe(0);
  await copy.stop();

  appendFileSync(join(dir, "history.duckdb"), "x");
  const damaged = await runObieg(["verify-backup", dir]);
  expect(damaged.code).toBe(1);
  expect(damaged.stdout).toContain("history.duckdb: should have");
});

/** A city file with the bin alone, for the simulator. */
function cityOfSimulation(): string {
  const file = join(obieg.dir, "simulated.yaml");
  writeFileSync(
    file,
    "city: { name: K, timeZone: Europe/Warsaw }\nplaces: [{ id: krakow, kind: city, name: K }]\ndevices: [{ id: bin-1, class: bin, place: krakow, every: 15m }]\n",
  );
  return file;
}

test("journal verify names what is damaged and journal repair mends it", async () => {
  const dir = join(obieg.dir, "damaged");
  cpSync(join(obieg.data, "journal"), join(dir, "journal"), { recursive: true });
  const [name = ""] = readdirSync(join(dir, "journal"));
  const file = join(dir, "journal", name);
  const bytes = readFileSync(file);
  const at = bytes.indexOf(observed);
  bytes[at] = 0x39;
  writeFileSync(file, bytes);
  const verdict = await runObieg(["journal", "verify", "--data", dir]);
  expect(verdict.code).toBe(1);
  expect(verdict.stdout).toContain(`${name}: byte`);
  const repaired = await runObieg(["journal", "repair", "--data", dir]);
  expect(repaired.code, repaired.stderr).toBe(0);
  expect(repaired.stdout).toMatch(/[1-9]\d* messages saved/);
  expect(await runObieg(["journal", "verify", "--data", dir])).toMatchObject({ code: 0 });
  expect((await runObieg(["journal", "repair", "--data", obieg.data])).stderr).toContain(
    "data-folder-in-use",
  );
});
