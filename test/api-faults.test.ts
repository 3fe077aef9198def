import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problemSchema } from "../dashboards/api.js";
import { statusOf } from "../dashboards/problem.js";
import {
  type Asked,
  askAsAdmin,
  type FakeServer,
  problemIn,
  startFakeServer,
} from "./support/fake-server.js";

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer();
});
afterAll(() => server.close());

const json = { "content-type": "application/json" };
const seriesUrl = "/api/v1/series?device=bin-1&quantity=fill_percent&from=2026-11-23T00:00:00Z";

const faults: [name: string, asked: Asked, status: number, code: string, path?: string][] = [
  ["an unknown path", { url: "/api/v1/nothing" }, 404, "not-found"],
  ["an unknown path outside", { url: "/nothing.txt" }, 404, "not-found"],
  [
    "a method that a path doesn't take",
    { method: "PATCH", url: "/api/v1/devices/bin-1" },
    405,
    "method-not-allowed",
  ],
  ["a broken percent-encoding", { url: "/api/v1/devices/%E0%A4%A" }, 400, "bad-url"],
  ["a limit above the most", { url: "/api/v1/readings?limit=10001" }, 400, "request-invalid", "/query/limit"],
  ["a limit of nothing", { url: "/api/v1/readings?limit=0" }, 400, "request-invalid", "/query/limit"],
  [
    "a time without offset",
    { url: "/api/v1/readings?from=2026-11-23T10:00:00" },
    400,
    "request-invalid",
    "/query/from",
  ],
  ["a day that there isn't", { url: "/api/v1/ledger?day=2026-02-30" }, 400, "request-invalid", "/query/day"],
  [
    "a ledger that ends before it begins",
    { url: "/api/v1/ledger?from=2026-03-02&to=2026-03-01" },
    400,
    "request-invalid",
    "/query/to",
  ],
  ["a foreign cursor", { url: "/api/v1/readings?cursor=abc" }, 400, "bad-cursor"],
  ["a foreign cursor of the registry", { url: "/api/v1/devices?cursor=-1" }, 400, "bad-cursor"],
  ["a foreign cursor of the audit", { url: "/api/v1/audit?cursor=x" }, 400, "bad-cursor"],
  ["an unknown place", { url: "/api/v1/devices?place=warszawa" }, 404, "place-not-found"],
  ["an unknown device", { url: "/api/v1/devices/bin-99" }, 404, "device-not-found"],
  [
    "a series of nothing",
    { url: "/api/v1/series?quantity=fill_percent&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z" },
    400,
    "request-invalid",
    "/query/device",
  ],
  ["a series without an end", { url: seriesUrl }, 400, "request-invalid", "/query/to"],
  [
    "a series that ends before it begins",
    { url: `${seriesUrl}&to=2026-11-22T00:00:00Z` },
    400,
    "request-invalid",
    "/query/to",
  ],
  [
    "a series of a million steps",
    { url: `${seriesUrl}&to=2027-11-23T00:00:00Z&step=1s` },
    400,
    "series-too-long",
    "/query/step",
  ],
  [
    "a step that isn't one",
    { url: `${seriesUrl}&to=2026-11-24T00:00:00Z&step=often` },
    400,
    "request-invalid",
    "/query/step",
  ],
  [
    "a time zone that there isn't",
    { url: `${seriesUrl}&to=2026-11-24T00:00:00Z&tz=Europe/Krakow` },
    400,
    "request-invalid",
    "/query/tz",
  ],
  [
    "a topic that there isn't",
    { url: "/api/v1/events?topics=gossip" },
    400,
    "request-invalid",
    "/query/topics/0",
  ],
  [
    "a body that isn't JSON",
    { method: "POST", url: "/api/v1/quarantine/replay", payload: "{", headers: json },
    400,
    "body-not-json",
  ],
  [
    "a body that isn't there",
    { method: "POST", url: "/api/v1/quarantine/replay", headers: json },
    400,
    "body-empty",
  ],
  [
    "a body that poisons prototypes",
    { method: "POST", url: "/api/v1/tokens", payload: '{"__proto__": {"role": "admin"}}', headers: json },
    400,
    "body-not-json",
  ],
  [
    "a body of another kind",
    { method: "POST", url: "/api/v1/tokens", payload: "<a/>", headers: { "content-type": "text/xml" } },
    415,
    "media-type",
  ],
  [
    "a body that is too large",
    { method: "POST", url: "/api/v1/tokens", payload: { name: "x".repeat(70_000) } },
    413,
    "body-too-large",
  ],
  [
    "a reading that is too large",
    { method: "POST", url: "/api/v1/readings/bin-1", payload: Buffer.alloc(300_000) },
    413,
    "body-too-large",
  ],
  ["a reading of nothing", { method: "POST", url: "/api/v1/readings/bin-1" }, 400, "body-empty"],
  [
    "a reading of a device that no topic can name",
    { method: "POST", url: "/api/v1/readings/bin%2B1", payload: {} },
    400,
    "request-invalid",
    "/params/device",
  ],
  [
    "a replay of everything",
    { method: "POST", url: "/api/v1/quarantine/replay", payload: {} },
    400,
    "request-invalid",
    "/body",
  ],
  [
    "a key that nobody knows",
    { method: "POST", url: "/api/v1/tokens", payload: { name: "a", role: "viewer", scope: "*" } },
    400,
    "request-invalid",
    "/body",
  ],
  [
    "a role that there isn't",
    { method: "POST", url: "/api/v1/tokens", payload: { name: "a", role: "root" } },
    400,
    "request-invalid",
    "/body/role",
  ],
  [
    "a token whose name is taken",
    { method: "POST", url: "/api/v1/tokens", payload: { name: "for-admin", role: "viewer" } },
    409,
    "token-exists",
  ],
  [
    "a device in no place",
    { method: "PUT", url: "/api/v1/devices/bin-5", payload: { class: "bin", place: "nowhere" } },
    422,
    "registry-unknown-place",
  ],
  [
    "a device beyond the pole",
    { method: "PUT", url: "/api/v1/devices/bin-5", payload: { class: "bin", place: "krakow", at: [91, 0] } },
    400,
    "request-invalid",
    "/body/at/0",
  ],
  [
    "a removal of what isn't there",
    { method: "DELETE", url: "/api/v1/devices/bin-5" },
    404,
    "device-not-found",
  ],
  [
    "an entry of quarantine that isn't there",
    { url: "/api/v1/quarantine/77-1" },
    404,
    "quarantine-not-found",
  ],
  ["an alert that isn't there", { url: "/api/v1/alerts/a9" }, 404, "alert-not-found"],
  [
    "an acknowledgement of what isn't there",
    { method: "POST", url: "/api/v1/alerts/a9/acknowledge", payload: {} },
    404,
    "alert-not-found",
  ],
  [
    "a list as something else",
    { url: "/api/v1/readings", headers: { accept: "image/png" } },
    406,
    "not-acceptable",
  ],
  [
    "a password that is short",
    { method: "PUT", url: "/api/v1/users/ola", payload: { role: "viewer", password: "short" } },
    400,
    "request-invalid",
    "/body/password",
  ],
  [
    "a user without one",
    { method: "PUT", url: "/api/v1/users/ola", payload: { role: "viewer" } },
    400,
    "password-missing",
  ],
  ["the last admin's removal", { method: "DELETE", url: "/api/v1/users/anna" }, 409, "last-admin"],
];

for (const [name, asked, status, code, path] of faults)
  test(`${name} is answered as ${status} ${code}`, async () => {
    const answer = await askAsAdmin(server, asked);
    const problem = problemSchema.strict().parse(problemIn(answer));
    expect(problem).toMatchObject({ status, code, type: `urn:obieg:problem:${code}` });
    expect(answer.statusCode).toBe(status);
    expect(problem.instance).not.toContain("?");
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    if (path !== undefined) expect(problem.faults?.map((fault) => fault.path)).toContain(path);
  });

test("the README lists every code that is told", () => {
  const readme = readFileSync(join(import.meta.dirname, "../dashboards/README.md"), "utf8");
  const told = new Set([...faults.map(([, , , code]) => code), ...Object.keys(statusOf)]);
  const missing = [...told].filter(
    (code) => !readme.includes(`\`${code}\``) && code !== "registry-unknown-place",
  );
  expect(missing).toEqual([]);
});
