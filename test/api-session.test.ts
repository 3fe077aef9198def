import { afterEach, beforeEach, expect, test } from "vitest";
import {
  cookieIn,
  type FakeServer,
  logIn,
  password,
  problemIn,
  startFakeServer,
} from "./support/fake-server.js";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

const hourMs = 3_600_000;
const whoAmI = (id: string) => server.app.inject({ url: "/api/v1/session", cookies: { obieg_session: id } });
const dismiss = (id: string, headers: Record<string, string>) =>
  server.app.inject({
    method: "POST",
    url: "/api/v1/quarantine/dismiss",
    cookies: { obieg_session: id },
    headers,
    payload: { ids: ["1-1"] },
  });

test("a login sets a cookie that no script, no other site and no log can read", async () => {
  const answer = await logIn(server, "olga");
  expect(answer.json()).toEqual({ user: "olga", role: "operator" });
  const set = String(answer.headers["set-cookie"]);
  expect(set).toMatch(/^obieg_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const who = await whoAmI(cookieIn(answer));
  expect(who.json()).toEqual({ user: "olga", role: "operator" });
  const text = server.logged.join("\n");
  expect(text).not.toContain(cookieIn(answer));
  expect(text).not.toContain(password);
});

test("who am I is answered with nothing when nobody is logged in", async () => {
  const nobody = await server.app.inject({ url: "/api/v1/session" });
  expect([nobody.statusCode, nobody.body]).toEqual([204, ""]);
  expect((await whoAmI("made-up")).statusCode).toBe(204);
});

test("a login behind a proxy that speaks TLS sets a cookie for TLS alone", async () => {
  const proxied = await startFakeServer({ trustProxy: ["127.0.0.1"] });
  const answer = await proxied.app.inject({
    method: "POST",
    url: "/api/v1/session",
    headers: { "x-forwarded-proto": "https", "x-forwarded-for": "10.1.2.3" },
    payload: { user: "olga", password },
  });
  expect(String(answer.headers["set-cookie"])).toContain("Secure");
  expect(proxied.users.audit.list({ limit: 10, after: 0 }).items.at(-1)?.address).toBe("10.1.2.3");
  await proxied.close();
});

test("a wrong password and an unknown user are told in the same words, and noted", async () => {
  const wrong = problemIn(await logIn(server, "olga", "wrong"));
  const unknown = problemIn(await logIn(server, "nobody", "wrong"));
  expect(wrong).toEqual(unknown);
  expect(wrong).toMatchObject({ status: 401, code: "login-wrong" });
  const noted = server.users.audit.list({ limit: 10, after: 0, action: "session.refused" }).items;
  expect(noted.map(({ target, address }) => [target, address])).toEqual([
    ["olga", "10.0.0.1"],
    ["nobody", "10.0.0.1"],
  ]);
  expect(JSON.stringify(noted)).not.toContain("wrong");
});

test("a write by cookie without the header is refused, and does nothing", async () => {
  const id = cookieIn(await logIn(server, "olga"));
  const forged = await dismiss(id, {});
  expect(problemIn(forged)).toMatchObject({ status: 403, code: "csrf-header-missing" });
  expect(server.view.quarantined[0]?.status).toBe("open");
  expect((await dismiss(id, { "x-obieg-csrf": "0" })).statusCode).toBe(403);
  expect((await dismiss(id, { "x-obieg-csrf": "1" })).json()).toEqual({ dismissed: 1 });
  expect(server.view.quarantined[0]?.changedBy).toBe("olga");
});

test("a write that the browser marks as coming from another site is refused, a login too", async () => {
  const answer = await server.app.inject({
    method: "POST",
    url: "/api/v1/session",
    headers: { "sec-fetch-site": "cross-site" },
    payload: { user: "olga", password },
  });
  expect(problemIn(answer)).toMatchObject({ status: 403, code: "cross-site" });
  const form = await server.app.inject({
    method: "POST",
    url: "/api/v1/session",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    payload: `user=olga&password=${password}`,
  });
  expect(problemIn(form)).toMatchObject({ status: 415, code: "media-type" });
});

test("after too many failed logins of a user, from anywhere, even the right password waits", async () => {
  for (let n = 0; n < 10; n += 1)
    expect((await logIn(server, "olga", "wrong", `10.0.1.${n}`)).statusCode).toBe(401);
  const refused = await logIn(server, "olga", password, "10.0.2.1");
  expect(problemIn(refused)).toMatchObject({ status: 429, code: "login-too-often" });
  expect(refused.headers["retry-after"]).toBe("900");
  expect((await logIn(server, "anna")).statusCode).toBe(200);
  server.clock.ms += 900_000;
  expect((await logIn(server, "olga")).statusCode).toBe(200);
});

test("an address that tries many users is stopped, and another isn't", async () => {
  for (let n = 0; n < 30; n += 1) await logIn(server, `guess-${n}`, "wrong", "10.9.9.9");
  expect((await logIn(server, "anna", password, "10.9.9.9")).statusCode).toBe(429);
  for (let n = 0; n < 30; n += 1) await logIn(server, `other-${n}`, "wrong", `2001:db8:0:7::${n + 1}`);
  expect((await logIn(server, "anna", password, "2001:db8:0:7:ab::1")).statusCode).toBe(429);
  expect((await logIn(server, "anna")).statusCode).toBe(200);
});

test("who guesses tokens is stopped, even with a right one; a token in use there goes on, and so does everybody elsewhere", async () => {
  const ask = (token: string, remoteAddress = "10.9.9.9") =>
    server.app.inject({
      url: "/api/v1/devices",
      headers: { authorization: `Bearer ${token}` },
      remoteAddress,
    });
  expect((await ask(server.tokens.viewer)).statusCode).toBe(200);
  for (let n = 0; n < 30; n += 1)
    expect(problemIn(await ask(`guess-${n}`))).toMatchObject({ status: 401, code: "token-unknown" });
  const refused = await ask("guess-30");
  expect(problemIn(refused)).toMatchObject({ status: 429, code: "login-too-often" });
  expect(refused.headers["retry-after"]).toBe("900");
  expect((await ask(server.tokens.admin)).statusCode).toBe(429);
  expect((await ask(server.tokens.viewer)).statusCode).toBe(200);
  expect((await ask(server.tokens.admin, "10.9.9.8")).statusCode).toBe(200);
  expect((await logIn(server, "anna", password, "10.9.9.9")).statusCode).toBe(200);
  server.clock.ms += 900_000;
  expect((await ask(server.tokens.admin)).statusCode).toBe(200);
});

test("calls that are refused are counted as calls", async () => {
  const few = await startFakeServer({ limits: { callsPerMinute: 20 } });
  const codes: number[] = [];
  for (let n = 0; n < 25; n += 1) codes.push((await few.app.inject({ url: "/api/v1/devices" })).statusCode);
  expect(codes).toEqual([...Array<number>(20).fill(401), ...Array<number>(5).fill(429)]);
  await few.close();
});

test("a clock that jumps back doesn't lock anybody out", async () => {
  for (let n = 0; n < 10; n += 1) await logIn(server, "olga", "wrong", `10.0.1.${n}`);
  server.clock.ms -= hourMs;
  const answer = await logIn(server, "olga");
  expect(answer.statusCode).toBe(200);
  server.clock.ms -= hourMs;
  expect((await whoAmI(cookieIn(answer))).statusCode).toBe(200);
});

test("a session ends after 12 hours without use, and lasts while it is used, at most 7 days", async () => {
  const idle = cookieIn(await logIn(server, "olga"));
  server.clock.ms += 12 * hourMs + 1;
  expect((await whoAmI(idle)).statusCode).toBe(204);

  let id = cookieIn(await logIn(server, "olga"));
  let hours = 0;
  for (; hours < 200; hours += 6) {
    const answer = await whoAmI(id);
    if (answer.statusCode === 204) break;
    id = cookieIn(answer) || id;
    server.clock.ms += 6 * hourMs;
  }
  expect(hours).toBe(7 * 24 + 6);
});

test("the id changes every quarter of an hour; the old one is taken for a minute, then never", async () => {
  const first = cookieIn(await logIn(server, "olga"));
  server.clock.ms += hourMs / 4;
  const renewed = await whoAmI(first);
  const second = cookieIn(renewed);
  expect(second).toMatch(/^[\w-]{43}$/);
  expect(second).not.toBe(first);
  const during = await whoAmI(first);
  expect([during.statusCode, cookieIn(during)]).toEqual([200, ""]);
  server.clock.ms += 61_000;
  expect((await whoAmI(first)).statusCode).toBe(204);
  expect((await whoAmI(second)).statusCode).toBe(200);
});

test("logging out ends the session, and the id that was before it", async () => {
  const first = cookieIn(await logIn(server, "olga"));
  server.clock.ms += hourMs / 4;
  const second = cookieIn(await whoAmI(first));
  const out = await server.app.inject({
    method: "DELETE",
    url: "/api/v1/session",
    cookies: { obieg_session: second },
    headers: { "x-obieg-csrf": "1" },
  });
  expect(out.statusCode).toBe(204);
  expect(String(out.headers["set-cookie"])).toMatch(/^obieg_session=;/);
  expect((await whoAmI(first)).statusCode).toBe(204);
  expect((await whoAmI(second)).statusCode).toBe(204);
});

test("a new password and a removal end somebody's sessions; a lower role counts at once", async () => {
  const id = cookieIn(await logIn(server, "olga"));
  await server.users.put({ name: "olga", role: "viewer" });
  expect(problemIn(await dismiss(id, { "x-obieg-csrf": "1" })).code).toBe("role-too-low");
  await server.users.put({ name: "olga", role: "operator", password: "another password" });
  expect((await whoAmI(id)).statusCode).toBe(204);
  expect((await logIn(server, "olga")).statusCode).toBe(401);

  const other = cookieIn(await logIn(server, "wiktor"));
  await server.users.remove("wiktor");
  expect((await whoAmI(other)).statusCode).toBe(204);
  expect((await logIn(server, "wiktor")).statusCode).toBe(401);
});

test("more logins at once than can be computed are turned away, not queued for ever", async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => logIn(server, `guess-${n}`, "wrong", `10.3.0.${n}`)),
  );
  const statuses = answers.map(({ statusCode }) => statusCode);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(
    answers
      .filter(({ statusCode }) => statusCode === 429)
      .every((one) => problemIn(one).code === "login-busy"),
  ).toBe(true);
});
