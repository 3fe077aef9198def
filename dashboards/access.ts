import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { matchesGlob, ObiegError } from "../devices/index.js";
import { type Role, roles } from "./api.js";
import type { AuditEvent } from "./audit.js";
import type { LoginLimit } from "./login-limit.js";
import { HttpProblem } from "./problem.js";
import { keyOf, type TokenRecord } from "./tokens.js";
import type { Users } from "./users.js";

/** Who asks, and how they showed it. */
export interface Principal {
  name: string;
  role: Role;
  via: "token" | "session" | "nobody";
  /** Devices it may send readings for, whatever its role. */
  publishesFor: readonly string[];
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Least role that may call; without one anybody may. */
    role?: Role;
    /** A token that publishes for the device in the path may call too; with `payload` the route looks which devices are meant. */
    orPublisher?: "path" | "payload";
    /** The token may also come as InfluxDB's clients send it (`Token`) or as a password (`Basic`). */
    anyScheme?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; undefined when nobody is logged in and nothing is open to the public. */
    principal: Principal | undefined;
  }
}

/** Name of the session's cookie. */
export const sessionCookie = "obieg_session";
/** Header without which a write by cookie is refused: no other site can set it. */
export const csrfHeader = "x-obieg-csrf";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);
const rankOf = (role: Role): number => roles.indexOf(role);

/** True when `principal` has at least `role`. */
export function hasRole(principal: Principal | undefined, role: Role): boolean {
  return principal !== undefined && rankOf(principal.role) >= rankOf(role);
}

/** Sets the session's cookie; an empty id takes it away. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, id: string): void {
  const options = {
    path: "/",
    httpOnly: true,
    sameSite: "strict" as const,
    secure: request.protocol === "https",
  };
  if (id === "") reply.clearCookie(sessionCookie, options);
  else reply.setCookie(sessionCookie, id, options);
}

/** The token of an Authorization header; undefined when there is none that is taken here. */
function secretOf(authorization: string, anyScheme: boolean): string | undefined {
  const [, scheme = "", text] = /^(Bearer|Token|Basic) +(\S{1,1024}) *$/i.exec(authorization) ?? [];
  if (text === undefined || (!anyScheme && !/^bearer$/i.test(scheme))) return undefined;
  if (!/^basic$/i.test(scheme)) return text.length > 512 ? undefined : text;
  const password = /^[^:]*:(\S{1,512})$/.exec(Buffer.from(text, "base64").toString());
  return password?.[1];
}

/** Finds the token of a secret, and counts wrong ones. Throws `token-unknown` (401), `login-too-often` (429). */
function findToken(users: Users, secret: string, address: string, limit?: LoginLimit): TokenRecord {
  const key = keyOf(secret);
  const waitMs = limit?.waitOfToken(address, key) ?? 0;
  if (waitMs > 0)
    throw new HttpProblem(429, "login-too-often", "too many wrong tokens: wait before the next one", {
      retryAfterMs: waitMs,
    });
  const token = users.tokens.find(secret);
  if (token) limit?.rightToken(address, key);
  else {
    limit?.wrongToken(address, key);
    throw unauthorized("token-unknown", "this token is unknown, removed or expired");
  }
  return token;
}

/**
 * Finds who asks; with `limit`, tokens that are none are counted against the network that they come from.
 * Throws `token-unknown`, `authorization-invalid` (401), `login-too-often` (429).
 */
export function identify(users: Users, request: FastifyRequest, limit?: LoginLimit): Principal | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const secret = secretOf(authorization, request.routeOptions.config.anyScheme ?? false);
    if (secret === undefined)
      throw unauthorized("authorization-invalid", "write: Authorization: Bearer TOKEN");
    const token = findToken(users, secret, request.ip, limit);
    return { name: token.name, role: token.role, via: "token", publishesFor: token.publishesFor };
  }
  const id = request.cookies[sessionCookie];
  if (id === undefined || id.length > 128) return undefined;
  const session = users.sessions.find(id);
  const user = session && users.find(session.user);
  if (!session || !user) return undefined;
  return { name: user.name, role: user.role, via: "session", publishesFor: [] };
}

/** Gives a session that is due another id. While the disk takes none, the old one goes on: who is to make room must get in. */
async function renewCookie(users: Users, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const id = request.cookies[sessionCookie] ?? "";
  if (!users.sessions.find(id)?.isDue) return;
  const renewed = await users.sessions.renew(id).catch((error: unknown) => {
    if (error instanceof ObiegError && error.code === "state-commit") return undefined;
    throw error;
  });
  if (renewed === undefined) return;
  request.cookies[sessionCookie] = renewed;
  setSessionCookie(request, reply, renewed);
}

const unauthorized = (code: string, message: string): HttpProblem =>
  new HttpProblem(401, code, message, { headers: { "www-authenticate": 'Bearer realm="obieg"' } });

function refuseForgery(request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return;
  if (request.headers["sec-fetch-site"] === "cross-site")
    throw new HttpProblem(403, "cross-site", "another site may not write here");
  if (request.principal?.via === "session" && request.headers[csrfHeader] !== "1")
    throw new HttpProblem(403, "csrf-header-missing", `a write by cookie needs the header ${csrfHeader}: 1`);
}

function refuseRole(request: FastifyRequest, config: FastifyContextConfig): void {
  const { principal } = request;
  if (config.role === undefined || hasRole(principal, config.role)) return;
  if (config.orPublisher && principal) {
    const { device = "" } = request.params as { device?: string };
    if (config.orPublisher === "payload" && principal.publishesFor.length > 0) return;
    if (principal.publishesFor.some((glob) => matchesGlob(glob, device))) return;
  }
  if (!principal || principal.via === "nobody")
    throw unauthorized("not-logged-in", "log in, or give a token: Authorization: Bearer TOKEN");
  throw new HttpProblem(
    403,
    "role-too-low",
    `this needs the role ${config.role}; ${principal.name} is ${principal.role}`,
  );
}

/**
 * Puts the doorkeeper before every route: who asks, may they, and did they mean it.
 * Guarantee: runs before a body is read. With `open`, nobody in particular has the role `public`. Wrong tokens are counted by `limit`.
 */
export function guard(app: FastifyInstance, users: Users, limit: LoginLimit, open: boolean): void {
  const nobody: Principal = { name: "public", role: "public", via: "nobody", publishesFor: [] };
  app.decorateRequest("principal", undefined);
  app.addHook("onRequest", async (request, reply) => {
    if (request.is404) return;
    request.principal = identify(users, request, limit) ?? (open ? nobody : undefined);
    refuseForgery(request);
    refuseRole(request, request.routeOptions.config);
    if (request.principal?.via === "session") await renewCookie(users, request, reply);
  });
}

/** An audit event of what this request does. */
export function auditOf(
  request: FastifyRequest,
  action: string,
  target: string,
  detail: NonNullable<AuditEvent["detail"]> = {},
): AuditEvent {
  const { principal, ip } = request;
  return { who: principal?.name ?? "", role: principal?.role ?? null, address: ip, action, target, detail };
}

/** Name of who asks, on a route that has a role. */
export const whoOf = (request: FastifyRequest): string => request.principal?.name ?? "";
