import fc from "fast-check";
import { expect, test } from "vitest";
import { FilterTree } from "../broker/topics.js";
import { covers, isFilter, isTopic } from "../devices/index.js";

const level = fc.constantFrom("", "a", "b", "$x", "ab");
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => (open ? [...levels, "#"] : levels).join("/"));

/** MQTT 3.1.1, 4.7, read a second time: a filter as a pattern over the whole topic. */
function matches(one: string, name: string): boolean {
  if (name.startsWith("$") && /^[+#]/.test(one)) return false;
  const pattern = one
    .split("/")
    .map((part, at) => {
      const slash = at === 0 ? "" : "/";
      if (part === "#") return at === 0 ? ".*" : "(/.*)?";
      return slash + (part === "+" ? "[^/]*" : part.replaceAll(/[$]/g, String.raw`\$`));
    })
    .join("");
  return new RegExp(`^${pattern}$`, "s").test(name);
}

test("what a granted filter covers is matched by it, topic by topic", () => {
  fc.assert(
    fc.property(filter, filter, topic, (granted, asked, name) => {
      fc.pre(name !== "" && isFilter(granted) && isFilter(asked));
      if (covers(granted, asked) && matches(asked, name)) expect(matches(granted, name)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

test("the tree finds the filters that match, and no others, whatever was put in and taken out", () => {
  fc.assert(
    fc.property(fc.uniqueArray(filter, { maxLength: 12 }), topic, fc.nat(), (filters, name, seed) => {
      fc.pre(name !== "");
      const tree = new FilterTree<string>();
      const known = filters.filter((one) => isFilter(one));
      for (const one of known) tree.set(one, "key", one);
      const left = known.filter((_, n) => (n + seed) % 3 !== 0);
      for (const one of known) if (!left.includes(one)) tree.delete(one, "key");
      expect(tree.match(name).sort()).toEqual(left.filter((one) => matches(one, name)).sort());
    }),
    { numRuns: 5_000 },
  );
});

test("topics hold no wildcard and no U+0000; filters hold them only where they may stand", () => {
  for (const good of ["a", "/", "a//b", "ż/ó"]) expect([good, isTopic(good)]).toEqual([good, true]);
  for (const bad of ["", "a+", "#", "a/#", "a\0"]) expect([bad, isTopic(bad)]).toEqual([bad, false]);
  for (const good of ["#", "+", "a/+/b", "a/#", "/"]) expect([good, isFilter(good)]).toEqual([good, true]);
  for (const bad of ["", "a+", "a#", "#/a", "a/b#", "\0"]) expect([bad, isFilter(bad)]).toEqual([bad, false]);
});
