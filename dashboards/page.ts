import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Placeholder in `index.html` that each answer replaces by its own nonce. */
export const noncePlace = "__NONCE__";

const policyOf = (nonce: string): string =>
  [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");

/** The policy of everything that isn't a page. */
const barePolicy = "default-src 'none'; frame-ancestors 'none'";

/** Headers that every answer carries; a page overwrites the policy with its own. */
export function secureHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers({
      "content-security-policy": barePolicy,
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "permissions-policy": "camera=(), geolocation=(), microphone=()",
    });
  });
}

/** Answers with a page of HTML whose {@link noncePlace}s become a fresh nonce, named in its policy. */
export function sendPage(reply: FastifyReply, html: string): FastifyReply {
  const nonce = randomBytes(16).toString("base64");
  return reply
    .header("content-security-policy", policyOf(nonce))
    .header("content-type", "text/html; charset=utf-8")
    .header("cache-control", "no-store")
    .serializer((text: string) => text)
    .send(html.replaceAll(noncePlace, nonce));
}

/** Reads the page of `webDir`, as the build left it; undefined when there is none. */
export function readPage(webDir: string | undefined): string | undefined {
  const index = webDir === undefined ? undefined : join(webDir, "index.html");
  return index !== undefined && existsSync(index) ? readFileSync(index, "utf8") : undefined;
}

/** True for a path that the page's own router may know: a page is wanted, and it isn't ours or a file. */
export function wantsPage(request: FastifyRequest): boolean {
  const path = request.url.split("?", 1)[0] ?? "";
  const wantsHtml = /text\/html|\*\/\*/.test(request.headers.accept ?? "*/*");
  const isOurs = /^\/(?:api|assets|docs|metrics|healthz|readyz|openapi\.json)(?:\/|$)/.test(path);
  return request.method === "GET" && wantsHtml && !isOurs && !/\.[a-z0-9]{1,8}$/i.test(path);
}

/** Serves the files of the page; those under `assets/` have their hash in the name and may be kept for ever. */
export function servePage(app: FastifyInstance, webDir: string, html: string): void {
  app.get("/", { schema: { hide: true } }, (_request, reply) => sendPage(reply, html));
  void app.register(fastifyStatic, {
    root: webDir,
    index: false,
    redirect: false,
    decorateReply: false,
    dotfiles: "ignore",
    schemaHide: true,
    cacheControl: false,
    allowedPath: (path) => path !== "/index.html",
    setHeaders: (reply, path) => {
      const lasting = path.includes(`${sep}assets${sep}`);
      reply.header("cache-control", lasting ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
}
