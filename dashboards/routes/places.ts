import { z } from "zod";
import type { PlaceEntry } from "../../devices/index.js";
import { auditOf, whoOf } from "../access.js";
import { placeSchema, pointSchema } from "../api.js";
import { HttpProblem, refusedByRegistry } from "../problem.js";
import { idSchema, listParts } from "../query.js";
import { answerList, answers, type Api, listOf, nothing, pageIn, type RouteParts } from "../route.js";

const placeOf = ({ id, kind, name, at }: PlaceEntry): z.output<typeof placeSchema> => ({
  id,
  kind,
  name,
  at: at ?? null,
});

/** `/places`: the tree of places, and its changes. */
export function placesRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["registry"];
  const changes = (): NonNullable<typeof view.registry.changes> => {
    if (!view.registry.changes)
      throw new HttpProblem(409, "registry-read-only", "places come from the city file: change them there");
    return view.registry.changes;
  };
  const asked = async (change: Promise<void>): Promise<void> => {
    await change.catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
  };

  api.get(
    "/places",
    {
      config: { role: "public" },
      schema: {
        tags,
        summary: "The tree of places",
        querystring: z.object(listParts),
        response: answers({ 200: listOf(placeSchema) }),
      },
    },
    (request, reply) =>
      answerList(parts, request, reply, {
        name: "places",
        columns: ["id", "kind", "name", "at"],
        limit: request.query.limit,
        cursor: request.query.cursor,
        read: async (cursor, limit) => pageIn(view.registry.places().map(placeOf), cursor, limit),
      }),
  );

  api.put(
    "/places/:id",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Add a place (201), or replace what is known of it; write / of its id as %2F",
        params: z.object({ id: idSchema }),
        body: z.strictObject({
          kind: placeSchema.shape.kind,
          name: z.string().min(1).max(200),
          at: pointSchema.nullish(),
        }),
        response: answers({ 200: placeSchema, 201: placeSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { kind, name, at } = request.body;
      const isNew = view.registry.place(id) === undefined;
      const place: PlaceEntry = { id, kind, name, ...(at ? { at } : {}) };
      await asked(changes().putPlace(place, whoOf(request)));
      await users.audit.record(auditOf(request, "place.put", id, { kind, new: isNew }));
      return reply.code(isNew ? 201 : 200).send(placeOf(place));
    },
  );

  api.delete(
    "/places/:id",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Take a place out of the tree; 409 while places, devices or rules need it",
        params: z.object({ id: idSchema }),
        response: answers({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!view.registry.place(id)) throw new HttpProblem(404, "place-not-found", `there is no place ${id}`);
      await asked(changes().removePlace(id, whoOf(request)));
      await users.audit.record(auditOf(request, "place.remove", id));
      return reply.code(204).send();
    },
  );
}
