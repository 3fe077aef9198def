import { z } from "zod";
import { devicesOfModel } from "../../ingest/index.js";
import { auditOf, whoOf } from "../access.js";
import { dismissedSchema, quarantinedSchema, replayedSchema } from "../api.js";
import { HttpProblem } from "../problem.js";
import { given, idSchema, listParts, rangeParts, timeSchema } from "../query.js";
import { answerList, answers, type Api, listOf, type RouteParts } from "../route.js";
import { quarantinedOf } from "../shape.js";

const selection = z
  .strictObject({
    ids: z.array(idSchema).min(1).max(10_000).optional(),
    reason: z.string().min(1).max(100).optional(),
    device: idSchema.optional(),
    model: z.string().min(1).max(100).optional().describe("devices of this model"),
    from: timeSchema.optional().describe("received, inclusive"),
    to: timeSchema.optional().describe("received, exclusive"),
  })
  .refine((asked) => Object.values(asked).some((value) => value !== undefined), {
    message: "say which: ids, reason, device, model, from or to",
  })
  .describe("which open entries; the conditions given must all hold");

const columns = [
  "id",
  "message",
  "device",
  "user",
  "topic",
  "whole",
  "reason",
  "paths",
  "count",
  "detail",
  "receivedAt",
  "status",
  "changedAt",
  "changedBy",
  "payload",
] as const;

/** `/quarantine`: what couldn't be taken, with its bytes; take it again, or put it aside. */
export function quarantineRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["quarantine"];

  api.get(
    "/quarantine",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "What couldn't be taken, oldest first",
        querystring: z.object({
          ...listParts,
          ...rangeParts,
          reason: z.string().max(100).optional(),
          device: idSchema.optional(),
          status: z.enum(["open", "replayed", "dismissed"]).optional(),
        }),
        response: answers({ 200: listOf(quarantinedSchema) }),
      },
    },
    (request, reply) => {
      const { reason, device, status, from, to, limit, cursor } = request.query;
      return answerList(parts, request, reply, {
        name: "quarantine",
        columns,
        limit: Math.min(limit, 1_000),
        cursor,
        read: async (at, most) => {
          const page = await view.history.quarantine({
            ...given({ reason, device, status, fromMs: from, toMs: to, cursor: at }),
            limit: Math.min(most, 1_000),
          });
          return { items: page.items.map((entry) => quarantinedOf(entry, false)), next: page.next ?? null };
        },
      });
    },
  );

  api.get(
    "/quarantine/:id",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "One entry with all its bytes",
        params: z.object({ id: idSchema }),
        response: answers({ 200: quarantinedSchema }),
      },
    },
    async (request) => {
      const { id } = request.params;
      const { items } = await view.history.quarantine({ id, limit: 1 });
      const [entry] = items;
      if (!entry) throw new HttpProblem(404, "quarantine-not-found", `there is no entry ${id}`);
      await users.audit.record(auditOf(request, "quarantine.read", id));
      return quarantinedOf(entry, true);
    },
  );

  const asked = ({
    ids,
    reason,
    device,
    model,
    from,
    to,
  }: z.output<typeof selection>): Parameters<typeof view.replay>[0] => {
    const devices = model === undefined ? undefined : devicesOfModel(view.registry, model);
    return given({ ids, reason, device, devices, fromMs: from, toMs: to });
  };
  const told = (body: z.output<typeof selection>): string => JSON.stringify(body).slice(0, 300);

  api.post(
    "/quarantine/replay",
    {
      config: { role: "operator" },
      schema: {
        tags,
        summary: "Send entries through the pipeline once more, after their cause was mended",
        body: selection,
        response: answers({ 200: replayedSchema }),
      },
    },
    async (request) => {
      const report = await view.replay(asked(request.body), whoOf(request));
      await users.audit.record(auditOf(request, "quarantine.replay", told(request.body), { ...report }));
      return report;
    },
  );

  api.post(
    "/quarantine/dismiss",
    {
      config: { role: "operator" },
      schema: {
        tags,
        summary: "Put entries aside; they stay to be read",
        body: selection,
        response: answers({ 200: dismissedSchema }),
      },
    },
    async (request) => {
      const report = await view.dismiss(asked(request.body), whoOf(request));
      await users.audit.record(auditOf(request, "quarantine.dismiss", told(request.body), { ...report }));
      return report;
    },
  );
}
