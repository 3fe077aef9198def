import type { FastifyInstance } from "fastify";
import { noncePlace, sendPage } from "./page.js";

interface Operation {
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean }[];
  "x-role"?: string;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0) ?? 0};`);

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a2b2a}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #c9d6d4}
code{font-size:.95em}h2{margin-top:2rem}`;

const rowOf = (method: string, path: string, operation: Operation): string => {
  const parameters = (operation.parameters ?? []).map(({ name, in: where, required }) =>
    where === "query" ? `<code>${escaped(name)}</code>${required ? " (required)" : ""}` : "",
  );
  return `<tr><td><code>${method.toUpperCase()} ${escaped(path)}</code></td><td>${escaped(operation.summary ?? "")}</td><td>${parameters.filter(Boolean).join(", ")}</td><td>${escaped(operation["x-role"] ?? "anybody")}</td></tr>`;
};

/** The description as a page that fetches nothing: every call, what it gives, what it takes, who may. */
export function docsPage(paths: Readonly<Record<string, unknown>>): string {
  const byTag = new Map<string, string[]>();
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      const tag = operation.tags?.[0] ?? "other";
      byTag.set(tag, [...(byTag.get(tag) ?? []), rowOf(method, path, operation)]);
    }
  const tables = [...byTag].map(
    ([tag, rows]) =>
      `<h2>${escaped(tag)}</h2><table><thead><tr><th>call</th><th>gives</th><th>query</th><th>least role</th></tr></thead><tbody>${rows.join("")}</tbody></table>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Obieg HTTP API</title><style nonce="${noncePlace}">${style}</style></head><body><main><h1>Obieg HTTP API</h1><p>In full, with every shape: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3). <code>Authorization: Bearer TOKEN</code>, or the page's session; a write by the session's cookie needs the header <code>x-obieg-csrf: 1</code>. Faults are <code>application/problem+json</code> with a <code>code</code>. Lists take <code>Accept: text/csv</code> and <code>application/x-ndjson</code>.</p>${tables.join("")}</main></body></html>`;
}

/** Puts `/openapi.json` and `/docs`. */
export function docsRoutes(app: FastifyInstance): void {
  let page: string | undefined;
  app.get("/openapi.json", { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()));
  app.get("/docs", { schema: { hide: true } }, (_request, reply) => {
    page ??= docsPage(app.swagger().paths ?? {});
    return sendPage(reply, page);
  });
}
