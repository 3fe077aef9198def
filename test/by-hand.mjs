// Runs one of the long tests with more rounds than CI: npm run rounds -- kill --rounds 1000 [--seed 7]
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

const kinds = {
  kill: {
    file: "test/system-kill.test.ts",
    rounds: "OBIEG_KILL_ROUNDS",
    what: "rounds of kill -9 under load",
  },
  power: {
    file: "test/system-power.test.ts",
    rounds: "OBIEG_POWER_CUTS",
    seed: "OBIEG_POWER_SEED",
    what: "power cuts",
  },
  packets: {
    file: "test/system-fuzz.test.ts",
    rounds: "OBIEG_FUZZ_PACKETS",
    seed: "OBIEG_FUZZ_SEED",
    what: "hostile packets",
  },
  requests: {
    file: "test/api-fuzz.test.ts",
    rounds: "OBIEG_FUZZ_REQUESTS",
    seed: "OBIEG_FUZZ_SEED",
    what: "hostile requests a call",
  },
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, seed: { type: "string" } },
});
const kind = kinds[positionals[0] ?? ""];
if (!kind || !/^\d+$/.test(values.rounds ?? "")) {
  const list = Object.entries(kinds).map(([name, { what }]) => `  ${name.padEnd(9)} ${what}`);
  process.stderr.write(`npm run rounds -- KIND --rounds N [--seed N]\n${list.join("\n")}\n`);
  process.exit(2);
}
const env = { ...process.env, [kind.rounds]: values.rounds };
if (values.seed !== undefined && kind.seed) env[kind.seed] = values.seed;
const run = spawn("npx", ["vitest", "run", "--disable-console-intercept=true", kind.file], {
  env,
  stdio: "inherit",
});
run.on("exit", (code) => process.exit(code ?? 1));
