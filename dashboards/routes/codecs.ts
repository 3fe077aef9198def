import { z } from "zod";
import { ObiegError } from "../../devices/index.js";
import { auditOf, whoOf } from "../access.js";
import { codecSchema, codecShown, type CodecDocument, shownCodecSchema } from "../codec-answer.js";
import { HttpProblem, refusedByRegistry } from "../problem.js";
import { listParts } from "../query.js";
import { answerList, answers, type Api, listOf, nothing, pageIn, type RouteParts } from "../route.js";

const model = z
  .string()
  .regex(/^\P{C}{1,100}$/u, "1 to 100 printable characters")
  .describe("as the devices' model names it");
const params = z.object({ model });
const body = z
  .strictObject({
    script: z.string().min(1).max(524_288).describe("the maker's decoder, JavaScript"),
    version: z.string().min(1).max(40).optional().describe("its hash's first 12 digits unless given"),
    examples: z
      .array(z.unknown())
      .max(1_000)
      .optional()
      .describe(
        "{description, input: {fPort, bytes, recvTime}, output: {data, warnings, errors}}: run first",
      ),
  })
  .describe("a decoder: decodeUplink, Decode or Decoder");
const maxBytes = 2 * 2 ** 20;

/** What a library refuses is the fault of who asked; examples that differ are told one by one. */
function refused(error: unknown): unknown {
  if (!(error instanceof ObiegError) || error.code !== "codec-examples-differ")
    return refusedByRegistry(error);
  const { faults = [] } = (error.detail ?? {}) as { faults?: { path: string; message: string }[] };
  return new HttpProblem(422, error.code, error.message, {
    faults: faults.map(({ path, message }) => ({ path: `/body/examples${path}`, message })),
  });
}

/** `/codecs`: LoRaWAN makers' decoders by model, changed while the service runs. */
export function codecsRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["codecs"];
  const missing = (name: string): HttpProblem =>
    new HttpProblem(404, "codec-not-found", `no decoder was given for ${name}`);
  const shown = async (name: string): Promise<CodecDocument> => {
    const entry = view.codecs.of(name);
    if (!entry) throw missing(name);
    return codecShown(entry, await view.codecs.waiting(name));
  };

  api.get(
    "/codecs",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Decoders that were given to the running service, by model",
        querystring: z.object(listParts),
        response: answers({ 200: listOf(codecSchema) }),
      },
    },
    (request, reply) =>
      answerList(parts, request, reply, {
        name: "codecs",
        columns: ["model", "version", "hash", "convention", "changedAt", "changedBy"],
        limit: request.query.limit,
        cursor: request.query.cursor,
        read: async (cursor, limit) =>
          pageIn(
            view.codecs.list().map((entry) => codecSchema.parse(codecShown(entry, undefined))),
            cursor,
            limit,
          ),
      }),
  );

  api.get(
    "/codecs/:model",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "A model's decoder with its script, and what waits in quarantine of the model's devices",
        params,
        response: answers({ 200: shownCodecSchema }),
      },
    },
    (request) => shown(request.params.model),
  );

  api.put(
    "/codecs/:model",
    {
      config: { role: "admin" },
      bodyLimit: maxBytes,
      schema: {
        tags,
        summary:
          "Add (201) or replace a model's decoder once it gives what its examples say; in force with the next message. The answer offers the replay",
        params,
        body,
        response: answers({ 200: shownCodecSchema, 201: shownCodecSchema }),
      },
    },
    async (request, reply) => {
      const { model: name } = request.params;
      const isNew = view.codecs.of(name) === undefined;
      const { version, hash } = await view.codecs
        .put(name, request.body, whoOf(request))
        .catch((error: unknown) => Promise.reject(refused(error) as Error));
      await users.audit.record(auditOf(request, "codec.put", name, { version, hash, new: isNew }));
      return reply.code(isNew ? 201 : 200).send(await shown(name));
    },
  );

  api.delete(
    "/codecs/:model",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Take a model's decoder away; its network server's own decoding counts again",
        params,
        response: answers({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { model: name } = request.params;
      if (!(await view.codecs.remove(name))) throw missing(name);
      await users.audit.record(auditOf(request, "codec.remove", name));
      return reply.code(204).send();
    },
  );
}
