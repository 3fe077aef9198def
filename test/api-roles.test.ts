import type { LightMyRequestResponse } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Role, roles } from "../dashboards/api.js";
import {
  cookieIn,
  type FakeServer,
  logIn,
  password,
  problemIn,
  startFakeServer,
} from "./support/fake-server.js";

type Least = Role | "anybody";
interface Call {
  /** Where it asks, when that isn't the path as described. */
  url?: string;
  least: Least;
  body?: object;
  csv?: string;
  takes: number;
}

/** Who may what: every call of the description, the least role that may make it, and what it answers then. */
const table: Readonly<Record<string, Call>> = {
  "GET /healthz": { least: "anybody", takes: 200 },
  "GET /readyz": { least: "anybody", takes: 200 },
  "GET /metrics": { least: "anybody", takes: 200 },
  "GET /openapi.json": { least: "anybody", takes: 200 },
  "GET /docs": { least: "anybody", takes: 200 },
  "GET /api/v1/session": { least: "anybody", takes: 200 },
  "POST /api/v1/session": { least: "anybody", body: { user: "anna", password }, takes: 200 },
  "DELETE /api/v1/session": { least: "anybody", takes: 204 },
  "GET /api/v1/quantities": { least: "public", takes: 200 },
  "GET /api/v1/places": { least: "public", takes: 200 },
  "PUT /api/v1/places/{id}": {
    url: "/api/v1/places/krakow%2Fpodgorze",
    least: "admin",
    body: { kind: "district", name: "Podgórze" },
    takes: 200,
  },
  "DELETE /api/v1/places/{id}": { url: "/api/v1/places/krakow%2Fwawel", least: "admin", takes: 204 },
  "GET /api/v1/devices": { least: "viewer", takes: 200 },
  "GET /api/v1/devices/{id}": { url: "/api/v1/devices/bin-1", least: "viewer", takes: 200 },
  "PUT /api/v1/devices/{id}": {
    url: "/api/v1/devices/bin-1",
    least: "admin",
    body: { class: "bin", place: "krakow" },
    takes: 200,
  },
  "DELETE /api/v1/devices/{id}": { url: "/api/v1/devices/bin-2", least: "admin", takes: 204 },
  "POST /api/v1/devices/import": {
    least: "admin",
    csv: "id,class,place\nbin-7,bin,krakow\n",
    takes: 200,
  },
  "POST /api/v1/devices/{id}/secret": { url: "/api/v1/devices/bin-1/secret", least: "admin", takes: 201 },
  "GET /api/v1/unknown-devices": { least: "viewer", takes: 200 },
  "GET /api/v1/unmapped-fields": { least: "viewer", takes: 200 },
  "POST /api/v1/unknown-devices/adopt": {
    least: "admin",
    body: { identifier: "Sala gimnastyczna", id: "sala", class: "air-sensor", place: "krakow" },
    takes: 201,
  },
  "GET /api/v1/readings": { url: "/api/v1/readings?device=bin-1", least: "viewer", takes: 200 },
  "POST /api/v1/readings/{device}": {
    url: "/api/v1/readings/bin-1",
    least: "operator",
    body: { fill_percent: 3 },
    takes: 202,
  },
  "POST /api/v1/airrohr": { least: "operator", body: { esp8266id: "1", sensordatavalues: [] }, takes: 202 },
  "GET /api/v1/series": {
    url: "/api/v1/series?device=bin-1&quantity=fill_percent&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z",
    least: "viewer",
    takes: 200,
  },
  "GET /api/v1/devices/{id}/meter": { url: "/api/v1/devices/em-1/meter", least: "viewer", takes: 200 },
  "GET /api/v1/devices/{id}/meter/entries": {
    url: "/api/v1/devices/em-1/meter/entries",
    least: "viewer",
    takes: 200,
  },
  "POST /api/v1/devices/{id}/meter/entries": {
    url: "/api/v1/devices/em-1/meter/entries",
    least: "admin",
    body: {
      quantity: "energy_import_kwh",
      kind: "corrected",
      from: "2026-11-23T10:00:00Z",
      to: "2026-11-23T11:00:00Z",
      amount: 2,
      why: "read wrong",
    },
    takes: 201,
  },
  "GET /api/v1/devices/{id}/intervals": {
    url: "/api/v1/devices/em-1/intervals?quantity=energy_import_kwh",
    least: "viewer",
    takes: 200,
  },
  "GET /api/v1/devices/{id}/amounts": {
    url: "/api/v1/devices/em-1/amounts?quantity=energy_import_kwh&from=2026-11-23T10:00:00Z&to=2026-11-23T11:00:00Z",
    least: "viewer",
    takes: 200,
  },
  "GET /api/v1/ledger": { least: "viewer", takes: 200 },
  "GET /api/v1/codecs": { least: "viewer", takes: 200 },
  "GET /api/v1/codecs/{model}": { url: "/api/v1/codecs/none", least: "viewer", takes: 404 },
  "PUT /api/v1/codecs/{model}": {
    url: "/api/v1/codecs/DIST",
    body: { script: "function Decoder() { return {}; }" },
    least: "admin",
    takes: 201,
  },
  "DELETE /api/v1/codecs/{model}": { url: "/api/v1/codecs/none", least: "admin", takes: 404 },
  "GET /api/v1/quarantine": { least: "viewer", takes: 200 },
  "GET /api/v1/quarantine/{id}": { url: "/api/v1/quarantine/1-1", least: "viewer", takes: 200 },
  "POST /api/v1/quarantine/replay": { least: "operator", body: { reason: "not-a-number" }, takes: 200 },
  "POST /api/v1/quarantine/dismiss": { least: "operator", body: { ids: ["9-9"] }, takes: 200 },
  "GET /api/v1/sinks": { least: "viewer", takes: 200 },
  "GET /api/v1/sinks/{name}/offenders": {
    url: "/api/v1/sinks/influxdb/offenders",
    least: "viewer",
    takes: 200,
  },
  "GET /api/v1/alerts": { least: "viewer", takes: 200 },
  "GET /api/v1/alerts/{id}": { url: "/api/v1/alerts/a1", least: "viewer", takes: 200 },
  "POST /api/v1/alerts/{id}/acknowledge": {
    url: "/api/v1/alerts/a1/acknowledge",
    least: "operator",
    body: {},
    takes: 200,
  },
  "GET /api/v1/overview": { least: "viewer", takes: 200 },
  "GET /api/v1/events": { least: "viewer", takes: 200 },
  "GET /api/v1/audit": { least: "admin", takes: 200 },
  "GET /api/v1/tokens": { least: "admin", takes: 200 },
  "POST /api/v1/tokens": { least: "admin", body: { name: "new", role: "viewer" }, takes: 201 },
  "DELETE /api/v1/tokens/{id}": { url: "/api/v1/tokens/none", least: "admin", takes: 404 },
  "GET /api/v1/users": { least: "admin", takes: 200 },
  "PUT /api/v1/users/{name}": {
    url: "/api/v1/users/wiktor",
    least: "admin",
    body: { role: "viewer" },
    takes: 200,
  },
  "DELETE /api/v1/users/{name}": { url: "/api/v1/users/nobody", least: "admin", takes: 404 },
  "GET /api/v1/city": { least: "admin", takes: 200 },
  "POST /api/v1/city": {
    url: "/api/v1/city?dryRun=true",
    least: "admin",
    body: { city: { name: "K", timeZone: "Europe/Warsaw" } },
    takes: 200,
  },
  "POST /api/v1/backup": { least: "admin", body: { dir: "/tmp/backup" }, takes: 200 },
};
const calls = Object.entries(table);
const isWrite = (call: string): boolean => !call.startsWith("GET ");

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer();
});
afterAll(() => server.close());

test("the table is the description: every call, and the role that it names", () => {
  const paths = server.app.swagger().paths ?? {};
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, { "x-role"?: Role }>).map(([method, operation]) => [
      `${method.toUpperCase()} ${path}`,
      operation["x-role"] ?? "anybody",
    ]),
  );
  const undescribed = [
    ["GET /openapi.json", "anybody"],
    ["GET /docs", "anybody"],
  ];
  const sorted = (rows: string[][]): string[] => rows.map((row) => row.join(": ")).sort();
  const told = calls.map(([call, { least }]) => [call, least]);
  expect(sorted(told)).toEqual(sorted([...described, ...undescribed]));
});

/** Makes a call with these headers; an endless answer is left after its head. */
async function ask(
  call: string,
  one: Call,
  headers: Record<string, string>,
): Promise<LightMyRequestResponse> {
  const [method, path] = call.split(" ") as ["GET" | "POST" | "PUT" | "DELETE", string];
  const request = {
    method,
    url: one.url ?? path,
    remoteAddress: `10.1.0.${calls.findIndex(([name]) => name === call)}`,
    ...(one.body ? { payload: one.body } : {}),
    ...(one.csv === undefined ? {} : { payload: one.csv }),
    headers: { ...headers, ...(one.csv === undefined ? {} : { "content-type": "text/csv" }) },
  };
  if (path !== "/api/v1/events") return server.app.inject(request);
  const answer = await server.app.inject({ ...request, payloadAsStream: true });
  if (answer.statusCode !== 200) return server.app.inject(request);
  answer.stream().destroy();
  return answer;
}

for (const [call, one] of calls) {
  const { least, takes } = one;
  test(`${call} is for ${least}${least === "anybody" || least === "admin" ? "" : " and above"}`, async () => {
    const asNobody = await ask(call, one, {});
    if (least === "anybody") expect(asNobody.statusCode).toBe(call === "GET /api/v1/session" ? 204 : takes);
    else {
      expect(asNobody.statusCode).toBe(401);
      expect(problemIn(asNobody).code).toBe("not-logged-in");
      expect(asNobody.headers["www-authenticate"]).toContain("Bearer");
    }
    for (const role of roles.toReversed()) {
      const answer = await ask(call, one, { authorization: `Bearer ${server.tokens[role]}` });
      if (least === "anybody" || roles.indexOf(role) >= roles.indexOf(least))
        expect([role, answer.statusCode]).toEqual([role, takes]);
      else {
        expect([role, answer.statusCode]).toEqual([role, 403]);
        expect(problemIn(answer).code).toBe("role-too-low");
      }
    }
  });
}

test("a wrong, a cut, a foreign and an expired credential are refused by every call, even where anybody may call", async () => {
  const { token: expired } = await server.users.tokens.create(
    { name: "expired", role: "admin", expiresMs: server.clock.ms },
    "test",
  );
  const wrong = [
    "Bearer wrong",
    "Bearer",
    "Basic YTpi",
    `Bearer ${server.tokens.admin}x`,
    `Bearer ${expired}`,
  ];
  for (const [call, one] of calls)
    for (const authorization of wrong) {
      const answer = await ask(call, one, { authorization });
      expect([call, authorization, answer.statusCode]).toEqual([call, authorization, 401]);
      expect(["token-unknown", "authorization-invalid"]).toContain(problemIn(answer).code);
    }
});

test("a write by an admin's cookie needs the header, a read doesn't; one from another site is refused", async () => {
  for (const [call, one] of calls) {
    const cookie = `obieg_session=${cookieIn(await logIn(server, "anna"))}`;
    const bare = await ask(call, one, { cookie });
    if (!isWrite(call)) {
      expect([call, bare.statusCode]).toEqual([call, one.takes]);
      continue;
    }
    expect([call, bare.statusCode]).toEqual([call, 403]);
    expect(problemIn(bare).code).toBe("csrf-header-missing");
    const crossed = await ask(call, one, { cookie, "x-obieg-csrf": "1", "sec-fetch-site": "cross-site" });
    expect([call, crossed.statusCode, problemIn(crossed).code]).toEqual([call, 403, "cross-site"]);
    const meant = await ask(call, one, { cookie, "x-obieg-csrf": "1", "sec-fetch-site": "same-origin" });
    expect([401, 403]).not.toContain(meant.statusCode);
  }
});

test("a cookie that nobody was given, and one of somebody removed, is nobody's", async () => {
  await server.users.put({ name: "gone", role: "admin", password });
  const left = cookieIn(await logIn(server, "gone"));
  await server.users.remove("gone");
  for (const [call, one] of calls)
    for (const cookie of ["obieg_session=x", `obieg_session=${left}`, `obieg_session=${"y".repeat(5_000)}`]) {
      const { statusCode } = await ask(call, one, { cookie, "x-obieg-csrf": "1" });
      const wanted = call === "GET /api/v1/session" ? 204 : one.takes;
      expect([call, statusCode]).toEqual([call, one.least === "anybody" ? wanted : 401]);
    }
});

test("a removed token and an expired one stop working at once", async () => {
  const make = async (more: object): Promise<{ id: string; token: string }> =>
    (
      await server.app.inject({
        method: "POST",
        url: "/api/v1/tokens",
        headers: { authorization: `Bearer ${server.tokens.admin}` },
        payload: { role: "viewer", ...more },
      })
    ).json();
  const read = async (token: string): Promise<number> =>
    (await server.app.inject({ url: "/api/v1/devices", headers: { authorization: `Bearer ${token}` } }))
      .statusCode;

  const short = await make({ name: "short", expiresInDays: 1 });
  const removed = await make({ name: "removed" });
  expect([await read(short.token), await read(removed.token)]).toEqual([200, 200]);
  await server.app.inject({
    method: "DELETE",
    url: `/api/v1/tokens/${removed.id}`,
    headers: { authorization: `Bearer ${server.tokens.admin}` },
  });
  server.clock.ms += 86_400_000;
  expect([await read(short.token), await read(removed.token)]).toEqual([401, 401]);
});

test("a token publishes for the devices it lists, and for no other", async () => {
  const { token } = await server.users.tokens.create(
    { name: "gateway", role: "viewer", publishesFor: ["bin-*"] },
    "test",
  );
  const send = async (device: string): Promise<number> =>
    (
      await server.app.inject({
        method: "POST",
        url: `/api/v1/readings/${device}`,
        headers: { authorization: `Bearer ${token}` },
        payload: { fill_percent: 1 },
      })
    ).statusCode;
  expect([await send("bin-7"), await send("em-1")]).toEqual([202, 403]);
});

test("with the city open, nobody in particular reads vocabulary and places, and no devices", async () => {
  const open = await startFakeServer({ open: true });
  const status = async (url: string): Promise<number> => (await open.app.inject({ url })).statusCode;
  expect([await status("/api/v1/places"), await status("/api/v1/quantities")]).toEqual([200, 200]);
  expect([await status("/api/v1/devices"), await status("/api/v1/readings")]).toEqual([401, 401]);
  await open.close();
});
