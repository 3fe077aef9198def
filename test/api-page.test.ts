import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeServer, problemIn, startFakeServer } from "./support/fake-server.js";

let dir: string;
let server: FakeServer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "obieg-web-"));
  mkdirSync(join(dir, "web/assets"), { recursive: true });
  writeFileSync(join(dir, "secret.txt"), "not for you");
  writeFileSync(join(dir, "web/.env"), "not for you");
  writeFileSync(
    join(dir, "web/index.html"),
    '<!doctype html><meta name="csp-nonce" content="__NONCE__"><script nonce="__NONCE__" src="/assets/main-1a.js"></script>',
  );
  writeFileSync(join(dir, "web/assets/main-1a.js"), "export {};");
  writeFileSync(join(dir, "web/mark.svg"), "<svg/>");
  server = await startFakeServer({ webDir: join(dir, "web") });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const get = (url: string, accept = "text/html") => server.app.inject({ url, headers: { accept } });

test("each page has a nonce of its own, and the policy that names it lets nothing else in", async () => {
  const pages = [await get("/"), await get("/")];
  const nonces = pages.map((page) => {
    const nonce = /content="([^"]+)"/.exec(page.body)?.[1] ?? "";
    expect(page.body).not.toContain("__NONCE__");
    const policy = String(page.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src 'self' 'nonce-${nonce}'`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page.headers["cache-control"]).toBe("no-store");
    return nonce;
  });
  expect(nonces[0]).toMatch(/^[\w+/]{22}==$/);
  expect(nonces[0]).not.toBe(nonces[1]);
});

test("addresses that the page knows itself give the page; ours and files that aren't there don't", async () => {
  for (const url of ["/devices/bin-1", "/alerts?open=1", "/ledger"]) {
    const page = await get(url);
    expect([page.statusCode, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.body).not.toContain("__NONCE__");
  }
  for (const url of ["/api/v1/none", "/api", "/assets/none.js", "/none.png", "/index.html"])
    expect(problemIn(await get(url))).toMatchObject({ status: 404, code: "not-found" });
  // However the file's name is written, nobody gets it without its nonce.
  for (const url of [
    "//index.html",
    "/./index.html",
    "/assets/%2e%2e/index.html",
    "/%2e/index.html",
    "/index.html/.",
  ])
    expect((await get(url)).body).not.toContain("__NONCE__");
});

test("hashed files may be kept for ever, the others are asked for again", async () => {
  const asset = await get("/assets/main-1a.js", "*/*");
  expect([asset.statusCode, asset.headers["cache-control"]]).toEqual([
    200,
    "public, max-age=31536000, immutable",
  ]);
  expect(String(asset.headers["content-type"])).toContain("javascript");
  expect((await get("/mark.svg", "*/*")).headers["cache-control"]).toBe("no-cache");
});

test("no path leads out of the folder, or to what is hidden in it", async () => {
  for (const url of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets/..%5c..%5csecret.txt",
    "/.env",
  ]) {
    const answer = await get(url, "*/*");
    expect(answer.body).not.toContain("not for you");
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  }
});

test("every answer forbids sniffing, framing and telling where one came from", async () => {
  for (const url of [
    "/",
    "/healthz",
    "/metrics",
    "/api/v1/places",
    "/openapi.json",
    "/docs",
    "/mark.svg",
    "/api/v1/none",
  ]) {
    const { headers } = await get(url, "*/*");
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
    });
    expect(String(headers["content-security-policy"])).toContain("default-src 'none'");
  }
});

test("answers of the API are kept by nobody", async () => {
  const answer = await server.app.inject({
    url: "/api/v1/devices",
    headers: { authorization: `Bearer ${server.tokens.viewer}` },
  });
  expect(answer.headers["cache-control"]).toBe("no-store");
});

test("the description names every call with its role, shapes and faults, and the page of it lists them", async () => {
  const document = (await get("/openapi.json")).json<{
    openapi: string;
    paths: Record<
      string,
      Record<string, { summary?: string; responses: Record<string, unknown>; "x-role"?: string }>
    >;
  }>();
  expect(document.openapi).toBe("3.1.0");
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.values(item).map((operation) => ({ path, operation })),
  );
  for (const { operation } of operations) {
    expect(operation.summary).toBeTruthy();
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["4XX", "5XX"]));
  }
  expect(document.paths["/api/v1/tokens"]?.["post"]?.["x-role"]).toBe("admin");
  const docs = await get("/docs");
  for (const { path } of operations) expect(docs.body).toContain(path);
  expect(docs.body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  const nonce = /<style nonce="([^"]+)"/.exec(docs.body)?.[1] ?? "";
  expect(docs.headers["content-security-policy"]).toContain(`'nonce-${nonce}'`);
});

test("without a built page the API stands alone", async () => {
  const bare = await startFakeServer();
  const answer = await bare.app.inject({ url: "/", headers: { accept: "text/html" } });
  expect(problemIn(answer).code).toBe("not-found");
  await bare.close();
});
