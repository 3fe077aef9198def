// Sets up what `npm start`, `npm test` and `npm run bench` need and a fresh clone lacks: dependencies and the build.
// Plain Node, no dependency: it runs before anything is installed.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`obieg needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}

const run = (args) => {
  process.stderr.write(`setting up: npm ${args.join(" ")}\n`);
  execFileSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
};
const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const ignored = new Set(["node_modules", "dist", "data", ".git", "test"]);
const newest = (dir) =>
  Math.max(
    0,
    ...readdirSync(dir, { withFileTypes: true })
      .filter((entry) => !ignored.has(entry.name))
      .map((entry) => {
        const path = join(dir, entry.name);
        return entry.isDirectory() ? newest(path) : modified(path);
      }),
  );

if (modified(join(root, "package-lock.json")) > modified(join(root, "node_modules/.package-lock.json"))) {
  run(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
}
const sources = Math.max(
  newest(root),
  existsSync(join(root, "test/bench")) ? newest(join(root, "test/bench")) : 0,
);
if (sources > modified(join(root, "dist/.built"))) run(["run", "build"]);
