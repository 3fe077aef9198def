import { z } from "zod";
import { hasRole, identify } from "../access.js";
import { overviewSchema } from "../api.js";
import { topics } from "../feed.js";
import { type Api, answers, type RouteParts, textOf } from "../route.js";
import { overviewOf } from "../shape.js";

/** `/overview`, `/events`: how things stand, and what happens. */
export function liveRoutes(api: Api, { view, feed, users }: RouteParts): void {
  api.get(
    "/overview",
    {
      config: { role: "viewer" },
      schema: { tags: ["live"], summary: "How things stand now", response: answers({ 200: overviewSchema }) },
    },
    async () => overviewOf(view, await view.overview()),
  );

  api.get(
    "/events",
    {
      config: { role: "viewer" },
      schema: {
        tags: ["live"],
        summary: "Live feed: Server-Sent Events, resumable by Last-Event-ID",
        description:
          "Events `readings` {items, skipped}, `quarantine` {items, skipped}, `alerts` (an alert), `overview`, " +
          "and `reset` when what was missed can't be told any more: read the lists again.",
        querystring: z.object({
          topics: z
            .string()
            .max(200)
            .default(topics.join(","))
            .transform((text) => text.split(",").map((topic) => topic.trim()))
            .pipe(z.array(z.enum(topics)).min(1))
            .describe(`several of ${topics.join(", ")}, joined by commas`),
        }),
        headers: z.object({ "last-event-id": z.string().max(100).optional() }),
        response: answers({ 200: textOf("text/event-stream") }),
      },
    },
    (request, reply) => {
      const isAllowed = (): boolean => {
        try {
          return hasRole(identify(users, request), "viewer");
        } catch {
          return false;
        }
      };
      const stream = feed.open({
        topics: request.query.topics,
        lastId: request.headers["last-event-id"],
        isAllowed,
      });
      return (
        reply
          .header("content-type", "text/event-stream; charset=utf-8")
          .header("cache-control", "no-store")
          .header("x-accel-buffering", "no")
          // Nothing follows a feed on its connection: a stop needn't wait for it.
          .header("connection", "close")
          .send(stream)
      );
    },
  );
}
