import { z } from "zod";
import { ledgerSchema } from "../api.js";
import { HttpProblem } from "../problem.js";
import { daySchema, given, idSchema, listParts, localDay } from "../query.js";
import { answerList, answers, type Api, listOf, type RouteParts } from "../route.js";

const mostDays = 366;

const dayAfter = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

/** `/ledger`: every message accounted for, by device and local day. */
export function ledgerRoutes(api: Api, parts: RouteParts): void {
  const { view, clock } = parts;
  api.get(
    "/ledger",
    {
      config: { role: "viewer" },
      schema: {
        tags: ["ledger"],
        summary: "Accounts of local days; today unless told",
        querystring: z.object({
          ...listParts,
          day: daySchema.optional().describe("local day"),
          from: daySchema.optional().describe("first local day"),
          to: daySchema.optional().describe("local day after the last"),
          device: idSchema.optional(),
        }),
        response: answers({ 200: listOf(ledgerSchema) }),
      },
    },
    (request, reply) => {
      const { day, from, to, device, limit, cursor } = request.query;
      const today = localDay(clock(), view.registry.city.timeZone);
      const fromDay = day ?? from ?? (to === undefined ? today : dayAfter(to, -1));
      const toDay =
        day ?? (to === undefined ? (from === undefined || from > today ? fromDay : today) : dayAfter(to, -1));
      if (toDay < fromDay || dayAfter(fromDay, mostDays) <= toDay)
        throw new HttpProblem(400, "request-invalid", `to is after from, by at most ${mostDays} days`, {
          faults: [{ path: "/query/to", message: `must be after from, by at most ${mostDays} days` }],
        });
      return answerList(parts, request, reply, {
        name: "ledger",
        columns: ["day", "device", "messages", "values", "slots", "balanced"],
        limit,
        cursor,
        read: async (at, most) => {
          const asked = { fromDay, toDay, limit: most, ...given({ device, cursor: at }) };
          const { items, next } = await view.history.ledger(asked);
          return { items, next: next ?? null };
        },
      });
    },
  );
}
