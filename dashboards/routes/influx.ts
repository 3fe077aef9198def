import { STATUS_CODES } from "node:http";
import { setImmediate } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { batchesOf, type Fault } from "../../devices/index.js";
import { bodyOf, type Judged, openIntake, senders } from "../intake.js";
import { HttpProblem, pathOf, sendProblem } from "../problem.js";
import { type Api, type RouteParts, withRawBodies } from "../route.js";

/** How InfluxDB 1 and 2 write precisions, and the topic's last level that means it. */
const precisions: ReadonlyMap<string, string> = new Map(
  Object.entries({ ns: "ns", n: "ns", us: "us", u: "us", µ: "us", ms: "ms", s: "s", m: "m", h: "h" }),
);

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

/**
 * Tells a problem so that InfluxDB's clients say why: theirs is `message` (2) and `error` (1). What comes too often is 503 to a
 * client of version 1.
 * Source: Telegraf 1.30.0, `outputs.influxdb`: drops what it wrote at any 4xx, keeps it at 5xx; InfluxDB 1 answers 503 at its own limits.
 */
function sendToClient(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const isFirst = !pathOf(request).startsWith("/api/v2/");
  return sendProblem(error, request, reply, request.log, ({ status, message }) => ({
    ...(isFirst && status === 429 ? { status: 503, title: STATUS_CODES[503] ?? "" } : {}),
    message,
    error: message,
  }));
}

/** The statement of a query, in the address or as a form. */
function statementOf(request: FastifyRequest): string {
  const { q } = request.query as { q?: unknown };
  if (typeof q === "string") return q;
  const { body } = request as { body: unknown };
  return Buffer.isBuffer(body) ? (new URLSearchParams(body.toString()).get("q") ?? "") : "";
}

/** `/ping`, `/health`, `/query`: what InfluxDB's clients ask before they write. */
function askedBefore(api: Api, { view }: RouteParts, version: string): void {
  const methods = ["GET", "HEAD"];
  const hidden = { schema: { hide: true } };
  // Open to all; clients send their token here too.
  const open = { ...hidden, config: { anyScheme: true } };
  api.route({
    method: methods,
    url: "/ping",
    ...open,
    handler: (_request, reply) =>
      reply.code(204).headers({ "x-influxdb-build": "Obieg", "x-influxdb-version": version }).send(),
  });
  api.route({
    method: methods,
    url: "/health",
    ...open,
    handler: (_request, reply) => {
      const { ready, reasons } = view.ready();
      const message = ready ? "ready for writes" : reasons.map((reason) => reason.message).join("; ");
      const status = ready ? "pass" : "fail";
      return reply.code(ready ? 200 : 503).send({ name: "obieg", message, checks: [], status, version });
    },
  });
  api.route({
    method: ["GET", "POST"],
    url: "/query",
    config: senders,
    ...hidden,
    handler: (request, reply) => {
      const asked = /^\s*(create|show)\s+databases?\b/i.exec(statementOf(request))?.[1]?.toLowerCase();
      if (asked === undefined)
        throw new HttpProblem(
          400,
          "request-invalid",
          "this takes CREATE DATABASE and SHOW DATABASES, which change nothing; readings are read at /api/v1/readings",
        );
      const series = [{ name: "databases", columns: ["name"], values: [["obieg"]] }];
      return reply.send({ results: [{ statement_id: 0, ...(asked === "show" ? { series } : {}) }] });
    },
  });
}

/** `/write`, `/api/v2/write` and what goes before them: where Telegraf and InfluxDB's clients send to as they do to InfluxDB. */
export function influxRoutes(app: Api, parts: RouteParts, version: string): void {
  const { limits } = parts;
  const intake = openIntake(parts);

  /** Puts a body into the journal, in as many messages as it needs; gives what is wrong with its lines, and where. */
  const write = async (
    request: FastifyRequest,
    topic: string,
  ): Promise<{ faults: Fault[]; line: number; isTaken: boolean }> => {
    const [judged, faults]: [Judged[], Fault[]] = [[], []];
    let line = 0;
    for (const batch of batchesOf(await bodyOf(request, limits.maxWriteBytes), limits.maxMessageBytes)) {
      // A large body doesn't hold up whoever else asks.
      if (judged.length > 0) await setImmediate();
      let found: readonly Fault[];
      if (batch.payload.length > limits.maxMessageBytes) {
        const start = batch.payload.toString("utf8", 0, 80);
        const detail = `unable to parse '${start}': a line has at most ${limits.maxMessageBytes} bytes`;
        found = [{ code: "too-many-fields", path: "/1", detail }];
      } else {
        const one = intake.judge(request, topic, batch.payload);
        judged.push(one);
        found = one.faults;
      }
      const [first] = found;
      if (first && faults.length === 0) line = batch.line - 1 + Number(/^\/(\d+)/.exec(first.path)?.[1] ?? 1);
      faults.push(...found);
    }
    await intake.keep(judged);
    return { faults, line, isTaken: judged.some(({ isTaken }) => isTaken) };
  };

  withRawBodies(app, (api) => {
    api.setErrorHandler(sendToClient);
    askedBefore(api, parts, version);
    for (const path of ["/write", "/api/v2/write"])
      api.post(
        path,
        { bodyLimit: limits.maxWriteBytes, config: senders, schema: { hide: true } },
        async (request, reply) => {
          const { precision = "ns" } = request.query as { precision?: unknown };
          const unit = typeof precision === "string" ? precisions.get(precision) : undefined;
          if (unit === undefined)
            throw new HttpProblem(400, "request-invalid", "precision is one of ns us ms s", {
              faults: [{ path: "/query/precision", message: "one of ns us ms s" }],
            });
          const { faults, line, isTaken } = await write(request, `influx/${unit}`);
          if (faults.length === 0) return reply.code(204).send();
          const message = refusal(faults, isTaken);
          return reply.code(400).send({ code: "invalid", message, error: message, line });
        },
      );
  });
}
