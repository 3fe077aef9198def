import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Ended, runObieg } from "./support/command-line.js";
import { mosquittoPub } from "./support/mosquitto.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

let obieg: Obieg;

beforeAll(async () => {
  obieg = await startObieg({ city: testCity(), env: secrets });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const importFile = (name: string, text: string, ...flags: string[]): Promise<Ended> => {
  const file = join(obieg.dir, name);
  writeFileSync(file, text);
  return runObieg(["devices", "import", file, "--data", obieg.data, ...flags], { env: secrets });
};
const send = (text: string, type: string, query = ""): ReturnType<Obieg["api"]> =>
  obieg.api(`/api/v1/devices/import${query}`, {
    method: "POST",
    headers: { "content-type": type },
    body: text,
  });
const ids = async (): Promise<string[]> =>
  ((await obieg.api("/api/v1/devices")).body as { items: { id: string }[] }).items.map(({ id }) => id);

const faulty =
  "id;class;place;devEui\nbin-2;bin;krakow;70B3D57ED0000002\nbin-3;bin;warszawa;x\nbin-4;bun;krakow;\n";

test("a file with a fault is reported line by line, ends with exit code 1, and changes nothing", async () => {
  const { code, stdout, stderr } = await importFile("faulty.csv", faulty);
  expect(code).toBe(1);
  const file = join(obieg.dir, "faulty.csv");
  expect(stdout.trim().split("\n")).toEqual([
    `${file}:3:4: devEui: devEui and mac are 6 to 8 bytes in hexadecimal (value-invalid)`,
    expect.stringMatching(/^\S+faulty\.csv:4:2: class: .+ \(value-invalid\)$/),
  ]);
  expect(stderr).toMatch(
    /^obieg: import-invalid: nothing was imported: 2 faults in 2 lines; the first in line 3/,
  );
  expect(await ids()).toEqual(["bin-1", "em-1"]);
  const { status, body } = await send(faulty, "text/csv; charset=utf-8");
  expect([status, body]).toMatchObject([
    422,
    {
      code: "import-invalid",
      faults: [
        { path: "/body", line: 3, column: 4, field: "devEui", code: "value-invalid" },
        { line: 4, column: 2, field: "class", code: "value-invalid" },
      ],
    },
  ]);
});

test("a dry run says what would change and changes nothing; the same file then does, and once more is no change", async () => {
  const text = "\ufeffid;class;place;name\r\nbin-1;;;Nowy kosz\r\nbin-20;bin;krakow;Śmietnik\r\n";
  const clearing = await importFile("clearing.csv", text, "--dry-run");
  expect([clearing.code, clearing.stdout.includes("clearing.csv:2:2: class: ")]).toEqual([1, true]);
  const file = "id;class;place;name\r\nbin-1;bin;krakow;Nowy kosz\r\nbin-20;bin;krakow;Śmietnik\r\n";
  const dry = await importFile("two.csv", file, "--dry-run");
  expect([dry.code, dry.stdout]).toEqual([
    0,
    "would be: 1 added, 1 changed, 0 as they were, of 2; nothing was changed\n",
  ]);
  expect(await ids()).toEqual(["bin-1", "em-1"]);
  const done = await importFile("two.csv", file, "--json");
  expect(JSON.parse(done.stdout)).toEqual({
    rows: 2,
    added: 1,
    changed: 1,
    unchanged: 0,
    applied: true,
    faults: [],
    faultCount: 0,
  });
  const { body } = await obieg.api("/api/v1/devices/bin-1");
  expect(body).toMatchObject({
    name: "Nowy kosz",
    fraction: "bio",
    everySeconds: 900,
    capacityLitres: 1_100,
  });
  const again = await importFile("two.csv", file);
  expect(again.stdout).toBe("imported: 0 added, 0 changed, 2 as they were, of 2\n");
  const { items } = (await obieg.api("/api/v1/audit")).body as {
    items: { action: string; detail: object }[];
  };
  expect(items.find(({ action }) => action === "devices.import")?.detail).toMatchObject({
    added: 1,
    changed: 1,
  });
});

test("rows without a fault are taken where that is asked for, and the others shown", async () => {
  const { code, stdout } = await importFile("faulty.csv", faulty, "--skip-faulty");
  expect(code).toBe(1);
  expect(stdout).toContain("faulty.csv:3:4: devEui: ");
  expect(stdout).toMatch(/imported: 1 added, 0 changed, 0 as they were, of 3\n$/);
  expect(await ids()).toEqual(["bin-1", "bin-2", "bin-20", "em-1"]);
});

test("an import says when messages of unknown devices wait, and the command that it names takes those of its devices", async () => {
  const gateway = { user: "gw-1", secret: secrets.GATEWAY_SECRET };
  for (const bin of ["bin-30", "bin-31"])
    await mosquittoPub(obieg.mqttPort, gateway, `readings/${bin}`, '{"fill_percent": 12}');
  const waiting = async (): Promise<string[]> =>
    ((await obieg.api("/api/v1/quarantine?status=open")).body as { items: { device: string }[] }).items.map(
      ({ device }) => device,
    );
  await until(waiting, (list) => list.length === 2);
  const { stdout } = await importFile("late.csv", "id,class,place\nbin-30,bin,krakow\n");
  const [, command = ""] = /are known now: obieg (.+)$/m.exec(stdout) ?? [];
  const done = await runObieg([...command.split(" "), "--data", obieg.data], { env: secrets });
  expect(done.stdout).toBe("1 replayed, 1 refused once more\n");
  expect(await waiting()).toEqual(["bin-31"]);
  const { body } = await obieg.api("/api/v1/readings?device=bin-30");
  expect(body).toMatchObject({ items: [{ quantity: "fill_percent", value: 12 }] });
  await obieg.api("/api/v1/devices/bin-30", { method: "DELETE" });
});

test("what is exported as CSV is imported again without a change", async () => {
  await send('- { id: bin-2, name: "=1+1", model: "@x, \\"y\\"", at: [50.1, 19.9] }', "application/yaml");
  const register = '{ serial: "9-1", digits: 6, maxRate: 50, installed: "2024-05-01T10:00:00+02:00" }';
  const meter = `meter: { registers: { energy_import_kwh: ${register} } }`;
  const metered = `- { id: em-1, commissioned: "2024-05-01T10:00:00Z", ${meter} }`;
  expect((await send(metered, "application/yaml")).body).toMatchObject({ changed: 1 });
  const out = join(obieg.dir, "out.csv");
  await runObieg(["export", "devices", "--out", out, "--data", obieg.data]);
  const { stdout } = await runObieg(["device", "import", out, "--data", obieg.data]);
  expect(stdout).toMatch(/^imported: 0 added, 0 changed, 4 as they were, of 4\n/);
});

test("five thousand rows are imported, and each is found by its identifier", async () => {
  const rows = Array.from(
    { length: 5_000 },
    (_, n) => `x-${n};bin;krakow;${(n + 1).toString(16).padStart(16, "0")};15m`,
  );
  const { code, stdout } = await importFile("many.csv", `id;class;place;devEui;every\n${rows.join("\n")}\n`);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^imported: 5000 added, 0 changed, 0 as they were, of 5000\n/),
  ]);
  const { body } = await obieg.api("/api/v1/devices/x-4999");
  expect(body).toMatchObject({ identifiers: { devEui: "0000000000001388" }, everySeconds: 900 });
});

test("what can't be a file of devices is refused with what to do instead", async () => {
  const answers = [
    await send("id\nx", "application/json"),
    await send("", "text/csv"),
    await send("a,b\n1,2\n", "text/csv"),
    await send("[", "application/yaml"),
    await send("id\n", "text/csv", "?dryRun=perhaps"),
  ];
  expect(answers.map(({ status, body }) => `${status} ${(body as { code: string }).code}`)).toEqual([
    "415 media-type",
    "400 body-empty",
    "422 import-invalid",
    "422 import-invalid",
    "400 request-invalid",
  ]);
  const named = await importFile("devices.xlsx", "x");
  expect([named.code, named.stderr]).toEqual([1, expect.stringContaining("bad-argument: ")]);
  const gone = await runObieg(["devices", "import", join(obieg.dir, "none.csv"), "--data", obieg.data]);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("none.csv can't be read")]);
  const help = await runObieg(["devices", "import", "--help"]);
  expect(help.stdout).toContain("an empty cell takes away what is known");
});
