import type { FastifyInstance, FastifyRequest } from "fastify";

/** Collects the routes that are put from now on; gives the methods that a request's path takes, none when there is no such path. */
export function methodsOf(app: FastifyInstance): (request: FastifyRequest) => string[] {
  const routes: { path: RegExp; methods: string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    if (url.includes("*")) return;
    const literal = url.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
    const path = new RegExp(`^${literal.replaceAll(/:[a-z]+/gi, "[^/]+")}$`);
    routes.push({ path, methods: [method].flat() });
  });
  return ({ url }) => {
    const [asked = ""] = url.split("?", 1);
    return routes.filter(({ path }) => path.test(asked)).flatMap(({ methods }) => methods);
  };
}
