import { z } from "zod";
import { auditOf, whoOf } from "../access.js";
import { deviceBody, deviceInput } from "../device-body.js";
import { refusedByRegistry } from "../problem.js";
import { deviceIdSchema, given, listParts } from "../query.js";
import { answerList, answers, type Api, listOf, type RouteParts } from "../route.js";
import { deviceOf, strangerOf } from "../shape.js";
import { adoptedSchema, type StrangerDocument, strangerSchema } from "../strangers.js";

const columns = [
  "identifier",
  "scheme",
  "text",
  "format",
  "user",
  "topic",
  "firstSeenAt",
  "lastSeenAt",
  "messages",
  "payload",
  "suggestion",
] as const satisfies readonly (keyof StrangerDocument)[];

/** `/unknown-devices`: who sends without being registered, and the way to adopt one. */
export function strangersRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["registry"];

  api.get(
    "/unknown-devices",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Devices that send with a valid credential and aren't registered; the one heard last first",
        description:
          "Those with open messages in quarantine (unknown-device). At most 200 a page; a device that is registered or whose messages are dismissed leaves the list.",
        querystring: z.object(listParts),
        response: answers({ 200: listOf(strangerSchema) }),
      },
    },
    (request, reply) =>
      answerList(parts, request, reply, {
        name: "unknown-devices",
        columns,
        limit: Math.min(request.query.limit, 200),
        cursor: request.query.cursor,
        read: async (cursor, limit) => {
          const page = await view.strangers.list({ limit, ...given({ cursor }) });
          return { items: page.items.map(strangerOf), next: page.next ?? null };
        },
      }),
  );

  api.post(
    "/unknown-devices/adopt",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Register an unknown device under its identifier, and replay what it sent before",
        body: deviceBody.extend({
          identifier: z.string().min(1).max(128).describe("as the list of unknown devices names it"),
          id: deviceIdSchema,
        }),
        response: answers({ 201: adoptedSchema }),
      },
    },
    async (request, reply) => {
      const { identifier, id, ...body } = request.body;
      const { device, replayed, refused } = await view.strangers
        .adopt(identifier, deviceInput(id, body), whoOf(request))
        .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
      await users.audit.record(auditOf(request, "device.adopt", id, { identifier, replayed, refused }));
      const latest = await view.history.latest([id]);
      return reply.code(201).send({ device: deviceOf(device, latest, view.presence(id)), replayed, refused });
    },
  );
}
