import { z } from "zod";
import { HttpProblem } from "../problem.js";
import { given, idSchema, listParts } from "../query.js";
import { answerList, answers, type Api, listOf, pageIn, type RouteParts } from "../route.js";
import { offenderOf, sinkOf } from "../shape.js";
import { type Offender, offenderSchema, sinkSchema } from "../sinks.js";

const columns = [
  "sequence",
  "device",
  "quantity",
  "unit",
  "time",
  "value",
  "words",
  "at",
] as const satisfies readonly (keyof Offender)[];

/** `/sinks`: the stores that are fed from history, how they stand, and what their servers refused. */
export function sinksRoutes(api: Api, parts: RouteParts): void {
  const { view } = parts;
  const tags = ["sinks"];

  api.get(
    "/sinks",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Stores fed from history, and how they stand",
        querystring: z.object(listParts),
        response: answers({ 200: listOf(sinkSchema) }),
      },
    },
    (request, reply) =>
      answerList(parts, request, reply, {
        name: "sinks",
        columns: ["name", "position", "lag", "written", "offended", "fault"],
        limit: request.query.limit,
        cursor: request.query.cursor,
        read: async (cursor, limit) => pageIn(view.sinks.map(sinkOf), cursor, limit),
      }),
  );

  api.get(
    "/sinks/:name/offenders",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Values that its server refused, with the server's words, newest first",
        params: z.object({ name: idSchema }),
        querystring: z.object(listParts),
        response: answers({ 200: listOf(offenderSchema) }),
      },
    },
    (request, reply) => {
      const { name } = request.params;
      const sink = view.sinks.find((one) => one.name === name);
      if (!sink) throw new HttpProblem(404, "sink-not-found", `there is no sink ${name}`);
      return answerList(parts, request, reply, {
        name: "offenders",
        columns,
        limit: request.query.limit,
        cursor: request.query.cursor,
        read: async (cursor, limit) => {
          const page = sink.offenders({ limit, ...given({ cursor }) });
          return { items: page.items.map(offenderOf), next: page.next ?? null };
        },
      });
    },
  );
}
