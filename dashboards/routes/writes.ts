import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import {
  type Decoded,
  type Fault,
  isIdentifier,
  isTopic,
  matchesGlob,
  openCodecs,
} from "../../devices/index.js";
import { hasRole, whoOf } from "../access.js";
import { HttpProblem } from "../problem.js";
import { answers, type Api, type RouteParts } from "../route.js";

const unzip = promisify(gunzip);

/** How InfluxDB 1 and 2 write precisions, and the topic's last level that means it. */
const precisions: ReadonlyMap<string, string> = new Map(
  Object.entries({ ns: "ns", n: "ns", us: "us", u: "us", µ: "us", ms: "ms", s: "s", m: "m", h: "h" }),
);

/** The body, unpacked. Throws `body-empty`, `body-broken`, `body-too-large`, `media-type`. */
async function bodyOf(request: FastifyRequest, maxBytes: number): Promise<Buffer> {
  const { body } = request as { body: unknown };
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new HttpProblem(400, "body-empty", "give the payload as body");
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") throw new HttpProblem(415, "media-type", "give content-encoding gzip, or none");
  try {
    return await unzip(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw new HttpProblem(413, "body-too-large", `unpacked at most ${maxBytes} bytes`);
    throw new HttpProblem(400, "body-broken", "the body isn't what gzip packs");
  }
}

/** What a payload says, by the device that it names. */
function partsOf(decoded: Decoded): { device?: string | undefined; faults: Fault[] }[] {
  if (decoded.kind === "ignored" || decoded.kind === "waiting") return [];
  if (decoded.kind === "refused") return [{ device: decoded.device, faults: [decoded.fault] }];
  return [decoded, ...(decoded.others ?? [])];
}

/** What InfluxDB answers for lines that it couldn't take: a line each, told apart when others were taken. At most 100 of them. */
function refusal(faults: readonly Fault[], isTaken: boolean): string {
  const more = faults.length > maxTold ? `\nand ${faults.length - maxTold} more` : "";
  const told =
    faults
      .slice(0, maxTold)
      .map(({ detail }) => detail)
      .join("\n") + more;
  return isTaken ? `partial write: ${told} dropped=0` : told;
}
const maxTold = 100;
const tooMany: ReadonlySet<string> = new Set(["too-many-fields", "too-many-readings"]);

/** `/write`, `/api/v2/write`, `/api/v1/airrohr`: where other programs and devices send to as they do to their own servers. */
export function writesRoutes(app: Api, parts: RouteParts): void {
  const { view, limits, clock } = parts;
  const codecs = openCodecs(view.registry);
  const config = { role: "operator", orPublisher: "payload", anyScheme: true } as const;

  /** Puts a payload into the journal; gives the faults that the pipeline will find in it. */
  const publish = async (
    request: FastifyRequest,
    topic: string,
  ): Promise<{ faults: Fault[]; isTaken: boolean }> => {
    const payload = await bodyOf(request, limits.maxMessageBytes);
    const user = whoOf(request);
    const message = { topic, payload, user, receivedMs: clock() };
    const decoded = codecs(topic)?.decode({ ...message, clientId: "http", qos: 1 }, view.registry);
    const told = decoded ? partsOf(decoded) : [];
    if (!hasRole(request.principal, config.role)) {
      const globs = request.principal?.publishesFor ?? [];
      for (const { device } of told)
        if (device !== undefined && !globs.some((glob) => matchesGlob(glob, device)))
          throw new HttpProblem(403, "role-too-low", `${user} doesn't publish for ${device}`);
    }
    const faults = told.flatMap((part) => part.faults);
    const much = faults.find(({ code }) => tooMany.has(code));
    if (much) throw new HttpProblem(413, "body-too-large", much.detail);
    await view.publish(message);
    return { faults, isTaken: decoded?.kind === "decoded" };
  };

  void app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    const api = raw as unknown as Api;
    for (const path of ["/write", "/api/v2/write"])
      api.post(
        path,
        { bodyLimit: limits.maxMessageBytes, config, schema: { hide: true } },
        async (request, reply) => {
          const { precision = "ns" } = request.query as { precision?: unknown };
          const unit = typeof precision === "string" ? precisions.get(precision) : undefined;
          if (unit === undefined)
            throw new HttpProblem(400, "request-invalid", "precision is one of ns us ms s", {
              faults: [{ path: "/query/precision", message: "one of ns us ms s" }],
            });
          const { faults, isTaken } = await publish(request, `influx/${unit}`);
          const [fault] = faults;
          if (!fault) return reply.code(204).send();
          const line = Number(/^\/(\d+)/.exec(fault.path)?.[1] ?? 1);
          const message = refusal(faults, isTaken);
          return reply.code(400).send({ code: "invalid", message, error: message, line });
        },
      );
    api.post(
      "/api/v1/airrohr",
      {
        bodyLimit: limits.maxMessageBytes,
        config,
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
        const { faults } = await publish(request, `airrohr/${isName ? sensor : "http"}`);
        return reply.code(202).send({ faults: faults.length });
      },
    );
  });
}
