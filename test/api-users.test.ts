import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAudit } from "../dashboards/audit.js";
import { makeHasher } from "../dashboards/password.js";
import { openUsers, type Users } from "../dashboards/users.js";
import { openState, type StateStore } from "../ingest/stores/state.js";

let dir: string;
let state: StateStore;
let users: Users;
let nowMs = 1_000_000;
const clock = (): number => nowMs;
const open = (): Users => openUsers(state, clock, { hasher: makeHasher(1_024) });
/** Resolves when everything asked for before is written. */
const written = (): Promise<void> => state.transaction(() => undefined);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "obieg-users-"));
  state = openState(dir);
  users = open();
});
afterEach(async () => {
  await state.close();
  rmSync(dir, { recursive: true });
});

test("the first start makes an admin with a password, and no later start does", async () => {
  const { password = "" } = await users.ensureAdmin({});
  expect(password).toMatch(/^[\w-]{16}$/);
  expect(await users.check("admin", password)).toMatchObject({ name: "admin", role: "admin" });
  expect(await users.ensureAdmin({})).toEqual({ password: undefined });
  expect(await users.check("admin", password)).toBeDefined();
});

test("the first password and the admin's token come from the environment when they stand there", async () => {
  const given = { password: "from the environment", token: "token-of-the-environment" };
  expect(await users.ensureAdmin(given)).toEqual({ password: undefined });
  expect(await users.check("admin", given.password)).toBeDefined();
  expect(users.tokens.find(given.token)?.role).toBe("admin");

  await users.ensureAdmin({
    ...given,
    password: "another password",
    token: "another-token-of-the-environment",
  });
  expect(await users.check("admin", given.password)).toBeDefined();
  expect(users.tokens.find(given.token)).toBeUndefined();
  expect(users.tokens.find("another-token-of-the-environment")?.role).toBe("admin");
});

test("a demo gets a new password at every start", async () => {
  const first = await users.ensureAdmin({ renew: true });
  const second = await users.ensureAdmin({ renew: true });
  expect(second.password).not.toBe(first.password);
  expect(await users.check("admin", first.password ?? "")).toBeUndefined();
  expect(await users.check("admin", second.password ?? "")).toBeDefined();
});

test("what is on disk opens nothing: no password, token or session id stands there", async () => {
  await users.put({ name: "olga", role: "operator", password: "a very secret one" });
  const { token } = await users.tokens.create({ name: "t", role: "viewer" }, "olga");
  const session = await users.sessions.open("olga");
  await state.close();
  const bytes = readFileSync(join(dir, "works.mdb")).toString("latin1");
  for (const secret of ["a very secret one", token, session]) expect(bytes).not.toContain(secret);
  state = openState(dir);
  users = open();
  expect(await users.check("olga", "a very secret one")).toBeDefined();
  expect(users.tokens.find(token)).toBeDefined();
  expect(users.sessions.find(session)).toEqual({ user: "olga", isDue: false });
});

test("the last admin stays admin", async () => {
  await users.put({ name: "anna", role: "admin", password: "long enough" });
  await expect(users.remove("anna")).rejects.toMatchObject({ code: "last-admin" });
  await expect(users.put({ name: "anna", role: "viewer" })).rejects.toMatchObject({ code: "last-admin" });
  await users.put({ name: "bella", role: "admin", password: "long enough" });
  expect(await users.remove("anna")).toBe(true);
  expect(await users.remove("anna")).toBe(false);
});

test("short passwords, users without one, and short tokens are refused", async () => {
  const put = users.put({ name: "olga", role: "viewer", password: "short" });
  await expect(put).rejects.toMatchObject({ code: "password-too-short" });
  await expect(users.put({ name: "olga", role: "viewer" })).rejects.toMatchObject({
    code: "password-missing",
  });
  await expect(users.ensureAdmin({ token: "t".repeat(23) })).rejects.toMatchObject({
    code: "token-too-short",
    message: expect.stringContaining("OBIEG_ADMIN_TOKEN"),
  });
  expect(users.tokens.list()).toEqual([]);
});

test("two tokens don't share a name", async () => {
  await users.tokens.create({ name: "same", role: "viewer" }, "anna");
  const again = users.tokens.create({ name: "same", role: "admin" }, "anna");
  await expect(again).rejects.toMatchObject({ code: "token-exists" });
  expect(users.tokens.list()).toHaveLength(1);
});

test("a token remembers its use to the minute", async () => {
  const { token } = await users.tokens.create({ name: "t", role: "viewer" }, "anna");
  users.tokens.find(token);
  await written();
  nowMs += 30_000;
  users.tokens.find(token);
  await written();
  expect(users.tokens.list()[0]?.usedMs).toBe(nowMs - 30_000);
  nowMs += 60_000;
  users.tokens.find(token);
  await written();
  expect(users.tokens.list()[0]?.usedMs).toBe(nowMs);
});

test("a use on its way brings back no token and no session that was removed meanwhile", async () => {
  const { id, token } = await users.tokens.create({ name: "t", role: "viewer" }, "anna");
  const session = await users.sessions.open("olga");
  nowMs += 120_000;
  const removed = [users.tokens.remove(id), users.sessions.close(session)];
  users.tokens.find(token);
  users.sessions.find(session);
  await Promise.all(removed);
  await written();
  expect(users.tokens.find(token)).toBeUndefined();
  expect(users.sessions.find(session)).toBeUndefined();
});

test("a password is the same however its accents are composed", async () => {
  await users.put({ name: "olga", role: "viewer", password: "zażółć gęślą".normalize("NFD") });
  expect(await users.check("olga", "zażółć gęślą".normalize("NFC"))).toBeDefined();
});

test("the audit keeps the newest records within its bound, over a restart, in order", async () => {
  const audit = openAudit(state, clock, 5);
  const event = { who: "anna", role: "admin" as const, address: "local", action: "device.put" };
  for (let n = 1; n <= 8; n += 1) await audit.record({ ...event, target: `bin-${n}` });
  const again = openAudit(state, clock, 5);
  await again.record({ ...event, target: "bin-9" });
  const { items } = again.list({ limit: 100, after: 0 });
  expect(items.map(({ sequence, target }) => [sequence, target])).toEqual([
    [5, "bin-5"],
    [6, "bin-6"],
    [7, "bin-7"],
    [8, "bin-8"],
    [9, "bin-9"],
  ]);
  const page = again.list({ limit: 2, after: 0 });
  expect([page.items.length, page.next]).toEqual([2, 6]);
  expect(again.list({ limit: 9, after: 6 }).items[0]?.sequence).toBe(7);
});
