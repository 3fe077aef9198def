import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LightMyRequestResponse } from "fastify";
import { pino } from "pino";
import type { ProblemDocument, Role } from "../../dashboards/api.js";
import { makeHasher } from "../../dashboards/password.js";
import type { Api, HttpLimits } from "../../dashboards/route.js";
import { buildServer } from "../../dashboards/server.js";
import { openUsers, type Users } from "../../dashboards/users.js";
import { openState, type StateStore } from "../../ingest/stores/state.js";
import { type FakeView, makeFakeView, noonMs } from "./fake-view.js";

/** A server before a city in memory, with a clock that stands until it is moved. */
export interface FakeServer {
  app: Api;
  view: FakeView;
  users: Users;
  state: StateStore;
  clock: { ms: number };
  /** Secrets of tokens, one a role. */
  tokens: Record<Role, string>;
  /** What was logged. */
  logged: string[];
  close(): Promise<void>;
}

/** What a test sets otherwise. */
export interface FakeServerOptions {
  limits?: Partial<HttpLimits>;
  open?: boolean;
  webDir?: string;
  trustProxy?: string[];
  /** Where users and sessions are kept; a folder of its own without it. */
  dir?: string;
}

/** Password of `anna` (admin), `olga` (operator) and `wiktor` (viewer). */
export const password = "correct horse battery";

/** Starts one; passwords are hashed cheaply. */
export async function startFakeServer({
  dir: given,
  ...options
}: FakeServerOptions = {}): Promise<FakeServer> {
  const dir = given ?? mkdtempSync(join(tmpdir(), "obieg-api-"));
  const state = openState(dir);
  const clock = { ms: noonMs };
  const users = openUsers(state, () => clock.ms, { hasher: makeHasher(1_024) });
  await users.put({ name: "anna", role: "admin", password });
  await users.put({ name: "olga", role: "operator", password });
  await users.put({ name: "wiktor", role: "viewer", password });
  const made = async (role: Role): Promise<string> =>
    (await users.tokens.create({ name: `for-${role}`, role }, "test")).token;
  const tokens = {
    public: await made("public"),
    viewer: await made("viewer"),
    operator: await made("operator"),
    admin: await made("admin"),
  };
  const logged: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void logged.push(line) });
  const view = makeFakeView();
  const app = await buildServer({ view, users, log, clock: () => clock.ms, ...options });
  return {
    app,
    view,
    users,
    state,
    clock,
    tokens,
    logged,
    async close() {
      await app.close();
      await state.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** The problem in an answer. Throws when the answer isn't one. */
export function problemIn(response: LightMyRequestResponse): ProblemDocument {
  const type = String(response.headers["content-type"]);
  if (!type.startsWith("application/problem+json"))
    throw new Error(`${response.statusCode} ${type}: ${response.body.slice(0, 200)}`);
  return response.json<ProblemDocument>();
}

/** The session's cookie that an answer sets. */
export const cookieIn = (response: LightMyRequestResponse): string =>
  response.cookies.find(({ name }) => name === "obieg_session")?.value ?? "";

/** Logs in by password. */
export const logIn = (
  { app }: FakeServer,
  user: string,
  secret = password,
  remoteAddress = "10.0.0.1",
): Promise<LightMyRequestResponse> =>
  app.inject({ method: "POST", url: "/api/v1/session", payload: { user, password: secret }, remoteAddress });

/** A call as an admin makes it. */
export interface Asked {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: string;
  payload?: object | string | Buffer;
  headers?: Record<string, string>;
}

/** Calls with the admin's token. */
export const askAsAdmin = (
  { app, tokens }: FakeServer,
  { method = "GET", headers = {}, ...rest }: Asked,
): Promise<LightMyRequestResponse> =>
  app.inject({ method, headers: { authorization: `Bearer ${tokens.admin}`, ...headers }, ...rest });
