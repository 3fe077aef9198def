// Last step of the build: puts what the compiler leaves behind (the demo city and its decoders) beside it and marks the build complete, by its name.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
mkdirSync(join(root, "dist"), { recursive: true });
const demo = "devices/demo";
for (const name of ["city.yaml", "decoders"])
  cpSync(join(root, demo, name), join(root, "dist", demo, name), { recursive: true });
cpSync(join(root, "package.json"), join(root, "dist/package.json"));
const built = createHash("sha256");
for (const name of readdirSync(join(root, "dist"), { recursive: true }).sort((a, b) => (a < b ? -1 : 1)))
  if (name.endsWith(".js")) built.update(name).update(readFileSync(join(root, "dist", name)));
writeFileSync(join(root, "dist/.built"), built.digest("hex"));
