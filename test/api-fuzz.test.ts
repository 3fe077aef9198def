import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  bodiesFor,
  type Operation,
  requestsOf,
  type Schema,
  type WireRequest,
} from "./support/api-requests.js";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

/** Requests of each call, and where they begin. */
const requests = Number(process.env["OBIEG_FUZZ_REQUESTS"] ?? 40);
const seed = Number(process.env["OBIEG_FUZZ_SEED"] ?? 1);

interface Answer {
  status: number;
  type: string;
  text: string;
}
type Call = [method: string, path: string, operation: Operation];

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const compiled = new Map<Schema, ValidateFunction>();
const faultsOf = (schema: Schema, value: unknown): string => {
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  return validate(value) ? "" : ajv.errorsText(validate.errors);
};

let obieg: Obieg;
let calls: Call[];
let valued: (path: string) => Record<string, string[]>;

/** Sends bytes as they are: no client tidies the path. An endless answer is left after its first bytes. */
function send(method: string, { path, headers, body }: WireRequest, from: string): Promise<Answer> {
  const url = new URL(obieg.httpUrl);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: url.hostname,
        port: url.port,
        method,
        path,
        localAddress: from,
        agent: false,
        headers: { authorization: `Bearer ${obieg.token}`, "content-length": body?.length ?? 0, ...headers },
      },
      (response) => {
        let text = "";
        const type = (response.headers["content-type"] ?? "").split(";", 1)[0] ?? "";
        const done = (): void => resolve({ status: response.statusCode ?? 0, type, text });
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (type !== "text/event-stream") return;
          done();
          request.destroy();
        });
        response.on("end", done);
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** What is wrong with an answer; "" when it is as described. */
function wrongWith({ status, type, text }: Answer, path: string, operation: Operation): string {
  const described =
    operation.responses[String(status)] ?? operation.responses[`${Math.floor(status / 100)}XX`];
  if (status >= 500 && !(path === "/readyz" && status === 503)) return `${status}`;
  if (!described) return `status ${status} isn't described`;
  if (status === 204) return text === "" ? "" : "204 with a body";
  const schema = described.content?.[type]?.schema;
  if (!schema) return `${status} as ${type} isn't described`;
  if (status >= 400 && type !== "application/problem+json") return `a fault as ${type}`;
  if (!/^application\/(problem\+)?json$/.test(type)) return "";
  const value = JSON.parse(text) as { status?: unknown; code?: unknown };
  const faults = faultsOf(schema, value);
  if (faults !== "") return `the body breaks its description: ${faults}`;
  if (status < 400) return "";
  if (value.status !== status) return "another status in the problem";
  const isRefused = path !== "/api/v1/session" && (status === 401 || status === 429);
  return isRefused ? `an admin is refused: ${String(value.code)}` : "";
}

const city = testCity({
  rules: [
    "{ id: full, kind: threshold, class: bin, quantity: fill_percent, above: 90, clear: 60, for: 0s, severity: warning, title: { pl: P, en: F } }",
  ],
});

beforeAll(async () => {
  const nobody = "influx: { url: 'http://127.0.0.1:9', org: o, token: t, bucket: city }";
  obieg = await startObieg({ city, config: nobody, env: secrets });
  for (const payload of ['{"fill_percent": 40, "foo": 1}', "garbage", '{"fill_percent": 95}'])
    await obieg.api("/api/v1/readings/bin-1", { method: "POST", body: payload });
  const codec = await obieg.api("/api/v1/codecs/DIST", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(decoder),
  });
  expect(codec.status).toBe(201);
  await obieg.api("/api/v1/readings/bin-9", { method: "POST", body: '{"fill_percent": 40}' });
  const [alert, entry] = await until(
    async () =>
      Promise.all(
        ["/api/v1/alerts", "/api/v1/quarantine"].map(
          async (path) => ((await obieg.api(path)).body as { items: { id: string }[] }).items[0]?.id ?? "",
        ),
      ),
    (found) => found.every((id) => id !== ""),
  );
  const description = (await obieg.api("/openapi.json")).body as {
    paths: Record<string, Record<string, Operation>>;
  };
  const last = (method: string, path: string): boolean => method === "delete" || path === "/api/v1/city";
  calls = Object.entries(description.paths)
    .flatMap(([path, item]) => Object.entries(item).map(([method, one]): Call => [method, path, one]))
    .sort(([a, pathA], [b, pathB]) => Number(last(a, pathA)) - Number(last(b, pathB)));
  const common = {
    device: ["bin-1", "em-1", "bin-9"],
    place: ["krakow", "krakow/podgorze"],
    quantity: ["fill_percent", "battery_v"],
    limit: ["1", "1000"],
    from: ["2026-11-01T00:00:00Z"],
    to: ["2030-11-01T00:00:00+01:00"],
    step: ["day", "week", "400h"],
    tz: ["Europe/Warsaw", "Asia/Kathmandu"],
    name: ["ola"],
    topics: ["readings,alerts"],
    model: ["DIST"],
  };
  const ids: [part: string, ids: string[]][] = [
    ["/devices/", ["bin-1", "em-1"]],
    ["/places/", ["krakow/podgorze/nowy"]],
    ["/alerts/", [alert ?? ""]],
    ["/quarantine/", [entry ?? ""]],
  ];
  valued = (path) => ({
    ...common,
    ...(path.includes("/devices/") ? { quantity: ["energy_import_kwh"] } : {}),
    ...(path.includes("/sinks/") ? { name: ["influxdb"] } : {}),
    ...(path.endsWith("/ledger") ? { from: ["2026-11-01"], to: ["2026-11-09"] } : {}),
    id: ids.find(([part]) => path.includes(part))?.[1] ?? ["none"],
  });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

const decoder = { script: "function Decoder() { return {}; }", version: "1" };

/** Bodies that a call takes, of which it makes something. */
const examples: Readonly<Record<string, object[]>> = {
  "/api/v1/devices/{id}": [{ class: "bin", place: "krakow", at: [50, 19.9], everySeconds: 900 }],
  "/api/v1/devices/{id}/meter/entries": [
    {
      quantity: "energy_import_kwh",
      kind: "corrected",
      from: "2026-11-01T00:00:00Z",
      to: "2026-11-02T00:00:00Z",
      amount: -2.5,
      why: "zażółć 😀",
    },
  ],
  "/api/v1/codecs/{model}": [decoder],
  "/api/v1/alerts/{id}/acknowledge": [{}, { note: "zażółć 😀" }],
  "/api/v1/quarantine/replay": [{ device: "bin-1" }],
  "/api/v1/users/{name}": [{ role: "viewer", password: "a long password" }],
  "/api/v1/tokens": [{ name: "t", role: "viewer", publishesFor: ["bin-*"] }],
  "/api/v1/readings/{device}": [{ fill_percent: 43.2 }, [{ fill_percent: 1 }, { battery_v: "x" }]],
  "/api/v1/airrohr": [{ esp8266id: "1", sensordatavalues: [{ value_type: "SDS_P1", value: "18.45" }] }],
  "/api/v1/places/{id}": [{ kind: "site", name: "Nowy" }],
  "/api/v1/unknown-devices/adopt": [{ identifier: "bin-9", id: "bin-9", class: "bin", place: "krakow" }],
  "/api/v1/city": [{ city: { name: "K", timeZone: "Europe/Warsaw" } }],
};

const bytesOf = (body: unknown): Buffer => Buffer.from(JSON.stringify(body));

/** A backup goes where it is told: so it is told only places that can't be written, and new ones of the test's own. */
const backupBodies = (): fc.Arbitrary<Buffer> =>
  fc.oneof(
    fc
      .constantFrom("/proc/x", "/dev/null/x", "relative", "", "/\0", `/${"x".repeat(4_000)}`, obieg.data)
      .map((dir) => bytesOf({ dir })),
    fc.nat(1_000_000).map((n) => bytesOf({ dir: join(obieg.dir, "backups", String(n)) })),
    fc.nat(9).map((n) => bytesOf({ dir: join(obieg.data, "history", String(n)) })),
  );

/** Files of devices: some that are taken, and bytes. */
const fileBodies = (): fc.Arbitrary<Buffer> =>
  fc.oneof(
    fc
      .constantFrom("id,class,place\nbin-1,bin,krakow\n", "id;place\n;\n", 'id\n"', "- {", "a,b\n1\n", "")
      .map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );

function bodiesOf(path: string, operation: Operation): fc.Arbitrary<Buffer> | undefined {
  if (path === "/api/v1/devices/import") return fileBodies();
  if (path === "/api/v1/backup") return backupBodies();
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (!schema) return undefined;
  const any = bodiesFor(schema);
  const known = examples[path];
  return known ? fc.oneof(fc.constantFrom(...known).map(bytesOf), any) : any;
}

test(`no call answers ${requests} valid and hostile requests otherwise than described`, async () => {
  const taken = new Set<string>();
  for (const [index, [method, path, operation]] of calls.entries()) {
    const isCostly = /\/(session|backup|users\/\{name\})$/.test(path);
    await fc.assert(
      fc.asyncProperty(requestsOf(path, operation, valued(path), bodiesOf(path, operation)), async (wire) => {
        const answer = await send(method.toUpperCase(), wire, `127.0.1.${index + 1}`);
        const wrong = wrongWith(answer, path, operation);
        if (wrong !== "")
          throw new Error(`${method} ${wire.path.slice(0, 500)}: ${wrong}\n${answer.text.slice(0, 1_000)}`);
        if (answer.status < 300) taken.add(`${method} ${path}`);
      }),
      { seed, numRuns: isCostly ? Math.ceil(requests / 4) : requests },
    );
  }
  const never = calls.map(([method, path]) => `${method} ${path}`).filter((call) => !taken.has(call));
  // No password is guessed, and no id of a token.
  expect(never).toEqual(["post /api/v1/session", "delete /api/v1/tokens/{id}"]);
}, 300_000);

test("what isn't HTTP, or has endless headers, is answered as a problem", async () => {
  const { hostname, port } = new URL(obieg.httpUrl);
  for (const [bytes, status] of [
    ["\x16\x03\x01 hello\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400],
    [`GET /healthz?${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
  ] as const) {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(bytes);
    await once(socket, "close");
    const [head = "", body = ""] = text.split("\r\n\r\n");
    expect(head).toContain(`HTTP/1.1 ${status} `);
    expect(head).toContain("application/problem+json");
    expect(JSON.parse(body)).toMatchObject({ status });
  }
});

test("after all of it the service lives, logged no fault, and its ledger balances", async () => {
  expect((await obieg.api("/healthz")).status).toBe(200);
  const faults = obieg
    .log()
    .split("\n")
    .filter(
      (line) => (line !== "" && !line.startsWith("{")) || Number(/"level":(\d+)/.exec(line)?.[1]) >= 50,
    );
  expect(faults).toEqual([]);
  await until(
    async () => (await obieg.api("/metrics")).text,
    (text) => /^obieg_pipeline_lag_messages 0$/m.test(text),
  );
  const { items } = (await obieg.api("/api/v1/ledger")).body as { items: { balanced: boolean }[] };
  expect(items.length).toBeGreaterThan(0);
  expect(items.filter(({ balanced }) => !balanced)).toEqual([]);
});
