import { z } from "zod";
import { auditOf, whoOf } from "../access.js";
import { deviceBody, deviceInput } from "../device-body.js";
import { refusedByRegistry } from "../problem.js";
import { deviceIdSchema, given, listParts } from "../query.js";
import { answerList, answers, type Api, listOf, pageIn, type RouteParts } from "../route.js";
import { deviceOf, strangerOf, unmappedOf } from "../shape.js";
import { adoptedSchema, type StrangerDocument, strangerSchema } from "../strangers.js";
import { type UnmappedDocument, unmappedSchema } from "../unmapped.js";

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

const unmappedColumns = [
  "format",
  "source",
  "topic",
  "device",
  "class",
  "model",
  "field",
  "count",
  "firstSeenAt",
  "lastSeenAt",
  "samples",
  "guess",
] as const satisfies readonly (keyof UnmappedDocument)[];

/** `/unknown-devices`, `/unmapped-fields`: who sends without being registered, the way to adopt one; fields that nobody gave a quantity. */
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

  api.get(
    "/unmapped-fields",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Fields that nobody gave a quantity, with what they most likely mean",
        description:
          "By format, device and field; at most 500 of a device and 20,000 in all are known. A field leaves the list when a source's map names it.",
        querystring: z.object({ ...listParts, format: z.string().max(64).optional() }),
        response: answers({ 200: listOf(unmappedSchema) }),
      },
    },
    (request, reply) => {
      const { format, limit, cursor } = request.query;
      const fields = view.unmapped().filter((one) => format === undefined || one.format === format);
      return answerList(parts, request, reply, {
        name: "unmapped-fields",
        columns: unmappedColumns,
        limit,
        cursor,
        read: async (at, most) => pageIn(fields.map(unmappedOf), at, most),
      });
    },
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
      return reply
        .code(201)
        .send({ device: deviceOf(device, latest, view.presence(id), view.uplinks(id)), replayed, refused });
    },
  );
}
