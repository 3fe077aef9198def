import { z } from "zod";
import { auditOf, whoOf } from "../access.js";
import {
  auditSchema,
  newTokenSchema,
  pageOf,
  roles,
  type Token,
  tokenSchema,
  type User,
  userSchema,
} from "../api.js";
import { HttpProblem } from "../problem.js";
import { given, idSchema, isoOf, isoOrNull, listParts, rangeParts } from "../query.js";
import { answerList, answers, type Api, listOf, nothing, pageIn, type RouteParts } from "../route.js";
import type { TokenRecord } from "../tokens.js";
import type { UserRecord } from "../users.js";

const name = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u, "letters, digits and . _ @ -, at most 64");
const dayMs = 86_400_000;

const tokenOf = (token: TokenRecord): Token => ({
  id: token.id,
  name: token.name,
  role: token.role,
  publishesFor: token.publishesFor,
  createdAt: isoOf(token.createdMs),
  createdBy: token.createdBy,
  expiresAt: isoOrNull(token.expiresMs),
  usedAt: isoOrNull(token.usedMs),
});
const userOf = (user: UserRecord): User => ({
  name: user.name,
  role: user.role,
  createdAt: isoOf(user.createdMs),
});

/** `/tokens`, `/users`, `/audit`: who may do what, and who did. */
export function peopleRoutes(api: Api, parts: RouteParts): void {
  tokenRoutes(api, parts);
  userRoutes(api, parts);
  const { users } = parts;

  api.get(
    "/audit",
    {
      config: { role: "admin" },
      schema: {
        tags: ["people"],
        summary: "Who changed or looked at what, oldest first",
        querystring: z.object({
          ...listParts,
          ...rangeParts,
          who: z.string().max(64).optional(),
          action: z.string().max(64).optional(),
        }),
        response: answers({ 200: listOf(auditSchema) }),
      },
    },
    (request, reply) => {
      const { who, action, from, to, limit, cursor } = request.query;
      return answerList(parts, request, reply, {
        name: "audit",
        columns: ["sequence", "at", "who", "role", "address", "action", "target", "detail"],
        limit,
        cursor,
        read: async (at, most) => {
          const after = at === undefined ? 0 : Number(/^after(\d{1,15})$/.exec(at)?.[1] ?? Number.NaN);
          if (Number.isNaN(after))
            throw new HttpProblem(400, "bad-cursor", "give next of the page before as cursor");
          const page = users.audit.list({
            ...given({ who, action, fromMs: from, toMs: to }),
            limit: most,
            after,
          });
          return {
            items: page.items.map(({ atMs, ...record }) => ({ ...record, at: isoOf(atMs) })),
            next: page.next === undefined ? null : `after${page.next}`,
          };
        },
      });
    },
  );
}

function tokenRoutes(api: Api, { users, clock }: RouteParts): void {
  const tags = ["people"];
  api.get(
    "/tokens",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Tokens of programs, without their secrets",
        querystring: z.object(listParts),
        response: answers({ 200: pageOf(tokenSchema) }),
      },
    },
    async ({ query: { cursor, limit } }) => pageIn(users.tokens.list().map(tokenOf), cursor, limit),
  );

  api.post(
    "/tokens",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Make a token; its secret is shown this once",
        body: z.strictObject({
          name,
          role: z.enum(roles),
          publishesFor: z
            .array(z.string().min(1).max(128))
            .max(1_000)
            .optional()
            .describe("device ids it may send readings for whatever its role; * stands for any characters"),
          expiresInDays: z.number().positive().max(3_660).optional(),
        }),
        response: answers({ 201: newTokenSchema }),
      },
    },
    async (request, reply) => {
      const { name: called, role, publishesFor, expiresInDays } = request.body;
      const expiresMs = expiresInDays === undefined ? undefined : clock() + expiresInDays * dayMs;
      const input = { name: called, role, ...given({ publishesFor, expiresMs }) };
      const token = await users.tokens.create(input, whoOf(request));
      await users.audit.record(auditOf(request, "token.create", called, { role, id: token.id }));
      return reply.code(201).send({ ...tokenOf(token), token: token.token });
    },
  );

  api.delete(
    "/tokens/:id",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Remove a token; it stops working at once",
        params: z.object({ id: idSchema }),
        response: answers({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await users.tokens.remove(id)))
        throw new HttpProblem(404, "token-not-found", `there is no token ${id}`);
      await users.audit.record(auditOf(request, "token.remove", id));
      return reply.code(204).send();
    },
  );
}

function userRoutes(api: Api, { users }: RouteParts): void {
  const tags = ["people"];
  api.get(
    "/users",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Who may log in",
        querystring: z.object(listParts),
        response: answers({ 200: pageOf(userSchema) }),
      },
    },
    async ({ query: { cursor, limit } }) => pageIn(users.list().map(userOf), cursor, limit),
  );

  api.put(
    "/users/:name",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Add somebody (201), or change role or password; a new password ends their sessions",
        params: z.object({ name }),
        body: z.strictObject({ role: z.enum(roles), password: z.string().min(8).max(256).optional() }),
        response: answers({ 200: userSchema, 201: userSchema }),
      },
    },
    async (request, reply) => {
      const { role, password } = request.body;
      const { user, created } = await users.put({ name: request.params.name, role, ...given({ password }) });
      const detail = { role, password: password !== undefined, new: created };
      await users.audit.record(auditOf(request, "user.put", user.name, detail));
      return reply.code(created ? 201 : 200).send(userOf(user));
    },
  );

  api.delete(
    "/users/:name",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Remove somebody, and end their sessions",
        params: z.object({ name }),
        response: answers({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { name: called } = request.params;
      if (!(await users.remove(called)))
        throw new HttpProblem(404, "user-not-found", `there is nobody called ${called}`);
      await users.audit.record(auditOf(request, "user.remove", called));
      return reply.code(204).send();
    },
  );
}
