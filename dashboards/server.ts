import type { AddressInfo } from "node:net";
import cookie from "@fastify/cookie";
import rateLimit from "@fastify/rate-limit";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyBaseLogger, LogController } from "fastify";
import type { FastifySchemaControllerOptions } from "fastify/types/schema.js";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { ObiegError } from "../devices/index.js";
import type { IngestView } from "../ingest/index.js";
import { guard } from "./access.js";
import { docsRoutes } from "./docs.js";
import { makeExportLimit } from "./export-limit.js";
import { makeFeed } from "./feed.js";
import { watchConnections } from "./hang-ups.js";
import { makeLoginLimit } from "./login-limit.js";
import { readPage, secureHeaders, sendPage, servePage, wantsPage } from "./page.js";
import { methodsOf } from "./methods.js";
import { answerBroken, HttpProblem, sendProblem } from "./problem.js";
import { type Api, defaultHttpLimits, type HttpLimits, type RouteParts } from "./route.js";
import { alertsRoutes } from "./routes/alerts.js";
import { codecsRoutes } from "./routes/codecs.js";
import { healthRoutes } from "./routes/health.js";
import { influxRoutes } from "./routes/influx.js";
import { importRoutes } from "./routes/import.js";
import { keepingRoutes } from "./routes/keeping.js";
import { ledgerRoutes } from "./routes/ledger.js";
import { liveRoutes } from "./routes/live.js";
import { metersRoutes } from "./routes/meters.js";
import { peopleRoutes } from "./routes/people.js";
import { placesRoutes } from "./routes/places.js";
import { quarantineRoutes } from "./routes/quarantine.js";
import { sinksRoutes } from "./routes/sinks.js";
import { readingsRoutes } from "./routes/readings.js";
import { registryRoutes } from "./routes/registry.js";
import { sessionRoutes } from "./routes/session.js";
import { strangersRoutes } from "./routes/strangers.js";
import { writesRoutes } from "./routes/writes.js";
import { hangUpOnSilence } from "./silence.js";
import type { Users } from "./users.js";
import { boundConnections } from "./visitors.js";

/** What the HTTP side works with. */
export interface ServerParts {
  view: IngestView;
  users: Users;
  log: FastifyBaseLogger;
  /** Folder of the built page; without it only the API is served. */
  webDir?: string;
  limits?: Partial<HttpLimits>;
  clock: () => number;
  /** The version that `/openapi.json` names. */
  version?: string;
  /** Lets everybody have the role `public`: a city that opens its vocabulary and places. */
  open?: boolean;
  /** Proxies whose `X-Forwarded-*` are believed: addresses or networks. */
  trustProxy?: string[] | undefined;
}

/** How the server listens; port 0 takes a free one. */
export interface ServerOptions extends ServerParts {
  host: string;
  port: number;
}

/** A server that listens. */
export interface HttpServer {
  /** `http://127.0.0.1:8080` */
  address: string;
  port: number;
  /** Takes no more calls, ends live feeds, waits for what is under way. */
  close(): Promise<void>;
}

/** Schemas are zod's. Given from the beginning, so that a start doesn't load Fastify's own compilers (Ajv). */
const compilersFactory = {
  buildValidator: () => validatorCompiler,
  buildSerializer: () => serializerCompiler,
} as unknown as NonNullable<FastifySchemaControllerOptions["compilersFactory"]>;
const flushEveryMs = 200;
const beatEveryMs = 2_000;

/** Builds the server without listening; tests call it by `inject`. */
export async function buildServer(options: ServerParts): Promise<Api> {
  const { view, users, log, clock } = options;
  const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: 30_000,
    connectionTimeout: limits.silenceMs,
    keepAliveTimeout: 20_000,
    http: { headersTimeout: 15_000, maxHeaderSize: 16_384 },
    forceCloseConnections: "idle",
    return503OnClosing: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 400 },
    trustProxy: options.trustProxy ?? false,
    schemaController: { compilersFactory },
    clientErrorHandler: answerBroken,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply, log),
  }) as unknown as Api;
  const visitors = boundConnections(app.server, limits);
  hangUpOnSilence(app.server);
  app.removeContentTypeParser("text/plain");
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log));

  const methods = methodsOf(app);
  secureHeaders(app);
  await app.register(cookie);
  await app.register(rateLimit, {
    global: false,
    max: limits.callsPerMinute,
    timeWindow: 60_000,
    cache: 5_000,
    errorResponseBuilder: (_request, { ttl }) =>
      new HttpProblem(429, "too-many-calls", "too many calls from this address", { retryAfterMs: ttl }),
  });
  limitCalls(app);
  const window = { perAddress: limits.loginsPerAddress, perUser: limits.loginsPerUser, windowMs: 900_000 };
  const loginLimit = makeLoginLimit(window, clock);
  guard(app, users, loginLimit, options.open ?? false);
  await describe(app, options.version ?? "0");

  const feed = makeFeed(view, limits);
  const flusher = setInterval(() => feed.flush(), flushEveryMs).unref();
  const beater = setInterval(() => void feed.beat(), beatEveryMs).unref();
  app.addHook("preClose", async () => {
    clearInterval(flusher);
    clearInterval(beater);
    feed.close();
  });

  const exportLimit = makeExportLimit(limits.exports);
  const parts: RouteParts = { view, users, visitors, feed, limits, clock, loginLimit, exportLimit };
  healthRoutes(app, parts);
  await app.register(
    async (scope) => {
      const api = scope as unknown as Api;
      api.addHook("onSend", async (_request, reply) => {
        if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
      });
      sessionRoutes(api, parts);
      registryRoutes(api, parts);
      placesRoutes(api, parts);
      strangersRoutes(api, parts);
      importRoutes(api, parts);
      keepingRoutes(api, parts);
      readingsRoutes(api, parts);
      metersRoutes(api, parts);
      ledgerRoutes(api, parts);
      quarantineRoutes(api, parts);
      sinksRoutes(api, parts);
      codecsRoutes(api, parts);
      alertsRoutes(api, parts);
      liveRoutes(api, parts);
      peopleRoutes(api, parts);
    },
    { prefix: "/api/v1" },
  );
  writesRoutes(app, parts);
  influxRoutes(app, parts, options.version ?? "0");
  docsRoutes(app);

  const html = readPage(options.webDir);
  if (html !== undefined && options.webDir !== undefined) servePage(app, options.webDir, html);
  app.setNotFoundHandler((request, reply) => {
    if (html !== undefined && wantsPage(request)) return sendPage(reply, html);
    const allow = methods(request).join(", ");
    const problem =
      allow === ""
        ? new HttpProblem(404, "not-found", "there is nothing here: /docs lists what there is")
        : new HttpProblem(405, "method-not-allowed", `this takes ${allow}`, { headers: { allow } });
    return sendProblem(problem, request, reply, log);
  });
  await app.ready();
  return app;
}

/**
 * Counts a call before anybody looks who asks: the plugin's own hooks stand behind the doorkeeper, who would hide from them whom
 * he refuses. Routes with `rateLimit: false` aren't counted.
 */
function limitCalls(app: Api): void {
  const count = app.rateLimit();
  app.addHook("onRequest", async function (request, reply) {
    if (!request.is404 && request.routeOptions.config.rateLimit !== false)
      await count.call(this, request, reply);
  });
}

async function describe(app: Api, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Obieg",
        version,
        description: "Readings of a city's bins, meters and air sensors: kept, accounted for, and told.",
      },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer" },
          session: { type: "apiKey", in: "cookie", name: "obieg_session" },
        },
      },
    },
    transform: (input) => {
      const { schema, url } = jsonSchemaTransform(input);
      const role = input.route.config?.role;
      if (role === undefined) return { schema, url };
      const security = [{ token: [] }, { session: [] }];
      return { schema: { ...schema, security, "x-role": role } as never, url };
    },
  });
}

/** Starts to serve. Throws `http-port-unavailable` when it can't listen there. */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const app = await buildServer(options);
  const hangUps = watchConnections(app.server);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ObiegError(
      "http-port-unavailable",
      `can't listen on ${options.host}:${options.port}: ${code || message}`,
      {
        cause: error,
      },
    );
  }
  const { port, address, family } = app.server.address() as AddressInfo;
  const host = family === "IPv6" ? `[${address}]` : address;
  const close = async (): Promise<void> => {
    hangUps.begin();
    await app.close();
    hangUps.end();
  };
  return { address: `http://${host}:${port}`, port, close };
}
