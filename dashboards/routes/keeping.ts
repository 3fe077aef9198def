import { isAbsolute } from "node:path";
import { z } from "zod";
import { type CityFile, citySchema } from "../../devices/index.js";
import { auditOf, whoOf } from "../access.js";
import { backupSchema, diffSchema } from "../api.js";
import { HttpProblem, refusedByRegistry } from "../problem.js";
import { deviceIdSchema } from "../query.js";
import { answers, type Api, type RouteParts, textOf } from "../route.js";

const mostCityBytes = 64 * 2 ** 20;

/** `/city`, `/devices/{id}/secret`, `/backup`: what the command line asks of a running service. */
export function keepingRoutes(api: Api, { view, users }: RouteParts): void {
  const changes = (): NonNullable<typeof view.registry.changes> => {
    if (!view.registry.changes)
      throw new HttpProblem(409, "registry-read-only", "the registry can't be changed here");
    return view.registry.changes;
  };

  api.get(
    "/city",
    {
      config: { role: "admin" },
      schema: {
        tags: ["registry"],
        summary: "The registry as a city.yaml; secrets stand as names of files",
        response: answers({ 200: textOf("application/yaml") }),
      },
    },
    async (request, reply) => {
      await users.audit.record(auditOf(request, "city.export", ""));
      return reply.type("application/yaml; charset=utf-8").send(changes().exportCity());
    },
  );

  api.post(
    "/city",
    {
      config: { role: "admin" },
      bodyLimit: mostCityBytes,
      schema: {
        tags: ["registry"],
        summary: "Make the registry what a city file says: what it doesn't name is removed",
        querystring: z.object({
          dryRun: z.stringbool().default(false).describe("only tell what would change"),
        }),
        body: citySchema.describe("a city file as JSON, every secret in place"),
        response: answers({ 200: diffSchema }),
      },
    },
    async (request) => {
      const { dryRun } = request.query;
      const unnamed = request.body.credentials.findIndex(({ secret }) => secret === undefined);
      if (unnamed >= 0)
        throw new HttpProblem(
          422,
          "city-invalid",
          `credentials.${unnamed}.secretFile: send the secret itself`,
        );
      const diff = await changes()
        .apply(request.body as CityFile, whoOf(request), dryRun)
        .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
      const { added, changed, removed } = diff;
      if (!dryRun) {
        const counts = { added: added.length, changed: changed.length, removed: removed.length };
        await users.audit.record(auditOf(request, "city.apply", request.body.city.name, counts));
      }
      return { added, changed, removed, applied: !dryRun };
    },
  );

  api.post(
    "/devices/:id/secret",
    {
      config: { role: "admin" },
      schema: {
        tags: ["registry"],
        summary: "Give a device or gateway a new secret; it is shown this once, the old one stops working",
        params: z.object({ id: deviceIdSchema }),
        response: answers({ 201: z.object({ user: z.string(), secret: z.string() }) }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const secret = await changes()
        .rotateSecret(id, whoOf(request))
        .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
      await users.audit.record(auditOf(request, "secret.rotate", id));
      return reply.code(201).send({ user: id, secret });
    },
  );

  api.post(
    "/backup",
    {
      config: { role: "admin" },
      schema: {
        tags: ["keeping"],
        summary: "Copy a consistent image of the data folder into an empty folder of the server",
        body: z.strictObject({
          dir: z.string().min(1).max(4_096).refine(isAbsolute, "write an absolute path"),
        }),
        response: answers({ 200: backupSchema }),
      },
    },
    async (request) => {
      const report = await view.backup(request.body.dir);
      await users.audit.record(
        auditOf(request, "backup", report.dir, { files: report.files, bytes: report.bytes }),
      );
      return report;
    },
  );
}
