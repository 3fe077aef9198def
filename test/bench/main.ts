// The benchmark: `npm run bench`. `--smoke` runs everything small; `--only burst,latency` some of it, `--rounds 1` in fewer
// runs: these write nothing.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { measureAcknowledging } from "./acknowledging.js";
import { measureBurst } from "./burst.js";
import { measureCodec } from "./codec.js";
import { measureFormats } from "./formats.js";
import { measureLatency } from "./latency.js";
import { measureOutage } from "./outage.js";
import { type Figure, resultsText } from "./report.js";
import { measureStart } from "./restart.js";
import { fullSize, smokeSize } from "./size.js";
import { makeFolder } from "./target.js";
import { makePast, measureYear } from "./year.js";

const isSmoke = process.argv.includes("--smoke");
const argument = (name: string): string | undefined =>
  process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const only = argument("--only")?.split(",");
const rounds = argument("--rounds");
const usual = isSmoke ? smokeSize : fullSize;
const size = rounds === undefined ? usual : { ...usual, rounds: Number(rounds) };
const begun = performance.now();
const say = (text: string): void =>
  void process.stderr.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(4)} s  ${text}\n`);
const root = join(import.meta.dirname, "../../..");
const versionOf = (file: string): string =>
  (JSON.parse(readFileSync(join(root, file), "utf8")) as { version: string }).version;

async function measurePast(): Promise<Figure[]> {
  const folder = makeFolder();
  const past = await makePast(folder, isSmoke);
  say(`made ${past.rows.toLocaleString("en")} values of the past in ${past.sealedDays} days`);
  try {
    return [
      ...(await measureYear(folder, past, size, say)),
      ...(await measureStart(folder, past.sealedDays, size, say)),
    ];
  } finally {
    folder.remove();
  }
}

const measurements: Record<string, () => Promise<Figure[]>> = {
  acknowledging: () => measureAcknowledging(size, say),
  burst: () => measureBurst(size, say),
  latency: () => measureLatency(size, say),
  year: measurePast,
  outage: () => measureOutage(size, say),
  codec: () => measureCodec(size, say),
  formats: () => measureFormats(size, say),
};

const figures: Figure[] = [];
for (const [name, measure] of Object.entries(measurements)) {
  if (only && !only.includes(name)) continue;
  say(name);
  figures.push(...(await measure()));
}

const commit = ((): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
})();
const seconds = (performance.now() - begun) / 1_000;
const head = [
  `Written by \`npm run bench\` in ${Math.ceil(seconds / 60)} minutes: obieg ${versionOf("package.json")} (${commit}), Node ${process.versions.node}, DuckDB ${versionOf("node_modules/@duckdb/node-api/package.json")}, aedes ${versionOf("node_modules/aedes/package.json")}, Linux ${release()}, ${cpus().length} cores (${cpus()[0]?.model ?? ""}), ${Math.round(totalmem() / 2 ** 30)} GiB.`,
  `Everything runs on this machine, the generator (a process of its own, raw sockets, packets encoded before) and the sink's receiver too. QoS 1 over 10 connections, at most 1,000 unacknowledged on each, refilled by a quarter of that or more. Bare is aedes that acknowledges with nothing behind it, in alternating runs; figures are medians of ${size.rounds} runs, ratios those of runs that stand next to each other. Everything is on: validation, ledger, rules, history with rollups. After each run the ledger and the rows in history are counted.`,
].join("\n\n");
const text = resultsText(head, figures);
process.stdout.write(text);
if (size === fullSize && !only) writeFileSync(join(root, "RESULTS.md"), text);
