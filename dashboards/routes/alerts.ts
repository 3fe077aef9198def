import { z } from "zod";
import { auditOf, whoOf } from "../access.js";
import { type Alert, alertSchema, alertStates } from "../api.js";
import { HttpProblem } from "../problem.js";
import { given, idSchema, listParts, manyOf, rangeParts } from "../query.js";
import { answerList, answers, type Api, listOf, type RouteParts } from "../route.js";
import { alertOf } from "../shape.js";

const columns = [
  "id",
  "rule",
  "kind",
  "severity",
  "state",
  "place",
  "device",
  "quantity",
  "value",
  "limit",
  "unit",
  "since",
  "raisedAt",
  "resolvedAt",
  "at",
  "title",
  "message",
  "acknowledged",
  "delivery",
] as const satisfies readonly (keyof Alert)[];

const found = <T>(alert: T | undefined, id: string): T => {
  if (!alert) throw new HttpProblem(404, "alert-not-found", `there is no alert ${id}`);
  return alert;
};

/** `/alerts`: the inbox. */
export function alertsRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["alerts"];

  api.get(
    "/alerts",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Alerts, newest first",
        querystring: z.object({ ...listParts, ...rangeParts, state: manyOf(z.enum(alertStates)).optional() }),
        response: answers({ 200: listOf(alertSchema) }),
      },
    },
    (request, reply) => {
      const { state, from, to, limit, cursor } = request.query;
      const states = state?.filter((one) => one !== "withdrawn");
      return answerList(parts, request, reply, {
        name: "alerts",
        columns,
        limit,
        cursor,
        read: async (at, most) => {
          if (states?.length === 0) return { items: [], next: null };
          const page = view.alerts.list({
            ...given({ states, fromMs: from, toMs: to, cursor: at }),
            limit: most,
          });
          return { items: page.items.map(alertOf), next: page.next ?? null };
        },
      });
    },
  );

  api.get(
    "/alerts/:id",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "One alert",
        params: z.object({ id: idSchema }),
        response: answers({ 200: alertSchema }),
      },
    },
    async ({ params: { id } }) => alertOf(found(view.alerts.get(id), id)),
  );

  api.post(
    "/alerts/:id/acknowledge",
    {
      config: { role: "operator" },
      schema: {
        tags,
        summary: "Take an alert in hand",
        params: z.object({ id: idSchema }),
        body: z.strictObject({ note: z.string().max(1_000).optional() }).nullish(),
        response: answers({ 200: alertSchema }),
      },
    },
    async (request) => {
      const { id } = request.params;
      const note = request.body?.note;
      const alert = await view.alerts.acknowledge(id, whoOf(request), note);
      await users.audit.record(auditOf(request, "alert.acknowledge", id, given({ note })));
      return alertOf(alert);
    },
  );
}
