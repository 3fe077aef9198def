import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultServer } from "./alerts-fixture.js";
import { LineServer } from "./influx-fixture.js";
import { testCity } from "./support/city.js";
import { runObieg } from "./support/command-line.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";
import { freePort } from "./support/port.js";

/** Everything that nobody may find where it doesn't belong; each is unlike any other text. */
const known: Record<string, string> = {
  BIN_SECRET: "device-secret-5e1f0c7a91",
  METER_SECRET: "device-secret-77b1d09e44",
  GATEWAY_SECRET: "gateway-secret-0a9c3d2e81",
  TOOLS_SECRET: "tools-secret-41f6e8b2c0",
  HOOK_SECRET: `whsec_${Buffer.from("webhook-secret-9d3b7f5a2c1e8460").toString("base64")}`,
  HOOK_PATH: "hook-path-secret-c2d4e6f8a0",
  INFLUX_TOKEN: "influx-token-3c5a7e9b1d2f",
  OBIEG_ADMIN_PASSWORD: "admin-password-6b8d0f2a4c",
  OBIEG_ADMIN_TOKEN: "admin-token-1a2b3c4d5e6f7a8b9c0d",
  WRONG_PASSWORD: "wrong-password-e7f9a1b3c5",
  WRONG_TOKEN: "wrong-token-b4d6f8a0c2e4",
  WRONG_SECRET: "wrong-secret-90a2b4c6d8",
  NEW_PASSWORD: "new-password-d1e3f5a7b9",
};
const rule =
  '{ id: bin-full, kind: threshold, class: bin, quantity: fill_percent, above: 90, severity: warning, title: { pl: "Pełny", en: "Full" } }';
const dir = makeFolder();
let influx: LineServer;
let hook: FaultServer;
let obieg: Obieg;
/** Whatever anybody could read: by the name of where it stood. */
const readable: [where: string, text: string][] = [];

/** Secrets that stand in what could be read, with the place. */
const found = (): string[] =>
  readable.flatMap(([where, text]) =>
    Object.entries(known)
      .filter(([, secret]) => text.includes(secret))
      .map(([name]) => `${name} in ${where}`),
  );

beforeAll(async () => {
  influx = await new LineServer().start();
  // A server that gives the token back in its words.
  influx.decide = () => ({ status: 401, body: `token ${known["INFLUX_TOKEN"]} is not authorized` });
  hook = await new FaultServer().start();
  hook.decide = () => ({ status: 500 });
  obieg = await startObieg({
    dir,
    city: testCity({
      rules: [rule],
      hookUrl: `${hook.url}/${known["HOOK_PATH"]}`,
      hooks: { gone: `http://127.0.0.1:${await freePort()}/${known["HOOK_PATH"]}` },
    }),
    config: `influx: { url: "${influx.url}", token: "\${INFLUX_TOKEN}" }\n`,
    env: known,
    logLevel: "trace",
  });
});
afterAll(async () => {
  await obieg.kill();
  await influx.stop();
  await hook.stop();
  removeFolder(dir);
});

const admin = { authorization: `Bearer ${known["OBIEG_ADMIN_TOKEN"]}` };
/** Calls the API; what it answers is for anybody to read. */
async function ask(
  method: string,
  path: string,
  headers: Record<string, string> = admin,
  body?: string,
): Promise<string> {
  const answer = await fetch(`${obieg.httpUrl}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  readable.push([`${method} ${path.split("?")[0]} (${answer.status})`, text]);
  return text;
}

test("no secret stands in a log, an answer, a figure, a file or a complaint, whatever fails", async () => {
  const mqtt = (username: string, password: string) =>
    connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, { username, password, reconnectPeriod: 0 });
  for (const user of ["bin-1", "nobody"])
    await expect(mqtt(user, known["WRONG_SECRET"] ?? "")).rejects.toThrow();
  const bin = await mqtt("bin-1", known["BIN_SECRET"] ?? "");
  await bin.publishAsync("readings/bin-1", '{"fill_percent": 95}', { qos: 1 });
  await bin.endAsync();

  const login = (user: string, password: string): Promise<string> =>
    ask("POST", "/api/v1/session", {}, JSON.stringify({ user, password }));
  await login("admin", known["WRONG_PASSWORD"] ?? "");
  await login("admin", known["OBIEG_ADMIN_PASSWORD"] ?? "");
  await ask("POST", "/api/v1/session", {}, `{"user": "admin", "password": ${known["WRONG_PASSWORD"]}}`);
  await ask("POST", "/api/v1/session", {}, `{"user": {"password": "${known["WRONG_PASSWORD"]}"}}`);
  await ask("GET", "/api/v1/devices", { authorization: `Bearer ${known["WRONG_TOKEN"]}` });
  await ask("GET", "/api/v1/devices", { authorization: `Basic ${known["WRONG_TOKEN"]}` });
  await ask("GET", `/api/v1/devices?token=${known["WRONG_TOKEN"]}`, {});
  await ask(
    "PUT",
    "/api/v1/users/zofia",
    admin,
    `{"role": "viewer", "password": "${known["NEW_PASSWORD"]}"}`,
  );
  await ask(
    "PUT",
    "/api/v1/users/jan",
    admin,
    `{"role": "none", "password": "${known["NEW_PASSWORD"]}", "x": 1}`,
  );

  // Made by the service and told once: from here on nobody may read them again.
  const { token } = JSON.parse(
    await ask("POST", "/api/v1/tokens", admin, '{"name": "grafana", "role": "viewer"}'),
  ) as { token: string };
  const { secret } = JSON.parse(await ask("POST", "/api/v1/devices/em-1/secret", admin, "{}")) as {
    secret: string;
  };
  readable.splice(-2);
  known["NEW_TOKEN"] = token;
  known["NEW_SECRET"] = secret;
  known["RUN_TOKEN"] = (
    JSON.parse(readFileSync(join(obieg.data, "run.json"), "utf8")) as { token: string }
  ).token;
  expect(statSync(join(obieg.data, "run.json")).mode & 0o777).toBe(0o600);
  expect(statSync(obieg.data).mode & 0o777).toBe(0o700);

  await until(
    async () => [hook.received.length, influx.requests.length],
    ([hooks = 0, writes = 0]) => hooks > 0 && writes > 0,
  );
  await until(
    () => ask("GET", "/api/v1/sinks"),
    (text) => text.includes("401"),
  );
  await until(
    () => ask("GET", "/api/v1/alerts"),
    (text) => text.includes("ECONNREFUSED") && text.includes("answered 500"),
  );
  for (const path of [
    "audit",
    "tokens",
    "users",
    "city",
    "devices",
    "overview",
    "quarantine",
    "sinks",
    "ledger",
  ])
    await ask("GET", `/api/v1/${path}`);
  for (const path of ["/metrics", "/readyz", "/openapi.json", `/api/v1/none?token=${known["WRONG_TOKEN"]}`])
    await ask("GET", path);

  const backup = join(dir, "backup");
  await ask("POST", "/api/v1/backup", admin, JSON.stringify({ dir: backup }));
  await obieg.stop();
  readable.push(["the log", obieg.log()], ["standard output", obieg.stdout()]);
  expect(obieg.log()).toContain("answered 500");
  expect(obieg.log()).toContain("wrong-secret");
  // The address of a webhook is part of the city file that an admin takes out.
  expect(found()).toEqual(["HOOK_PATH in GET /api/v1/city (200)"]);

  // On disk everything is hashed; the registry keeps channels as they are, because it signs with their secrets.
  const files = [obieg.data, backup].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  expect(files.length).toBeGreaterThan(6);
  readable.splice(0);
  readable.push(...files.map((file): [string, string] => [file, readFileSync(file, "latin1")]));
  const onDisk = new Set(found().map((one) => one.replace(/ in .*\/([^/]+)$/, " in $1")));
  expect([...onDisk].toSorted()).toEqual(["HOOK_PATH in works.mdb", "HOOK_SECRET in works.mdb"]);
}, 90_000);

test("a faulty file, a printed configuration and an exported city tell no secret", async () => {
  readable.splice(0);
  const files: [name: string, text: string][] = [
    [
      "wrong-place.yaml",
      `token: ${known["INFLUX_TOKEN"]}\ninflux: { url: nonsense, token: [${known["INFLUX_TOKEN"]}] }\n`,
    ],
    ["unclosed.yaml", `influx: { url: "http://127.0.0.1:1", token: "${known["INFLUX_TOKEN"]}\n`],
    [
      "in-address.yaml",
      `influx: { url: "http://obieg:${known["INFLUX_TOKEN"]}@127.0.0.1:1", token: "\${INFLUX_TOKEN}" }\n`,
    ],
    ["whole.yaml", `influx: { url: "http://127.0.0.1:1", token: "\${INFLUX_TOKEN}" }\n`],
  ];
  for (const [name, text] of files) {
    const file = join(dir, name);
    writeFileSync(file, text);
    for (const args of [
      ["check-config", file],
      ["print-config", "--config", file],
    ]) {
      const { code, stdout, stderr } = await runObieg(args, { env: known });
      expect(code, `${name}: ${stderr}`).toBe(name === "whole.yaml" ? 0 : 2);
      readable.push([`${args[0]} ${name}`, stdout + stderr]);
    }
  }
  const city = join(dir, "faulty-city.yaml");
  const faulty = testCity({ hookUrl: `http://user:${known["HOOK_PATH"]}@127.0.0.1/` })
    .replace('secret: "${BIN_SECRET}"', `secret: ["${known["BIN_SECRET"]}"]`)
    .replace('secret: "${GATEWAY_SECRET}"', `secret: "${known["GATEWAY_SECRET"]}", secretFile: /dev/null`)
    .replace('secret: "${HOOK_SECRET}"', `secret: "${(known["HOOK_SECRET"] ?? "").slice(6)}"`);
  writeFileSync(city, faulty);
  const started = await runObieg(
    ["start", "--data", join(dir, "other"), "--city", city, "--mqtt-port", "0", "--http-port", "0"],
    {
      env: known,
    },
  );
  expect(started.code).toBe(2);
  readable.push(["start with a faulty city", started.stdout + started.stderr]);
  known["HOOK_SECRET"] = (known["HOOK_SECRET"] ?? "").slice(6);
  expect(readable.at(-1)?.[1]).toContain("city-invalid");
  expect(found()).toEqual([]);
});
