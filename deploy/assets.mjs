// Last step of the build: puts what the compiler leaves behind (the demo city and its decoders) beside it and marks the build complete.
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
mkdirSync(join(root, "dist"), { recursive: true });
const demo = "devices/demo";
for (const name of ["city.yaml", "decoders"])
  cpSync(join(root, demo, name), join(root, "dist", demo, name), { recursive: true });
cpSync(join(root, "package.json"), join(root, "dist/package.json"));
writeFileSync(join(root, "dist/.built"), "");
