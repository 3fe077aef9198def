import { z } from "zod";
import { whoOf } from "../access.js";
import { readingSchema, seriesPointSchema } from "../api.js";
import { HttpProblem } from "../problem.js";
import { deviceIdSchema, given, idSchema, listParts, manyOf, rangeParts } from "../query.js";
import {
  answerList,
  answers,
  type Api,
  devicesAsked,
  listOf,
  pageIn,
  type RouteParts,
  withRawBodies,
} from "../route.js";
import { pointsOf, readingOf } from "../shape.js";
import { checkSteps, stepParts } from "../steps.js";

const quantity = z.string().min(1).max(64).describe("a name of the vocabulary: fill_percent");
const device = manyOf(idSchema).describe("may be given several times");
const place = idSchema.describe("devices at this place or below it");
/** Taken as bytes and judged by the pipeline, as over MQTT; this only describes it. */
const nativePayload = z.unknown().meta({
  description: "one reading, or an array of up to 1,000: time, quantities of the vocabulary, attributes",
  anyOf: [{ type: "object" }, { type: "array", maxItems: 1_000, items: { type: "object" } }],
});

/** `/readings`, `/series`: what was measured. */
export function readingsRoutes(api: Api, parts: RouteParts): void {
  const { view, limits, clock } = parts;
  const tags = ["readings"];

  api.get(
    "/readings",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Stored readings, oldest first",
        querystring: z.object({
          ...listParts,
          ...rangeParts,
          device: device.optional(),
          quantity: quantity.optional(),
          place: place.optional(),
        }),
        response: answers({ 200: listOf(readingSchema) }),
      },
    },
    (request, reply) => {
      const { device: named, place: where, quantity: of, from, to, limit, cursor } = request.query;
      const devices = devicesAsked(parts, named, where);
      return answerList(parts, request, reply, {
        name: "readings",
        columns: [
          "device",
          "quantity",
          "unit",
          "time",
          "value",
          "attributes",
          "receivedAt",
          "sequence",
          "outside",
          "codec",
        ],
        limit,
        cursor,
        read: async (at, most) => {
          if (devices?.length === 0) return { items: [], next: null };
          const page = await view.history.readings({
            ...given({ devices, quantity: of, fromMs: from, toMs: to, cursor: at }),
            limit: most,
          });
          const items = page.items.map((one) =>
            readingOf(
              one,
              view.registry.device(one.device),
              view.codecOf(one.device, one.quantity, one.receivedMs),
            ),
          );
          return { items, next: page.next ?? null };
        },
      });
    },
  );

  api.get(
    "/series",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Aggregates a step of one quantity, oldest first",
        querystring: z.object({
          ...listParts,
          device: device.optional(),
          place: place.optional(),
          quantity,
          ...stepParts,
        }),
        response: answers({ 200: listOf(seriesPointSchema) }),
      },
    },
    (request, reply) => {
      const { device: named, place: where, quantity: of, from, to, step, tz, limit, cursor } = request.query;
      const devices = devicesAsked(parts, named, where);
      if (devices === undefined)
        throw new HttpProblem(400, "request-invalid", "give device or place", {
          faults: [{ path: "/query/device", message: "give device or place" }],
        });
      checkSteps(from, to, step);
      return answerList(parts, request, reply, {
        name: "series",
        columns: ["from", "to", "count", "expected", "min", "mean", "max", "last"],
        limit,
        cursor,
        read: async (at, most) => {
          if (devices.length === 0) return { items: [], next: null };
          const timeZone = tz ?? view.registry.city.timeZone;
          const points = await view.history.series({
            devices,
            quantity: of,
            fromMs: from,
            toMs: to,
            step,
            timeZone,
          });
          const { items, next } = pageIn(points, at, most);
          return { items: pointsOf(items), next };
        },
      });
    },
  );

  withRawBodies(api, (raw) => {
    raw.post(
      "/readings/:device",
      {
        bodyLimit: limits.maxMessageBytes,
        config: { role: "operator", orPublisher: "path" },
        schema: {
          tags,
          summary: "Send the native payload of a device; 202 once it is on disk",
          params: z.object({ device: deviceIdSchema }),
          body: nativePayload,
          response: answers({ 202: z.object({ sequence: z.number().int() }) }),
        },
      },
      async (request, reply) => {
        const { body } = request as { body: unknown };
        if (!Buffer.isBuffer(body) || body.length === 0)
          throw new HttpProblem(400, "body-empty", 'give the payload as body: {"fill_percent": 43.2}');
        const sequence = await view.publish({
          topic: `readings/${request.params.device}`,
          payload: body,
          user: whoOf(request),
          receivedMs: clock(),
        });
        return reply.code(202).send({ sequence });
      },
    );
  });
}
