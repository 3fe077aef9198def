// Last step of the build: puts what the compiler leaves behind (YAML of the demo city) beside it and marks the build complete.
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
mkdirSync(join(root, "dist"), { recursive: true });
const demo = "devices/demo/city.yaml";
if (existsSync(join(root, demo))) cpSync(join(root, demo), join(root, "dist", demo));
cpSync(join(root, "package.json"), join(root, "dist/package.json"));
writeFileSync(join(root, "dist/.built"), "");
