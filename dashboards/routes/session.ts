import { z } from "zod";
import { auditOf, sessionCookie, setSessionCookie } from "../access.js";
import { sessionSchema } from "../api.js";
import { HttpProblem } from "../problem.js";
import { type Api, answers, nothing, type RouteParts } from "../route.js";

const login = z.strictObject({ user: z.string().min(1).max(64), password: z.string().min(1).max(256) });

/** `/session`: log in, log out, who am I. */
export function sessionRoutes(api: Api, { users, loginLimit }: RouteParts): void {
  api.get(
    "/session",
    {
      schema: {
        tags: ["session"],
        summary: "Who is logged in; 204 when nobody is",
        response: answers({ 200: sessionSchema, 204: nothing }),
      },
    },
    async ({ principal }, reply) => {
      if (!principal || principal.via === "nobody") return reply.code(204).send();
      return reply.send({ user: principal.name, role: principal.role });
    },
  );

  api.post(
    "/session",
    {
      schema: {
        tags: ["session"],
        summary: "Log in; sets the cookie",
        body: login,
        response: answers({ 200: sessionSchema }),
      },
    },
    async (request, reply) => {
      const { user: name, password } = request.body;
      const waitMs = loginLimit.take(request.ip, name);
      if (waitMs > 0)
        throw new HttpProblem(429, "login-too-often", "too many failed logins: wait before the next one", {
          retryAfterMs: waitMs,
        });
      const user = await users.check(name, password);
      if (!user) {
        await users.audit.record({ ...auditOf(request, "session.refused", name), who: name });
        throw new HttpProblem(401, "login-wrong", "user or password is wrong");
      }
      loginLimit.succeeded(request.ip, name);
      const old = request.cookies[sessionCookie];
      if (old !== undefined) await users.sessions.close(old);
      setSessionCookie(request, reply, await users.sessions.open(user.name));
      await users.audit.record({
        ...auditOf(request, "session.open", name),
        who: user.name,
        role: user.role,
      });
      return { user: user.name, role: user.role };
    },
  );

  api.delete(
    "/session",
    { schema: { tags: ["session"], summary: "Log out", response: answers({ 204: nothing }) } },
    async (request, reply) => {
      const id = request.cookies[sessionCookie];
      if (id !== undefined) {
        await users.sessions.close(id);
        if (request.principal?.via === "session")
          await users.audit.record(auditOf(request, "session.close", request.principal.name));
      }
      setSessionCookie(request, reply, "");
      return reply.code(204).send();
    },
  );
}
