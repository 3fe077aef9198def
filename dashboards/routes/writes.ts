import { z } from "zod";
import { isIdentifier, isTopic } from "../../devices/index.js";
import { bodyOf, openIntake, senders } from "../intake.js";
import { HttpProblem } from "../problem.js";
import { answers, type Api, type RouteParts, withRawBodies } from "../route.js";

/** `/api/v1/airrohr`: where sensor.community's firmware sends to. */
export function writesRoutes(app: Api, parts: RouteParts): void {
  const { limits } = parts;
  const intake = openIntake(parts);

  withRawBodies(app, (api) => {
    api.post(
      "/api/v1/airrohr",
      {
        bodyLimit: limits.maxMessageBytes,
        config: senders,
        schema: {
          tags: ["readings"],
          summary: "Send as sensor.community's firmware does to a custom API; 202 once it is on disk",
          body: z.unknown().meta({ description: "esp8266id, sensordatavalues", type: "object" }),
          response: answers({ 202: z.object({ faults: z.number().int() }) }),
        },
      },
      async (request, reply) => {
        const sensor = String(request.headers["x-sensor"] ?? "http");
        const isName = isTopic(sensor) && isIdentifier(sensor) && !sensor.includes("/");
        const payload = await bodyOf(request, limits.maxMessageBytes);
        const judged = intake.judge(request, `airrohr/${isName ? sensor : "http"}`, payload);
        const much = judged.faults.find(({ code }) => code === "too-many-fields");
        if (much) throw new HttpProblem(413, "body-too-large", much.detail);
        await intake.keep([judged]);
        return reply.code(202).send({ faults: judged.faults.length });
      },
    );
  });
}
