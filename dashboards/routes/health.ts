import { z } from "zod";
import { readySchema } from "../api.js";
import { type Api, answers, type RouteParts, textOf } from "../route.js";

/** Whoever watches asks often, from where others may ask too much. */
const config = { rateLimit: false } as const;

/** `/healthz`, `/readyz`, `/metrics`: for whoever watches the process; open, uncounted, and without anybody's data. */
export function healthRoutes(api: Api, { view, visitors }: RouteParts): void {
  api.get(
    "/healthz",
    {
      config,
      schema: {
        tags: ["process"],
        summary: "Alive",
        response: answers({ 200: z.object({ alive: z.literal(true) }) }),
      },
    },
    () => ({ alive: true as const }),
  );
  api.get(
    "/readyz",
    {
      config,
      schema: {
        tags: ["process"],
        summary: "Ready, or why not (503)",
        response: answers({ 200: readySchema, 503: readySchema }),
      },
    },
    (_request, reply) => {
      const { ready, reasons } = view.ready();
      return reply.code(ready ? 200 : 503).send({ ready, reasons: [...reasons] });
    },
  );
  api.get(
    "/metrics",
    {
      config,
      schema: {
        tags: ["process"],
        summary: "Figures as Prometheus text",
        response: answers({ 200: textOf("text/plain") }),
      },
    },
    async (_request, reply) =>
      reply
        .header("content-type", "text/plain; version=0.0.4; charset=utf-8")
        .serializer((text: string) => text)
        .send((await view.metrics()) + (await visitors.figures())),
  );
}
